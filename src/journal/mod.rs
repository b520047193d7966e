// SPDX-License-Identifier: Apache-2.0
//! The one truth: frames of records, appended and never changed.
//!
//! Invariants: sequence numbers are gapless from 1; every frame names the record hash that it
//! follows; what a [`Journal`] shows was synced before; there is no truncate and no delete.
//!
//! # Example
//!
//! ```
//! use femtoclaw_ledger::clock::SystemClock;
//! use femtoclaw_ledger::events::{Event, LedgerId, Seq, TelemetryLostV1};
//! use femtoclaw_ledger::integrity::Chain;
//! use femtoclaw_ledger::journal::{
//!     Appended, FrameBuilder, Head, MemoryJournal, NewRecord, Observer, Reader, Sealed, Work, Writer,
//!     WriterAnswer,
//! };
//! use std::sync::{Arc, mpsc};
//!
//! let journal = MemoryJournal::new(); // on disk: `FjallJournal`
//! let observer: Observer = Box::new(|appended: &Appended<'_>| println!("{:?}", appended.duration));
//! let clock = Arc::new(SystemClock::default());
//! let writer = Writer::start(Arc::new(journal.clone()), clock, Some(observer))?;
//! let handle = writer.handle();
//! let reader = Reader::new(Arc::new(journal), &handle);
//!
//! // A frame of two records, each with its place in the chain.
//! let mut builder = FrameBuilder::new(LedgerId::from_bytes([7; 16]), 1, handle.head());
//! let lost = Event::from(TelemetryLostV1 { first_ns: 5, last_ns: 6, count: 1 });
//! let mut record = NewRecord::of(&lost);
//! record.commitment = Chain::default().payload_commitment(&record.salt, &record.payload);
//! builder.push(&record, 1_000);
//! builder.push(&record, 2_000);
//!
//! // Who waits is answered after the sync.
//! let (sender, answers) = mpsc::channel();
//! let answer: Box<dyn WriterAnswer> = Box::new(move |outcome: Result<&Head, &Sealed>| {
//!     // Who asked may be gone by now.
//!     drop(sender.send(outcome.copied().map_err(Clone::clone)));
//! });
//! handle.submit(Work { frame: Some(builder.take()), answers: vec![answer] });
//! let head = answers.recv()?.map_err(|sealed| sealed.cause)?;
//! assert_eq!(head, reader.head());
//! for frame in reader.frames(Seq::FIRST) {
//!     let frame = frame?;
//!     frame.verify()?; // checksums, chain and commitments
//!     assert_eq!(frame.records().count(), 2);
//! }
//! assert_eq!(reader.get(Seq::FIRST)?.ok_or("no such record")?.event()?, lost);
//! writer.join();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::events::{Hash, LedgerId, Seq};

mod anchor;
mod anchored;
mod anchorer;
mod append_rules;
mod arc;
mod as_below;
mod builder;
mod bulk_create;
mod chained_frames;
mod closes;
mod commit_watchdog;
mod error;
mod fjall;
mod found;
mod frame;
mod frame_cache;
mod frame_check;
mod handle;
mod head_waiter;
mod layout;
mod memory;
mod prepare;
mod read_only;
mod reader;
mod reply_thread;
mod sealed;
mod under_way;
mod writer;

pub use self::fjall::{FjallJournal, JournalOptions, RecoveredJournal};
pub use crate::database::TornTail;
pub(crate) use anchor::slots;
pub use anchor::{ANCHOR_SLOT_LEN, Anchor, AnchorContents, AnchorFile, Claim};
pub use anchored::{Anchored, Anchoring};
pub(crate) use as_below::as_below;
pub use builder::{FrameBuilder, NewRecord};
pub(crate) use bulk_create::{FillError, create_filled};
pub(crate) use closes::{AfterClose, Closes, EpochStretch};
pub use commit_watchdog::CommitWatch;
pub use error::{AppendFailure, FrameProblem, ReadFailure};
pub use found::FoundInJournal;
pub use frame::{Frame, Records};
pub(crate) use frame_check::Looked;
pub use handle::{Work, WriterHandle};
pub use layout::{FRAME_BYTES_MAX, FRAME_FORMAT_VERSION, FRAME_HEADER_LEN};
pub use memory::MemoryJournal;
pub(crate) use read_only::Aside;
pub use read_only::{Finding, FindingKind, JournalStop, ReadOnlyJournal};
pub use reader::Reader;
pub use reply_thread::WriterAnswer;
pub use sealed::Sealed;
pub use writer::{Appended, Observer, Writer};

/// The last record of a history.
///
/// Example: [`journal`](crate::journal).
#[derive(Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Head {
    /// Its sequence number; `None`: the history is empty.
    pub seq: Option<Seq>,
    /// Its record hash; [`crate::integrity::GENESIS`] for an empty history.
    #[serde(serialize_with = "crate::events::readable::hex::serialize")]
    pub hash: Hash,
    /// Its time, in nanoseconds since 1970.
    #[serde(
        rename = "time",
        serialize_with = "crate::events::readable::time::serialize"
    )]
    pub time_ns: i64,
    /// Epoch of the writer that appended it; 0 for an empty history.
    pub epoch: u64,
}

crate::events::readable::debug_as_read!(Head);

impl Head {
    /// How many records the history has: their numbers have no gap, and begin with 1.
    #[must_use]
    pub const fn count(&self) -> u64 {
        match self.seq {
            Some(seq) => seq.get(),
            None => 0,
        }
    }

    /// The number of the record that comes next.
    #[must_use]
    pub fn next_seq(&self) -> Seq {
        self.seq.map_or(Seq::FIRST, |seq| seq.plus(1))
    }

    /// Whether the history holds the record with this number.
    #[must_use]
    pub fn contains(&self, seq: Seq) -> bool {
        Some(seq) <= self.seq
    }
}

/// *record 7*, or *no record*.
impl std::fmt::Display for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.seq {
            Some(seq) => write!(f, "record {seq}"),
            None => f.write_str("no record"),
        }
    }
}

/// What may not be whole on the medium, because its write is under way or has failed. Nothing of it was
/// acknowledged, and the next opening tells what came of it.
///
/// Example: `tests/waiting/doubles.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Unfinished {
    /// What lies behind the last whole batch of the write-ahead log.
    pub append: bool,
    /// This slot of the anchor.
    pub claim: Option<usize>,
}

/// An iterator over frames, as a journal gives it.
///
/// Example: `tests/waiting/doubles.rs`.
pub type Frames = Box<dyn Iterator<Item = Result<Frame, ReadFailure>> + Send>;

/// The seam below the writer: append this frame after that head, durably; read frames back.
///
/// One conformance suite (`tests/journal/conformance.rs`) runs over every implementation.
///
/// Example: `tests/waiting/doubles.rs`.
pub trait Journal: Send + Sync + 'static {
    /// Appends `frame` after the head `after`; returns when it is durable. All calls block.
    ///
    /// # Errors
    /// [`AppendFailure`]: nothing was written, except for
    /// [`OutcomeUnknown`](AppendFailure::OutcomeUnknown), after which this opening appends nothing
    /// any more and a new one tells what became of the frame.
    fn append(&self, frame: &Frame, after: &Head) -> Result<(), AppendFailure>;

    /// The last durable record.
    ///
    /// # Errors
    /// [`ReadFailure::Closed`].
    fn head(&self) -> Result<Head, ReadFailure>;

    /// The ledger that the frames belong to; `None` as long as there is none.
    ///
    /// # Errors
    /// [`ReadFailure::Closed`].
    fn ledger(&self) -> Result<Option<LedgerId>, ReadFailure>;

    /// The frame that contains `seq`; `None` beyond the head.
    ///
    /// # Errors
    /// [`ReadFailure`] where it is missing, damaged or can't be read.
    fn frame_at(&self, seq: Seq) -> Result<Option<Frame>, ReadFailure>;

    /// The frames from the one that contains `from` up to the head of this moment, each checked to
    /// follow the one before. Ends after the first error.
    fn frames(&self, from: Seq) -> Frames;

    /// Lets go of everything; later calls fail. Waits for an append under way.
    fn close(&self);

    /// Space taken on the medium, in bytes.
    fn size_bytes(&self) -> u64;

    /// Write-ahead files of the engine below; 0 where it has none.
    fn wal_files(&self) -> usize {
        0
    }

    /// Whether these files hold frames that are nowhere else yet.
    fn wal_holds(&self) -> bool {
        false
    }

    /// What may not be whole on the medium just now. Waits for nothing, not for an append either.
    fn unfinished(&self) -> Unfinished {
        Unfinished::default()
    }
}

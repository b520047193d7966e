// SPDX-License-Identifier: Apache-2.0
//! Views: derived state, made by reading the journal's events in order, deletable at any time.
//!
//! A view and its position are written in one batch, so a view is always the exact state after
//! some commit. Nothing here is synced and nothing here is believed when it is damaged: it is set
//! aside under `quarantine/` and made again from the journal, which is the truth.
//!
//! Reads are synchronous and short; asynchronous callers use `spawn_blocking`.
//!
//! # Example
//!
//! ```
//! use femtoclaw_ledger::Options;
//! use femtoclaw_ledger::events::{Event, Record};
//! use femtoclaw_ledger::projections::{Projection, ProjectionError, ViewBatch};
//! # use femtoclaw_ledger::{Ledger, Quota, Rights};
//! # use std::time::Duration;
//!
//! /// How many records of each type there are.
//! struct Counts;
//!
//! impl Projection for Counts {
//!     fn name(&self) -> &'static str {
//!         "counts"
//!     }
//!
//!     fn version(&self) -> u32 {
//!         1 // rises with every change of what `apply` does
//!     }
//!
//!     fn apply(
//!         &mut self,
//!         record: &Record,
//!         _: &Event,
//!         batch: &mut ViewBatch,
//!     ) -> Result<(), ProjectionError> {
//!         let key = record.header.event_type.name().as_bytes();
//!         let before = batch.get(key)?.and_then(|value| value.try_into().ok());
//!         let count = before.map_or(0, u64::from_be_bytes) + 1;
//!         batch.put(key, count.to_be_bytes().to_vec());
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("ledger");
//! let options = Options { projections: vec![Box::new(Counts)], ..Options::default() };
//! # let (ledger, root) = Ledger::open(&path, options).await?;
//! # root.grant("runtime", Rights::all(), Quota::default()).await?;
//! let head = ledger.head();
//! assert!(ledger.projection_at_least("counts", head.seq).await? >= head.count());
//! let digests = ledger.view_digests().await?; // the same for the same records
//! assert!(digests.iter().any(|view| view.name == "counts"));
//! for view in ledger.view_positions() {
//!     println!("{} has read up to {}", view.name, view.position);
//! }
//! # root.close(Duration::from_secs(60)).await?;
//! # Ok(())
//! # }
//! ```

use std::sync::Arc;
use std::time::Duration;

use crate::events::{Event, Record, RecordHeader, Seq};

mod batch;
mod boot_mark;
mod configuration;
mod control;
mod diff;
mod error;
mod execution_entry;
mod execution_filter;
mod execution_status;
mod executions;
mod executions_view;
mod indexes;
mod keys;
mod position;
mod query;
mod rebuild;
mod registry;
mod room;
mod runner;
mod runtime_metadata;
mod seal;
#[allow(dead_code, unused_imports, reason = "views do not lie in them yet")]
mod segments;
mod slot;
mod subscription;
mod terms;
mod tree;
mod view;
mod views;
mod views_database;
#[allow(dead_code, reason = "until views hand segments in")]
mod vouch;

pub use batch::{VIEW_COMMIT_BYTES_MAX, VIEW_KEY_BYTES_MAX, VIEW_VALUE_BYTES_MAX, ViewBatch};
pub use boot_mark::Boot;
pub use configuration::{
    AsOf, ConfigurationProjection, ConfigurationView, DocumentVersion, VersionInfo,
};
pub use diff::{DiffLine, diff_lines};
pub use error::{ProjectionError, ViewError, ViewsOpenError};
pub use execution_entry::ExecutionEntry;
pub use execution_filter::{ExecutionFilter, ExecutionOrder};
pub use execution_status::{ExecutionStatus, StatusCount};
pub use executions::Executions;
pub use executions_view::ExecutionsView;
pub use indexes::{CommandPlace, Indexes};
pub use position::{AtPosition, ViewDigest, ViewPosition};
pub use query::{Filter, IndexesView};
pub(crate) use registry::registry_digest;
pub use registry::{Capability, RegistryState};
pub use runtime_metadata::{
    Module, Runtime, RuntimeMetadataProjection, RuntimeMetadataView, RuntimeState, SavedPosition,
};
pub use subscription::{Subscription, SubscriptionError};
pub use tree::{Tree, TreeAt, TreeView};
pub use view::{RebuildProgress, View, ViewSnapshot, ViewStatus};
pub use views::{Listener, Notice, Preflight, Views, ViewsOptions};
#[allow(unused_imports, reason = "until views hand segments in")]
pub(crate) use vouch::{SealedSegment, Voucher};

/// A key and its value.
///
/// Example: [`Source`].
pub type Pair = (Vec<u8>, Vec<u8>);

/// Folds events into a view.
///
/// All state lives in the view itself, reached through the batch; a projection keeps none of its
/// own beyond a batch, so memory does not grow with history, and the same object can serve two
/// generations in turn. The same records must give the same keys and values however they are cut into batches.
pub trait Projection: Send + 'static {
    /// The view's name: 1 to 64 of `a-z`, `0-9` and `_`.
    fn name(&self) -> &'static str;

    /// Rises whenever the same records would give other keys or values; the view is then rebuilt
    /// while its old generation still serves.
    fn version(&self) -> u32;

    /// Whether [`Projection::apply`] is to be called for a record with this header. An event that
    /// no view wants is not decoded.
    fn wants(&self, _header: &RecordHeader) -> bool {
        true
    }

    /// Called before the first record of a batch: what is left of a batch that failed is forgotten.
    fn begin(&mut self) {}

    /// Takes what a header alone tells into the view. Called for every record, wanted or not, in
    /// order, once, and before [`Projection::apply`].
    ///
    /// # Errors
    /// As [`Projection::apply`].
    fn apply_header(
        &mut self,
        _header: &RecordHeader,
        _batch: &mut ViewBatch,
    ) -> Result<(), ProjectionError> {
        Ok(())
    }

    /// Takes one record into the view. Called for every wanted record, in order, once.
    ///
    /// # Errors
    /// [`ProjectionError`] halts this view and no other, and so do a panic and a change beyond the
    /// limits of [`ViewBatch`]. `Root::rebuild_view` starts it again.
    fn apply(
        &mut self,
        record: &Record,
        event: &Event,
        batch: &mut ViewBatch,
    ) -> Result<(), ProjectionError>;

    /// Called after the last record of a batch: what was held back, because the next record may change it
    /// again, goes into the view.
    ///
    /// # Errors
    /// As [`Projection::apply`].
    fn finish(&mut self, _batch: &mut ViewBatch) -> Result<(), ProjectionError> {
        Ok(())
    }
}

/// Committed records, in order: the one thing that views need of the journal.
///
/// ```
/// use femtoclaw_ledger::events::{CommandId, ComponentId, Record, Seq};
/// use femtoclaw_ledger::journal::Reader;
/// use femtoclaw_ledger::projections::{
///     Filter, Indexes, IndexesView, Source, Tree, TreeView, Views, ViewsOptions, built_in,
/// };
/// # use femtoclaw_ledger::clock::SystemClock;
/// # use femtoclaw_ledger::events::{Event, LedgerId, TelemetryLostV1};
/// # use femtoclaw_ledger::journal::{FrameBuilder, Journal, MemoryJournal, NewRecord, Writer};
/// use std::{sync::Arc, time::Duration};
///
/// struct Committed(Reader);
///
/// impl Source for Committed {
///     fn head(&self) -> u64 {
///         self.0.head().count()
///     }
///
///     fn records(&self, from: Seq, max: usize) -> Result<Vec<Record>, String> {
///         let records: Result<_, _> = self.0.range(from).take(max).collect();
///         records.map_err(|error| error.to_string())
///     }
///
///     fn wait_beyond(&self, seq: u64, timeout: Duration) -> u64 {
///         self.0.wait_beyond(seq, timeout)
///     }
/// }
///
/// # let directory = tempfile::tempdir()?;
/// # let (journal, path) = (Arc::new(MemoryJournal::new()), directory.path().to_owned());
/// # let lost = Event::from(TelemetryLostV1 { first_ns: 5, last_ns: 6, count: 1 });
/// # let mut builder = FrameBuilder::new(LedgerId::from_bytes([7; 16]), 1, Default::default());
/// # let mut record = NewRecord::of(&lost);
/// # (record.component, record.command) = (ComponentId(1), CommandId::from_bytes([3; 16]));
/// # builder.push(&record, 1_000);
/// # journal.append(&builder.take(), &Default::default())?;
/// # let writer = Writer::start(journal.clone(), Arc::new(SystemClock::default()), None)?;
/// # let reader = Reader::new(journal, &writer.handle());
/// // Views over a journal of one record, without a ledger.
/// let source = Arc::new(Committed(reader));
/// let listener = Arc::new(|notice: &_| println!("{notice:?}"));
/// let options = ViewsOptions { listener: Some(listener), ..ViewsOptions::default() };
/// let views = Views::open(&path, options, built_in(), source.clone())?;
/// let tree = views.view(Tree::NAME).ok_or("no such view")?;
/// tree.at_least(1, Duration::from_secs(60))?;
/// assert_eq!((tree.status().position, tree.status().building), (1, None));
/// assert_eq!(tree.read(|snapshot| Ok(snapshot.position()))?, 1);
/// assert!(!tree.scan(b"", 10)?.is_empty());
/// assert_eq!(TreeView::new(tree).read(|tree| Ok(tree.size()))?, 1);
///
/// let indexes = views.view(Indexes::NAME).ok_or("no such view")?;
/// indexes.at_least(1, Duration::from_secs(60))?;
/// let indexes = IndexesView::new(indexes, source);
/// assert_eq!(indexes.query_at(&Filter::default(), 10)?.found, [Seq::FIRST]);
/// let place = indexes.command(ComponentId(1), CommandId::from_bytes([3; 16]))?.found;
/// assert_eq!(place.map(|place| place.first_seq), Some(1));
/// views.close();
/// # writer.join();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Source: Send + Sync + 'static {
    /// Sequence number of the last committed record; 0 where there is none.
    fn head(&self) -> u64;

    /// Committed records from `from` on: at most `max` of them, at least one if there is one.
    /// Fewer than there are is fine, and the way to bound memory in bytes.
    ///
    /// # Errors
    /// What kept the journal from being read, for a person.
    fn records(&self, from: Seq, max: usize) -> Result<Vec<Record>, String>;

    /// Waits until the head is beyond `seq`, at most for `timeout`; gives the head.
    fn wait_beyond(&self, seq: u64, timeout: Duration) -> u64;
}

/// The views that every ledger has: what to give [`Views::open`], with one's own behind them.
///
/// Example: [`Source`].
#[must_use]
pub fn built_in() -> Vec<Box<dyn Projection>> {
    vec![
        Box::new(ConfigurationProjection),
        Box::new(RuntimeMetadataProjection),
        Box::new(Executions::default()),
        Box::new(Indexes::default()),
        Box::new(Tree),
    ]
}

/// Their names: no other view has one of them.
const BUILT_IN: [&str; 5] = [
    ConfigurationProjection::NAME,
    RuntimeMetadataProjection::NAME,
    Executions::NAME,
    Indexes::NAME,
    Tree::NAME,
];

impl<S: Source + ?Sized> Source for Arc<S> {
    fn head(&self) -> u64 {
        (**self).head()
    }

    fn records(&self, from: Seq, max: usize) -> Result<Vec<Record>, String> {
        (**self).records(from, max)
    }

    fn wait_beyond(&self, seq: u64, timeout: Duration) -> u64 {
        (**self).wait_beyond(seq, timeout)
    }
}

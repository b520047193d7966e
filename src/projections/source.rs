// SPDX-License-Identifier: Apache-2.0
//! Where views read committed records.

use std::sync::Arc;
use std::time::Duration;

use crate::events::{Record, Seq};

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

    /// Ends every wait that is under way. False where it cannot: then waits are short, and an idle process looks again
    /// and again.
    fn wake(&self) -> bool {
        false
    }
}

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

    fn wake(&self) -> bool {
        (**self).wake()
    }
}

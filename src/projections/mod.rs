// SPDX-License-Identifier: Apache-2.0
//! Views: derived state, made by reading the journal's events in order, deletable at any time.
//!
//! A view and its position are written in one batch, so a view is always the exact state after
//! some commit. Nothing here is synced and nothing here is believed when it is damaged: it is set
//! aside under `quarantine/` and made again from the journal, which is the truth.
//!
//! Reads are synchronous and short; asynchronous callers use `spawn_blocking`.

use std::sync::Arc;
use std::time::Duration;

use crate::events::{Event, Record, RecordHeader, Seq};

mod batch;
mod boot_mark;
mod configuration;
mod control;
mod diff;
mod error;
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
mod slot;
mod subscription;
mod tree;
mod view;
mod views;
mod views_database;

pub use batch::{VIEW_COMMIT_BYTES_MAX, VIEW_KEY_BYTES_MAX, VIEW_VALUE_BYTES_MAX, ViewBatch};
pub use boot_mark::Boot;
pub use configuration::{
    AsOf, ConfigurationProjection, ConfigurationView, DocumentVersion, VersionInfo,
};
pub use diff::{DiffLine, diff_lines};
pub use error::{ProjectionError, ViewError, ViewsOpenError};
pub use execution_filter::{ExecutionFilter, ExecutionOrder};
pub use execution_status::{ExecutionStatus, StatusCount};
pub use executions::{ExecutionEntry, Executions};
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

/// A key and its value.
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

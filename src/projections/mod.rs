// SPDX-License-Identifier: Apache-2.0
//! Views: derived state, made by reading the journal's events in order, deletable at any time.
//!
//! A view is always the exact state after some commit. It lies in files that never change, which records of the
//! journal vouch for, and in memory above them. Nothing here is believed when it is damaged: it is set
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

mod batch;
mod built_in;
mod chunks;
mod configuration;
mod control;
mod diff;
mod error;
mod execution_entry;
mod execution_filter;
mod execution_status;
mod execution_steps;
mod executions;
mod executions_view;
mod health;
mod indexes;
mod intersection;
mod keys;
mod named;
mod names;
mod notices;
mod offsets;
mod position;
mod postings;
mod projection;
mod query;
mod rebuild;
mod record_order;
mod registry;
mod runner;
mod runtime_metadata;
#[allow(
    dead_code,
    unused_imports,
    reason = "not all that they can do is asked for yet"
)]
mod segments;
mod slot;
mod source;
mod storage;
mod subscription;
mod terms;
#[cfg(test)]
pub(crate) mod tests;
mod tree;
mod view;
mod views;
mod vouch;

pub use batch::{Pair, VIEW_COMMIT_BYTES_MAX, VIEW_KEY_BYTES_MAX, VIEW_VALUE_BYTES_MAX, ViewBatch};
pub use built_in::built_in;
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
pub use notices::{Listener, Notice};
pub use position::{AtPosition, ViewDigest, ViewPosition};
pub use projection::Projection;
pub use query::{Filter, IndexesView};
pub use record_order::RecordOrder;
pub(crate) use registry::registry_digest;
pub use registry::{Capability, RegistryState};
pub use runtime_metadata::{
    Module, Runtime, RuntimeMetadataProjection, RuntimeMetadataView, RuntimeState, SavedPosition,
};
pub use source::Source;
pub use subscription::{Subscription, SubscriptionError};
pub use tree::{Tree, TreeAt, TreeView};
pub use view::{RebuildProgress, View, ViewSnapshot, ViewStatus};
pub(crate) use view::{ViewFile, ViewFileReading};
pub(crate) use views::Watched;
pub use views::{Views, ViewsOptions};
pub(crate) use vouch::{SealedSegment, Voucher};

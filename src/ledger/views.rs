//! The views of one ledger, with the types that read them.

use std::sync::Arc;
use std::time::Duration;

use crate::events::Store;
use crate::journal::{Head, Reader};
use crate::projections::{
    ConfigurationView, ExecutionsView, IndexesView, ReadError, RuntimeMetadataView, Source,
    TreeView, View,
};

/// All views, built-in and the embedder's own.
#[derive(Clone)]
pub(crate) struct ViewSet {
    pub(crate) configuration: ConfigurationView,
    pub(crate) metadata: RuntimeMetadataView,
    pub(crate) executions: ExecutionsView,
    pub(crate) indexes: IndexesView,
    pub(crate) tree: TreeView,
    pub(crate) all: Vec<View>,
}

impl ViewSet {
    /// Waits until the view that answers for this store has read up to `seq`. The stores without one
    /// are read from the journal.
    pub(crate) async fn serves(
        &self,
        store: Store,
        seq: u64,
        timeout: Duration,
    ) -> Result<u64, ReadError> {
        match store {
            Store::Configuration => self.configuration.serves(seq, timeout).await,
            Store::RuntimeMetadata => self.metadata.serves(seq, timeout).await,
            Store::ExecutionLog => self.executions.serves(seq, timeout).await,
            Store::AuditLog | Store::Telemetry => Ok(seq),
        }
    }
}

/// A view is given no more frames at once when they hold so much.
const CHUNK_BYTES: usize = 8 << 20;

/// The journal as views read it: whole frames, so that memory is bounded in bytes too.
pub(crate) struct JournalSource(pub(crate) Reader);

impl Source for JournalSource {
    fn head(&self) -> u64 {
        let Head { seq, .. } = self.0.head();
        seq
    }

    fn records(
        &self,
        from: crate::events::Seq,
        max: usize,
    ) -> Result<Vec<crate::events::Record>, String> {
        let records = self.0.batch(from, max, CHUNK_BYTES);
        records.map_err(|error| error.to_string())
    }

    fn wait_beyond(&self, seq: u64, timeout: Duration) -> u64 {
        self.0.wait_beyond(seq, timeout)
    }
}

impl JournalSource {
    pub(crate) fn shared(reader: Reader) -> Arc<dyn Source> {
        Arc::new(Self(reader))
    }
}

impl super::Ledger {
    /// How far each view has read, by name: less than the head while it catches up.
    #[must_use]
    pub fn view_positions(&self) -> Vec<(&'static str, u64)> {
        let views = self.0.set.all.iter();
        views.map(|view| (view.name(), view.position())).collect()
    }
}

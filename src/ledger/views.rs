//! The views of one ledger, with the types that read them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::callbacks::Callbacks;
use crate::error::{self, OpenError};
use crate::events::Store;
use crate::journal::{Head, Reader, Writer};
use crate::projections::{
    self, Boot, Configuration, ConfigurationView, Executions, ExecutionsView, Indexes, IndexesView,
    NoTree, ReadError, RuntimeMetadata, RuntimeMetadataView, Source, Tree, TreeView, View, Views,
    ViewsOptions,
};

use super::options::Options;
use super::past::unviewable;

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
pub(super) const CHUNK_BYTES: usize = 8 << 20;

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

/// Opens the views: the built-in ones, and the embedder's behind them. Without views the writer lets
/// go of the journal.
pub(super) fn open(
    root: &Path,
    options: &mut Options,
    (files_max, callbacks): (usize, &Callbacks),
    reader: &Reader,
    writer: Writer,
) -> Result<(Writer, Views, ViewSet), OpenError> {
    let mut projections = projections::built_in();
    if options.no_tree {
        projections.retain(|projection| projection.name() != Tree::NAME);
        projections.push(Box::new(NoTree));
    }
    projections.append(&mut options.projections);
    let mut how = ViewsOptions {
        clock: Arc::clone(&options.clock),
        files_max,
        ..ViewsOptions::default()
    };
    how.memtable_bytes = options.memtable_bytes.unwrap_or(how.memtable_bytes);
    how.boot = options.boot.clone().map_or(Boot::System, Boot::Named);
    how.cache_bytes = options.cache_bytes.unwrap_or(how.cache_bytes);
    let watched = (callbacks, options.callback_budget);
    let source = JournalSource::shared(reader.clone());
    let views = Views::open_watched(root, how, projections, Arc::clone(&source), watched);
    let views = views.map_err(|error| match error {
        projections::OpenError::Name(name) => OpenError::ProjectionName(name),
        error => OpenError::Views(error.to_string()),
    });
    let opened = views.and_then(|views| Ok((view_set(&views, source)?, views)));
    match opened {
        Ok((set, views)) => Ok((writer, views, set)),
        Err(error) => {
            writer.join();
            Err(error)
        }
    }
}

fn view_set(views: &Views, source: Arc<dyn Source>) -> Result<ViewSet, OpenError> {
    let view = |name: &str| {
        views
            .view(name)
            .ok_or_else(|| OpenError::Views(format!("there is no view {name}")))
    };
    Ok(ViewSet {
        configuration: ConfigurationView::new(view(Configuration::NAME)?),
        metadata: RuntimeMetadataView::new(view(RuntimeMetadata::NAME)?),
        executions: ExecutionsView::new(view(Executions::NAME)?),
        indexes: IndexesView::new(view(Indexes::NAME)?, source),
        tree: TreeView::new(view(Tree::NAME)?),
        all: views.all().cloned().collect(),
    })
}

/// An hour: a rebuild may take long, a wait for ever would hide that it is stuck.
const WAIT: Duration = Duration::from_secs(3_600);

impl super::Ledger {
    /// Waits until every built-in view has read up to `seq`: what the ledger itself answers from. An
    /// embedder's view is waited for with [`Ledger::projection_at_least`](Self::projection_at_least).
    /// Holds no thread; cancelling the call ends the wait and nothing else.
    ///
    /// # Errors
    /// `Unavailable` where one of them is halted, `Closed` where the ledger is.
    pub async fn at_least(&self, seq: u64) -> Result<(), error::ReadError> {
        let reached = async {
            for view in self.0.set.all.iter().filter(|view| view.is_built_in()) {
                view.reached(seq, WAIT).await.map_err(unviewable)?;
            }
            Ok(())
        };
        let reached = self.0.core.phase.unless_closed(reached).await;
        reached.unwrap_or(Err(error::ReadError::Closed))
    }

    /// Waits until the view `name` has read up to `seq`; gives its position. Holds no thread; cancelling
    /// the call ends the wait and nothing else.
    ///
    /// # Errors
    /// `Unavailable` where there is no such view, or it is halted; `Closed` where the ledger is.
    pub async fn projection_at_least(&self, name: &str, seq: u64) -> Result<u64, error::ReadError> {
        let Some(view) = self.0.set.all.iter().find(|view| view.name() == name) else {
            let cause = format!("there is no view {name:?}").into();
            return Err(error::ReadError::Unavailable { cause });
        };
        let reached = self.0.core.phase.unless_closed(view.reached(seq, WAIT));
        let reached = reached.await.unwrap_or(Err(ReadError::Closed));
        reached.map_err(unviewable)
    }

    /// How far each view has read, by name: less than the head while it catches up.
    #[must_use]
    pub fn view_positions(&self) -> Vec<(&'static str, u64)> {
        let views = self.0.set.all.iter();
        views.map(|view| (view.name(), view.position())).collect()
    }
}

// SPDX-License-Identifier: Apache-2.0
//! The views of one ledger, with the types that read them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::callbacks::Callbacks;
use crate::error::Cause;
use crate::error::{self, OpenError};
use crate::events::Store;
use crate::journal::{Reader, Writer};
use crate::projections::{
    self, ConfigurationProjection, ConfigurationView, Executions, ExecutionsView, Indexes,
    IndexesView, RuntimeMetadataProjection, RuntimeMetadataView, Source, Tree, TreeView, View,
    ViewError, Views, ViewsOptions, Watched,
};

use crate::ledger::options::Options;
use crate::ledger::write::vouching::Vouching;

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
    ) -> Result<u64, ViewError> {
        match store {
            Store::Configuration => self.configuration.serves(seq, timeout).await,
            Store::RuntimeMetadata => self.metadata.serves(seq, timeout).await,
            Store::ExecutionLog => self.executions.serves(seq, timeout).await,
            Store::AuditLog | Store::Telemetry => Ok(seq),
        }
    }
}

/// A view is given no more frames at once when they hold so much.
pub(in crate::ledger) const CHUNK_BYTES: usize = 8 << 20;

/// The journal as views read it: whole frames, so that memory is bounded in bytes too.
pub(crate) struct JournalSource(pub(crate) Reader);

impl Source for JournalSource {
    fn head(&self) -> u64 {
        self.0.head().count()
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

    fn wake(&self) -> bool {
        self.0.wake_waiting();
        true
    }
}

impl JournalSource {
    pub(crate) fn shared(reader: Reader) -> Arc<dyn Source> {
        Arc::new(Self(reader))
    }
}

/// Opens the views: the built-in ones, and the embedder's behind them. Without views the writer lets
/// go of the journal.
pub(in crate::ledger) fn open(
    root: &Path,
    options: &mut Options,
    (files_max, callbacks, vouching): (usize, &Callbacks, &Vouching),
    reader: &Reader,
    writer: Writer,
) -> Result<(Writer, Views, ViewSet), OpenError> {
    let mut projections = projections::built_in();
    projections.append(&mut options.projections);
    let mut how = ViewsOptions {
        clock: Arc::clone(&options.clock),
        files_max,
        ..ViewsOptions::default()
    };
    how.memtable_bytes = options.memtable_bytes.unwrap_or(how.memtable_bytes);
    how.cache_bytes = options.cache_bytes.unwrap_or(how.cache_bytes);
    let watched = Watched {
        callbacks,
        budget: options.callback_budget,
        voucher: Some(vouching.voucher()),
    };
    let source = JournalSource::shared(reader.clone());
    let views = Views::open_watched(root, how, projections, Arc::clone(&source), watched);
    let views = views.map_err(|error| match error {
        projections::ViewsOpenError::Name(name) => OpenError::ProjectionName(name),
        error => OpenError::Views(Cause::of(error)),
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
            .ok_or_else(|| OpenError::Views(format!("no such view: {name}").into()))
    };
    Ok(ViewSet {
        configuration: ConfigurationView::new(view(ConfigurationProjection::NAME)?),
        metadata: RuntimeMetadataView::new(view(RuntimeMetadataProjection::NAME)?),
        executions: ExecutionsView::new(view(Executions::NAME)?),
        indexes: IndexesView::new(view(Indexes::NAME)?, source),
        tree: TreeView::new(view(Tree::NAME)?),
        all: views.all().cloned().collect(),
    })
}

/// Why a view gives nothing, as a reader is told.
pub(crate) fn unviewable(error: ViewError) -> error::ReadError {
    match error {
        ViewError::Building { done, total } => error::ReadError::Recovering { done, total },
        ViewError::Closed => error::ReadError::Closed,
        other => error::ReadError::Unavailable {
            cause: Cause::of(other),
        },
    }
}

#[cfg(test)]
mod tests;

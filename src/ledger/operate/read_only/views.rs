// SPDX-License-Identifier: Apache-2.0
//! Views of a ledger that is only read, made in a scratch directory.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::SystemEntropy;
use crate::directory::scratch::Scratch;
use crate::error::{Cause, OpenError};
use crate::events::{Record, Seq};
use crate::journal::{Journal, ReadOnlyJournal};
use crate::projections::{
    self, ConfigurationProjection, ConfigurationView, Executions, ExecutionsView, Indexes,
    IndexesView, RuntimeMetadataProjection, RuntimeMetadataView, Source, Tree, TreeView, Views,
    ViewsOptions,
};

use super::ReadOnly;

/// A view is given no more at once.
const CHUNK_BYTES: usize = 8 << 20;

/// The history that verifies, as views read it: nothing behind a gap.
struct VerifiedHistory(ReadOnlyJournal);

impl Source for VerifiedHistory {
    fn head(&self) -> u64 {
        self.0.verified().count()
    }

    fn records(&self, from: Seq, max: usize) -> Result<Vec<Record>, String> {
        let (mut records, mut bytes) = (Vec::new(), 0);
        let head = self.head();
        for frame in self.0.frames(from) {
            let frame = frame.map_err(|failure| failure.to_string())?;
            if frame.last_seq().get() > head || records.len() >= max || bytes >= CHUNK_BYTES {
                break;
            }
            for record in frame.records_from(from).take(max - records.len()) {
                records.push(record.map_err(|failure| failure.to_string())?);
            }
            bytes += frame.bytes().len();
        }
        Ok(records)
    }

    fn wait_beyond(&self, _: u64, timeout: Duration) -> u64 {
        // Nothing comes any more.
        std::thread::sleep(timeout.min(Duration::from_millis(100)));
        self.head()
    }
}

/// The views over the history of a ledger that verifies ([`ReadOnly::verified`]). Their files are in a
/// directory of their own, which goes with this value.
///
/// Example: [`read_only`](crate::read_only).
pub struct ReadOnlyViews {
    /// Documents, their versions and history.
    pub configuration: ConfigurationView,
    /// Runtime, modules, capabilities, saved positions.
    pub runtime_metadata: RuntimeMetadataView,
    /// Executions and their status.
    pub executions: ExecutionsView,
    /// Finds records by what they are about: read them with [`ReadOnly::get`].
    pub indexes: IndexesView,
    /// The Merkle tree, for proofs.
    pub tree: TreeView,
    views: Option<Views>,
    /// Last: goes when the engine has let go of it.
    _scratch: Scratch,
}

impl std::fmt::Debug for ReadOnlyViews {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadOnlyViews").finish_non_exhaustive()
    }
}

impl Drop for ReadOnlyViews {
    /// Waits for the thread that keeps the views.
    fn drop(&mut self) {
        if let Some(views) = self.views.take() {
            views.close();
        }
    }
}

impl ReadOnly {
    /// Makes the views by replay, in a private scratch directory: it takes time and space in proportion
    /// to the journal. What lies behind a gap is not in them.
    ///
    /// # Errors
    /// `Views`, `Io`: the scratch directory cannot be had or written, or lies in the ledger.
    pub fn views(&self) -> Result<ReadOnlyViews, OpenError> {
        let parent = self.scratch.clone().unwrap_or_else(std::env::temp_dir);
        let io = |source| OpenError::io(&parent, source);
        let inside = parent.canonicalize().map_err(io)?;
        let ledger = self.path().canonicalize().map_err(io)?;
        if inside.starts_with(&ledger) {
            let problem = format!("{} lies in the ledger", parent.display());
            return Err(OpenError::Views(problem.into()));
        }
        let scratch = Scratch::create(&parent, &SystemEntropy::default()).map_err(io)?;
        let source: Arc<dyn Source> = Arc::new(VerifiedHistory(self.journal.clone()));
        let how = ViewsOptions {
            clock: Arc::clone(&self.clock.0),
            ..ViewsOptions::default()
        };
        let views = Views::open(
            scratch.path(),
            how,
            projections::built_in(),
            Arc::clone(&source),
        );
        let views = views.map_err(|error| OpenError::Views(Cause::of(error)))?;
        let view = |name: &str| {
            let found = views.view(name);
            found.ok_or_else(|| OpenError::Views(format!("no such view: {name}").into()))
        };
        let made = ReadOnlyViews {
            configuration: ConfigurationView::new(view(ConfigurationProjection::NAME)?),
            runtime_metadata: RuntimeMetadataView::new(view(RuntimeMetadataProjection::NAME)?),
            executions: ExecutionsView::new(view(Executions::NAME)?),
            indexes: IndexesView::new(view(Indexes::NAME)?, source),
            tree: TreeView::new(view(Tree::NAME)?),
            views: Some(views),
            _scratch: scratch,
        };
        let to = self.verified().count();
        for view in made.views.iter().flat_map(Views::all) {
            // A day: a wait for ever would hide that it is stuck.
            let waited = view.at_least(to, Duration::from_secs(86_400));
            waited.map_err(|error| OpenError::Views(format!("{}: {error}", view.name()).into()))?;
        }
        Ok(made)
    }
}

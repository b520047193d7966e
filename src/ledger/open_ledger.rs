// SPDX-License-Identifier: Apache-2.0
//! An open ledger: what takes no authority, and what a grant opens.

use crate::projections::ViewDigest;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use crate::access::Grant;
use crate::actors::InForce;
use crate::commands::{Command, Receipt};
use crate::database;
use crate::error::{AccessError, OpenError, ReadError};
use crate::events::{CommandId, LedgerId};
use crate::journal::{Head, Journal};

use super::blocking::blocking;
use super::handles::{
    AuditLog, CommitError, Committed, Configuration, ExecutionLog, Handle, RuntimeMetadata,
    Telemetry, handle,
};
use super::inner::Inner;
use super::lifecycle::open;
use super::options::Options;
use super::read::reads::Reads;
use super::read::views::unviewable;
use super::recover::recovery::Recovery;
use super::root::Root;

/// An open ledger: what takes no authority, and what a [`Grant`] opens. Clones share it.
///
/// It stays open as long as a clone, its [`Root`] or anything that was taken from them lives, and until
/// [`Root::close`]. Dropping the last of them without closing never blocks and loses nothing
/// acknowledged: the next opening finds an unclean end.
///
/// A holder of a ledger and no root can neither end it nor change what it is:
///
/// ```compile_fail,E0599
/// # async fn tried(ledger: femtoclaw_ledger::Ledger) {
/// ledger.close(std::time::Duration::from_secs(5)).await;
/// # }
/// ```
/// ```compile_fail,E0599
/// # async fn tried(ledger: femtoclaw_ledger::Ledger) {
/// ledger.close_at_once(std::time::Duration::from_secs(5)).await;
/// # }
/// ```
/// ```compile_fail,E0599
/// # async fn tried(ledger: femtoclaw_ledger::Ledger, options: femtoclaw_ledger::Options) {
/// ledger.reopen(options, std::time::Duration::from_secs(5)).await;
/// # }
/// ```
/// ```compile_fail,E0599
/// # fn tried(ledger: femtoclaw_ledger::Ledger) {
/// ledger.rebuild_view("indexes");
/// # }
/// ```
/// ```compile_fail,E0599
/// # async fn tried(ledger: femtoclaw_ledger::Ledger) {
/// ledger.checkpoint().await;
/// # }
/// ```
/// ```compile_fail,E0599
/// # async fn tried(ledger: femtoclaw_ledger::Ledger, note: femtoclaw_ledger::integrity::note::Note) {
/// ledger.add_cosignatures(&note, &[]).await;
/// # }
/// ```
#[derive(Clone)]
pub struct Ledger(pub(super) Arc<Inner>);

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

impl Ledger {
    /// Opens the ledger in `path`, creating it where there is none. Gives the one root authority.
    ///
    /// Cancelling the call gives the opening up: it lets go of its threads and of the lock in its own
    /// time, soon, and the next opening finds an unclean end where this one had begun to write.
    ///
    /// # Errors
    /// [`OpenError`]: locked, not a ledger, another format, damage — named, and nothing changed.
    pub async fn open(path: impl AsRef<Path>, options: Options) -> Result<(Self, Root), OpenError> {
        let path = database::absolute(path.as_ref())?;
        let inner = open::open(open::LedgerPlace::Directory(path), options).await?;
        Ok((Self::new(Arc::clone(&inner)), Root::new(inner)))
    }

    /// Opens a ledger over a given journal, with its views in `views`.
    ///
    /// Cancelling as with [`Ledger::open`].
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub async fn open_on(
        journal: Arc<dyn Journal>,
        views: impl AsRef<Path>,
        options: Options,
    ) -> Result<(Self, Root), OpenError> {
        let views = database::absolute(views.as_ref())?;
        let inner = open::open(open::LedgerPlace::Journal(journal, views), options).await?;
        Ok((Self::new(Arc::clone(&inner)), Root::new(inner)))
    }

    pub(super) const fn new(inner: Arc<Inner>) -> Self {
        Self(inner)
    }

    /// The ledger's id, for ever.
    #[must_use]
    pub fn id(&self) -> LedgerId {
        self.0.id()
    }

    /// What this opening found in the directory, repaired and set aside; `None` for a ledger over a
    /// given journal.
    #[must_use]
    pub fn recovery(&self) -> Option<&Recovery> {
        self.0.recovery.as_ref()
    }

    /// The last durable record.
    #[must_use]
    pub fn head(&self) -> Head {
        self.0.head()
    }

    /// Tells whenever the head moves: a record is durable by then, and views may not hold it yet
    /// ([`Ledger::at_least`] waits for them).
    #[must_use]
    pub fn watch_head(&self) -> watch::Receiver<Head> {
        self.0.core.reader.watch()
    }

    /// What is in force: every document and the capability registry at one place of the journal.
    /// A decision is made by one such snapshot and hands the ledger its [`InForce::basis`]. After
    /// an acknowledged change it shows that change; it never shows what is not durable. Waits for
    /// nothing, and reads no view.
    #[must_use]
    pub fn in_force(&self) -> InForce {
        self.0.in_force()
    }

    /// Position and state digest of every view, by name. Reads all of every view. An embedder's view
    /// that has halted and does not serve is left out.
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    /// As reading a view.
    pub async fn view_digests(&self) -> Result<Vec<ViewDigest>, ReadError> {
        let set = self.0.set.clone();
        blocking(move || {
            let digest = |view: &crate::projections::View| view.digest().map_err(unviewable);
            let halted = |view: &crate::projections::View| {
                let status = view.status();
                status.halted.is_some() && status.serving_generation.is_none()
            };
            let views = set.all.iter();
            let told = views.filter(|view| view.is_built_in() || !halted(view));
            told.map(digest).collect()
        })
        .await
    }

    /// Commits a group of commands of one store: all of it or nothing. The empty group touches
    /// nothing; it is answered with `None`. A group that had been committed before is answered with the first receipts, if its
    /// commands stand one behind the other and in this order.
    ///
    /// Cancelled before the group is on its way, it leaves nothing; after that it is committed, and what it starts is in doubt.
    ///
    /// # Errors
    /// [`CommitError`] gives the commands back where nothing was written. `CrossStore` where they belong to several stores, `PartialIdempotency` where only some, and `GroupConflict` where not
    /// together they had been committed before; otherwise as each command.
    pub async fn commit(
        &self,
        grant: &Grant,
        commands: Vec<Command>,
    ) -> Result<Option<Committed>, CommitError> {
        let answers = self.0.core.submit_group(grant, commands).await;
        Handle::new(&self.0, grant).committed(answers)
    }

    /// What became of a command of this component: its receipt where it is durable. `None` says
    /// that this component never committed it, up to the head at the time of the call. It takes the
    /// component's own grant and no right: whoever looks for a command of another reads records.
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn lookup(
        &self,
        grant: &Grant,
        command: CommandId,
    ) -> Result<Option<Receipt>, ReadError> {
        self.0.core.may_look_up(&grant.0)?;
        let core = Arc::clone(&self.0.core);
        let key = (grant.0.component, command);
        let found = blocking(move || core.lookup(key)).await;
        self.0.core.may_look_up(&grant.0)?;
        found
    }

    /// The execution log for this component. (FC-STORAGE §5)
    ///
    /// # Errors
    /// [`AccessError`] where the grant is not of this opening or holds no right to the store.
    pub fn execution_log(&self, grant: &Grant) -> Result<ExecutionLog, AccessError> {
        handle(&self.0, grant, crate::events::Store::ExecutionLog).map(ExecutionLog)
    }

    /// The audit log for this component. (FC-STORAGE §6)
    ///
    /// # Errors
    /// As [`Ledger::execution_log`].
    pub fn audit_log(&self, grant: &Grant) -> Result<AuditLog, AccessError> {
        handle(&self.0, grant, crate::events::Store::AuditLog).map(AuditLog)
    }

    /// The telemetry store for this component. (FC-STORAGE §7)
    ///
    /// # Errors
    /// As [`Ledger::execution_log`].
    pub fn telemetry(&self, grant: &Grant) -> Result<Telemetry, AccessError> {
        handle(&self.0, grant, crate::events::Store::Telemetry).map(Telemetry)
    }

    /// The configuration store for this component. (FC-STORAGE §8)
    ///
    /// # Errors
    /// As [`Ledger::execution_log`].
    pub fn configuration(&self, grant: &Grant) -> Result<Configuration, AccessError> {
        handle(&self.0, grant, crate::events::Store::Configuration).map(Configuration)
    }

    /// The runtime metadata store for this component. (FC-STORAGE §9)
    ///
    /// # Errors
    /// As [`Ledger::execution_log`].
    pub fn runtime_metadata(&self, grant: &Grant) -> Result<RuntimeMetadata, AccessError> {
        handle(&self.0, grant, crate::events::Store::RuntimeMetadata).map(RuntimeMetadata)
    }

    /// Reads of records for this component: those of the stores that it may read.
    ///
    /// # Errors
    /// As [`Ledger::execution_log`].
    pub fn reader(&self, grant: &Grant) -> Result<Reads, AccessError> {
        self.0.core.may_read(&grant.0, grant.rights().read_mask())?;
        Ok(Reads {
            inner: Arc::clone(&self.0),
            grant: grant.clone(),
        })
    }
}

// SPDX-License-Identifier: Apache-2.0
//! The root authority: who may do what, given and taken on the record. (FC-STORAGE §18)

use std::sync::Arc;

use super::attest::checkpoints::Signing;
use super::inner::Inner;
use super::write::submit::Core;
use crate::access::{Changing, Component, Grant, GrantState, Quota, Rights};
use crate::commands::check;
use crate::commands::root_records::Reason;
use crate::error::{AccessError, AppendError};
use crate::events::{ComponentGrantedV3, ComponentId, ComponentRevokedV1};
use crate::locks::whole;

/// The one root authority over a ledger, given at opening: grants and revokes, signs, makes views again,
/// closes and opens again. Clones share it, and each keeps the ledger open as a [`Ledger`](super::Ledger)
/// does. (FC-STORAGE §18)
///
/// What a ledger alone does not give:
///
/// ```no_run
/// # use femtoclaw_ledger::{Options, Root, integrity::note::Note};
/// # async fn tried(root: Root, options: Options, note: Note) {
/// let soon = std::time::Duration::from_secs(5);
/// root.rebuild_view("indexes");
/// root.checkpoint().await;
/// root.add_cosignatures(&note, &[]).await;
/// root.reopen(options, soon).await;
/// root.close_at_once(soon).await;
/// root.close(soon).await;
/// # }
/// ```
#[derive(Clone)]
pub struct Root(Arc<Inner>);

impl std::fmt::Debug for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Root")
    }
}

impl Root {
    pub(super) const fn new(inner: Arc<Inner>) -> Self {
        Self(inner)
    }

    pub(super) const fn inner(&self) -> &Arc<Inner> {
        &self.0
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.0.core
    }

    pub(super) fn signing(&self) -> &Signing {
        &self.0.signing
    }

    /// The component `name` and its number.
    fn component(&self, name: &str) -> Result<(ComponentId, Arc<Component>), AppendError> {
        let core = self.core();
        core.components
            .named(name, core.shared.limits.components_max, || {
                let clock = Arc::clone(&core.shared.clock);
                Component::new(name, core.gate.component_part(), clock)
            })
    }

    /// Makes the view `name` again beside the one that serves; false where there is none. A halted
    /// one is started again by it: what served stays as it is until the new one has caught up.
    #[must_use]
    pub fn rebuild_view(&self, name: &str) -> bool {
        let running = self.0.running.lock();
        let running = whole(running);
        let running = running.as_ref();
        running.is_some_and(|running| running.views.rebuild(name))
    }

    /// Grants the component `name` these rights. The grant is durable as a record; the object is
    /// worth something only in this process and this opening.
    ///
    /// All grants of one name are one component's: they share its quota and its part of the admission. The
    /// quota given last is the one in force; what was used up before stays so.
    ///
    /// # Errors
    /// `Invalid` for a name that is empty, longer than the limit or holds control or invisible characters;
    /// `TooManyComponents` for a new one beyond `Limits::components_max`; otherwise as an append.
    /// Cancelling the call drops the wait: the grant may be on the record all the same, and nobody
    /// holds it.
    pub async fn grant(
        &self,
        name: &str,
        rights: Rights,
        quota: Quota,
    ) -> Result<Grant, AppendError> {
        check::name("component", name, &self.core().shared.limits)?;
        self.core().serving()?;
        let (component, of) = self.component(name)?;
        let mut event = ComponentGrantedV3 {
            component: component.0,
            name: name.to_owned(),
            append: rights.append_mask().bits(),
            read: rights.read_mask().bits(),
            read_payloads: rights.read_payloads_mask().bits(),
            finish_others: rights.may_finish_others(),
            resolve_others: rights.may_resolve_others(),
            sign_checkpoints: rights.may_sign_checkpoints(),
            approve: rights.may_approve(),
            records_per_second: quota.records_per_second,
            bytes_per_second: quota.bytes_per_second,
        };
        self.core().foreign.redact_own("grant", &mut event)?;
        let core = Arc::clone(self.core());
        let granted = in_order(&of, move |changing| {
            let generation = changing.grant(quota);
            (generation, core.shared.self_records.write(&event.into()))
        });
        let (generation, recorded) = granted.await.ok_or_else(|| self.core().stopped())?;
        self.core().durable(recorded).await?;
        Ok(Grant(Arc::new(GrantState {
            component,
            of,
            rights,
            opening: self.core().opening,
            generation,
        })))
    }

    /// Believes the clock as it stands, where it stood too far ahead of the history to be believed
    /// (`Limits::clock_ahead_ns_max`): from here on time is what it shows, and never less again. On
    /// the record, as `ClockAccepted`.
    ///
    /// # Errors
    /// `Invalid` where `reason` is empty or the clock is believed already; `TooLarge`; otherwise as
    /// an append. Cancelling the call drops the wait: the clock may be accepted all the same.
    pub async fn accept_clock(&self, reason: &str) -> Result<(), AppendError> {
        check::some_text("reason", reason, &self.core().shared.limits)?;
        self.core().serving()?;
        let reason = reason.to_owned();
        let mut told = Reason { reason };
        self.core().foreign.redact_own("accept_clock", &mut told)?;
        let accepted = self.core().shared.self_records.accept_clock(told.reason);
        match self.core().durable(accepted).await? {
            Some(_) => Ok(()),
            None => Err(check::invalid("clock", "is believed already")),
        }
    }

    /// Takes back all grants of the component whose grant this is. Its commands that are decided
    /// stand in the journal before the record of it, all others are refused, and so is every read; whoever
    /// waits to read is told. A grant made afterwards works again.
    ///
    /// # Errors
    /// `Access` for a grant of another ledger, or one that was taken back before; `TooLarge` for the
    /// reason; otherwise as an append. Cancelling the call drops the wait: the component may be revoked
    /// all the same.
    pub async fn revoke(&self, grant: &Grant, reason: &str) -> Result<(), AppendError> {
        check::text("reason", reason, &self.core().shared.limits)?;
        self.core().known(&grant.0)?;
        self.core().serving()?;
        if let Some(cause) = self.core().writer.sealed() {
            return Err(AppendError::Sealed { cause });
        }
        let mut event = ComponentRevokedV1 {
            component: grant.0.component.0,
            reason: reason.to_owned(),
        };
        self.core().foreign.redact_own("revoke", &mut event)?;
        check::text("reason", &event.reason, &self.core().shared.limits)?;
        let (core, generation) = (Arc::clone(self.core()), grant.0.generation);
        let revoked = in_order(&grant.0.of, move |changing| {
            let revoked = changing.revoke(generation);
            revoked.then(|| core.shared.self_records.write(&event.into()))
        });
        let recorded = revoked.await.ok_or_else(|| self.core().stopped())?;
        let Some(recorded) = recorded else {
            return Err(AppendError::Access(AccessError::Revoked {
                component: grant.name().to_owned(),
            }));
        };
        // Who waits to read looks at its grant again.
        self.core().phase.ring();
        self.core().durable(recorded).await.map(drop)
    }
}

/// Runs `change` while no command of the component is being decided, off this thread where one is.
/// `None` where the runtime is gone.
async fn in_order<R: Send + 'static>(
    of: &Arc<Component>,
    change: impl FnOnce(&Changing<'_>) -> R + Send + 'static,
) -> Option<R> {
    if let Some(changing) = of.try_changing() {
        return Some(change(&changing));
    }
    let of = Arc::clone(of);
    let changed = tokio::task::spawn_blocking(move || change(&of.changing()));
    changed.await.ok()
}

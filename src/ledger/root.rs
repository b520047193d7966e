//! The root authority: who may do what, given and taken on the record. (FC-STORAGE §18)

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::submit::Core;
use crate::access::{Bucket, Grant, GrantState, Quota, Rights};
use crate::actors::ComponentNames;
use crate::commands::{check, own::Reason};
use crate::error::AppendError;
use crate::events::{ComponentGrantedV1, ComponentId, ComponentRevokedV1};

/// The one root authority over a ledger, given at opening: grants and revokes. (FC-STORAGE §18)
pub struct Root {
    core: Arc<Core>,
}

/// Every component that was ever granted anything, and its number.
pub(crate) struct Components(Mutex<ComponentNames>);

impl Components {
    pub(super) const fn new(names: ComponentNames) -> Self {
        Self(Mutex::new(names))
    }

    fn lock(&self) -> MutexGuard<'_, ComponentNames> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the component `name`, the next one where it is new.
    fn number(&self, name: &str) -> ComponentId {
        let ComponentNames(names) = &mut *self.lock();
        let next = names.values().max().copied().unwrap_or(0) + 1;
        ComponentId(*names.entry(name.to_owned()).or_insert(next))
    }

    pub(super) fn all(&self) -> ComponentNames {
        self.lock().clone()
    }
}

impl std::fmt::Debug for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Root")
    }
}

impl Root {
    pub(super) const fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    pub(super) const fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Grants the component `name` these rights. The grant is durable as a record; the object is
    /// worth something only in this process and this opening.
    ///
    /// # Errors
    /// `Invalid` for a name that is empty, longer than the limit or holds control characters.
    pub async fn grant(
        &self,
        name: &str,
        rights: Rights,
        quota: Quota,
    ) -> Result<Grant, AppendError> {
        check::name("component", name, &self.core.shared.limits)?;
        let component = self.core.components.number(name);
        let finish_others = if rights.may_finish_others() {
            ComponentGrantedV1::FINISH_OTHERS
        } else {
            0
        };
        let event = ComponentGrantedV1 {
            component: component.0,
            name: name.to_owned(),
            append: rights.append_mask().bits() | finish_others,
            read: rights.read_mask().bits(),
        };
        self.core.write_own("grant", event).await?;
        let (records, bytes) = self.core.gate.component_part();
        let bucket = Bucket::new(quota, Arc::clone(&self.core.shared.clock));
        Ok(Grant(Arc::new(GrantState {
            component,
            name: name.to_owned(),
            rights,
            opening: self.core.opening,
            revoked: AtomicBool::new(false),
            records,
            bytes,
            bucket,
        })))
    }

    /// Believes the clock as it stands, where it stood too far ahead of the history to be believed
    /// (`Limits::clock_ahead_ns_max`): from here on time is what it shows, and never less again. On
    /// the record, as `ClockAccepted`.
    ///
    /// # Errors
    /// `Invalid` where `reason` is empty or the clock is believed already; `TooLarge`; otherwise as
    /// an append. Dropping the future drops the wait: the clock may be accepted all the same.
    pub async fn accept_clock(&self, reason: &str) -> Result<(), AppendError> {
        check::some_text("reason", reason, &self.core.shared.limits)?;
        self.core.serving()?;
        let reason = reason.to_owned();
        let mut told = Reason { reason };
        self.core.foreign.redact_own("accept_clock", &mut told)?;
        let accepted = self.core.shared.own.accept_clock(told.reason);
        match self.core.durable(accepted).await? {
            Some(_) => Ok(()),
            None => Err(check::invalid("clock", "is believed already")),
        }
    }

    /// Takes a grant back: commands that are not yet decided are refused from here on.
    ///
    /// # Errors
    /// `Access` for a grant of another ledger; otherwise as an append.
    pub async fn revoke(&self, grant: &Grant, reason: &str) -> Result<(), AppendError> {
        self.core.known(&grant.0)?;
        grant.0.revoked.store(true, Ordering::Release);
        let event = ComponentRevokedV1 {
            component: grant.0.component.0,
            reason: reason.to_owned(),
        };
        let recorded = self.core.write_own("revoke", event).await;
        // Who waits to read looks at its grant again.
        self.core.phase.ring();
        recorded
    }
}

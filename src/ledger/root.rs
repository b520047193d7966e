//! The root authority: who may do what, given and taken on the record. (FC-STORAGE §18)

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::submit::Core;
use crate::access::{Bucket, Grant, GrantState, Quota, Rights};
use crate::error::AppendError;
use crate::events::{ComponentGrantedV1, ComponentId, ComponentRevokedV1};

/// The one root authority over a ledger, given at opening: grants and revokes. (FC-STORAGE §18)
pub struct Root {
    core: Arc<Core>,
    components: Mutex<HashMap<String, ComponentId>>,
    next: AtomicU32,
}

impl std::fmt::Debug for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Root")
    }
}

impl Root {
    pub(super) fn new(core: Arc<Core>, components: HashMap<String, ComponentId>) -> Self {
        let next = components
            .values()
            .map(|component| component.0)
            .max()
            .unwrap_or(0)
            + 1;
        let (components, next) = (Mutex::new(components), AtomicU32::new(next));
        Self {
            core,
            components,
            next,
        }
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
        crate::commands::check::name("component", name, &self.core.shared.limits)?;
        let component = {
            let mut components = self
                .components
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *components
                .entry(name.to_owned())
                .or_insert_with(|| ComponentId(self.next.fetch_add(1, Ordering::Relaxed)))
        };
        let event = ComponentGrantedV1 {
            component: component.0,
            name: name.to_owned(),
            append: rights.append_mask().bits(),
            read: rights.read_mask().bits(),
        };
        self.core.write_own(&event.into()).await?;
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
        self.core.write_own(&event.into()).await
    }
}

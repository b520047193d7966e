// SPDX-License-Identifier: Apache-2.0
//! Who may do what (FC-STORAGE §17–18): components, rights, quotas.
//!
//! The barrier against other programs is the operating system (directory 0700). A grant protects
//! against a confused component inside the process, not against a hostile one: code in the same
//! address space can read memory.

use std::sync::Arc;

use crate::error::{AccessError, Right};
use crate::events::{ComponentId, Record, Store, StoreMask};

mod bucket;
mod component;

pub(crate) use bucket::Charge;
pub(crate) use component::{Changing, Component};

/// What a component may do, per store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Rights {
    append: StoreMask,
    read: StoreMask,
    read_payloads: StoreMask,
    finish_others: bool,
    resolve_others: bool,
    sign_checkpoints: bool,
    approve: bool,
}

impl Rights {
    /// Nothing.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            append: StoreMask::NONE,
            read: StoreMask::NONE,
            read_payloads: StoreMask::NONE,
            finish_others: false,
            resolve_others: false,
            sign_checkpoints: false,
            approve: false,
        }
    }

    /// Append to and read every store, payloads included; finish and resolve what others started; have
    /// checkpoints signed; hand in what persons say.
    #[must_use]
    pub const fn all() -> Self {
        Self {
            append: StoreMask::ALL,
            read: StoreMask::ALL,
            read_payloads: StoreMask::ALL,
            finish_others: true,
            resolve_others: true,
            sign_checkpoints: true,
            approve: true,
        }
    }

    /// Also append to `store`.
    #[must_use]
    pub const fn append(mut self, store: Store) -> Self {
        self.append = self.append.with(store);
        self
    }

    /// Also read `store`.
    #[must_use]
    pub const fn read(mut self, store: Store) -> Self {
        self.read = self.read.with(store);
        self
    }

    /// Also read `store` with its payloads: arguments, results, inputs, observations, details of audit
    /// events, contents of documents. [`Rights::read`] alone gives headers and where things stand.
    #[must_use]
    pub const fn read_payloads(mut self, store: Store) -> Self {
        self.read = self.read.with(store);
        self.read_payloads = self.read_payloads.with(store);
        self
    }

    /// Also complete, fail or cancel executions that another component authorized or started.
    #[must_use]
    pub const fn finish_others(mut self) -> Self {
        self.finish_others = true;
        self
    }

    /// Also resolve executions in doubt that another component started. Those that a component of the
    /// same name started, also under an earlier opening, are its own.
    #[must_use]
    pub const fn resolve_others(mut self) -> Self {
        self.resolve_others = true;
        self
    }

    /// Also have the ledger sign a checkpoint, and record it, where evidence needs one
    /// ([`EvidenceOptions::sign`](crate::evidence::EvidenceOptions::sign)).
    #[must_use]
    pub const fn sign_checkpoints(mut self) -> Self {
        self.sign_checkpoints = true;
        self
    }

    /// Also hand in what persons say of executions that wait for them, whichever component asked
    /// ([`ExecutionLog::approve`](crate::ExecutionLog::approve)). The ledger believes it who they are.
    #[must_use]
    pub const fn approve(mut self) -> Self {
        self.approve = true;
        self
    }

    /// Whether executions of other components may be finished.
    #[must_use]
    pub const fn may_finish_others(self) -> bool {
        self.finish_others
    }

    /// Whether executions in doubt that other components started may be resolved.
    #[must_use]
    pub const fn may_resolve_others(self) -> bool {
        self.resolve_others
    }

    /// Whether the ledger signs a checkpoint for it.
    #[must_use]
    pub const fn may_sign_checkpoints(self) -> bool {
        self.sign_checkpoints
    }

    /// Whether what persons say may be handed in.
    #[must_use]
    pub const fn may_approve(self) -> bool {
        self.approve
    }

    /// Stores that may be appended to.
    #[must_use]
    pub const fn append_mask(self) -> StoreMask {
        self.append
    }

    /// Stores that may be read.
    #[must_use]
    pub const fn read_mask(self) -> StoreMask {
        self.read
    }

    /// Stores that may be read with their payloads.
    #[must_use]
    pub const fn read_payloads_mask(self) -> StoreMask {
        self.read_payloads
    }

    /// The record as whoever holds these rights is given it: `None` where it belongs to no store that
    /// may be read, without its payload where that may not be. Every path that gives records out goes
    /// through here.
    pub(crate) fn shown(self, mut record: Record) -> Option<Record> {
        let header = &record.header;
        if !header.stores.intersects(self.read) {
            return None;
        }
        if !self
            .read_payloads
            .covers(header.event_type.payload_stores())
        {
            record.content = None;
        }
        Some(record)
    }
}

/// How much a component may append (threat model §18), by all its grants together. `None` is no limit
/// of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Quota {
    /// Records per second, with a burst of one second's worth.
    pub records_per_second: Option<u32>,
    /// Bytes of command content per second, with a burst of one second's worth.
    pub bytes_per_second: Option<u64>,
}

impl Quota {
    /// At most so many records a second.
    #[must_use]
    pub const fn records_per_second(mut self, records: u32) -> Self {
        self.records_per_second = Some(records);
        self
    }

    /// At most so many bytes of command content a second.
    #[must_use]
    pub const fn bytes_per_second(mut self, bytes: u64) -> Self {
        self.bytes_per_second = Some(bytes);
        self
    }
}

/// A component's authority, made by [`Root::grant`](crate::Root::grant) and by nothing else.
///
/// Example: [the first page](crate).
#[derive(Clone)]
pub struct Grant(pub(crate) Arc<GrantState>);

impl Grant {
    /// The component's number in every record that it causes.
    #[must_use]
    pub fn component(&self) -> ComponentId {
        self.0.component
    }

    /// The component's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// What it was granted.
    #[must_use]
    pub fn rights(&self) -> Rights {
        self.0.rights
    }
}

impl std::fmt::Debug for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grant")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

pub(crate) struct GrantState {
    pub(crate) component: ComponentId,
    /// What all grants of one name share.
    pub(crate) of: Arc<Component>,
    pub(crate) rights: Rights,
    /// Which opening made it: a grant of another ledger or of an earlier opening opens nothing.
    pub(crate) opening: u64,
    /// How often the component had been revoked when it was granted this.
    pub(crate) generation: u64,
}

impl GrantState {
    pub(crate) fn name(&self) -> &str {
        &self.of.name
    }

    pub(crate) fn may_append(&self, store: Store) -> Result<(), AccessError> {
        self.alive()?;
        if self.rights.append.contains(store) {
            return Ok(());
        }
        Err(AccessError::NotGranted {
            component: self.name().to_owned(),
            store,
            right: Right::Append,
        })
    }

    pub(crate) fn may_read(&self, stores: StoreMask) -> Result<(), AccessError> {
        self.alive()?;
        if self.rights.read.intersects(stores) {
            return Ok(());
        }
        let store = stores.stores().next().unwrap_or(Store::AuditLog);
        Err(AccessError::NotGranted {
            component: self.name().to_owned(),
            store,
            right: Right::Read,
        })
    }

    pub(crate) fn may_sign(&self) -> Result<(), AccessError> {
        self.alive()?;
        if self.rights.sign_checkpoints {
            return Ok(());
        }
        Err(AccessError::MayNotSign {
            component: self.name().to_owned(),
        })
    }

    pub(crate) fn may_approve(&self) -> Result<(), AccessError> {
        self.alive()?;
        if self.rights.approve {
            return Ok(());
        }
        Err(AccessError::MayNotApprove {
            component: self.name().to_owned(),
        })
    }

    pub(crate) fn may_read_payloads(&self, store: Store) -> Result<(), AccessError> {
        self.may_read(StoreMask::NONE.with(store))?;
        if self.rights.read_payloads.contains(store) {
            return Ok(());
        }
        Err(AccessError::NotGranted {
            component: self.name().to_owned(),
            store,
            right: Right::ReadPayloads,
        })
    }

    pub(crate) fn alive(&self) -> Result<(), AccessError> {
        if self.of.generation() == self.generation {
            return Ok(());
        }
        Err(AccessError::Revoked {
            component: self.name().to_owned(),
        })
    }
}

//! The five entities as store actors.

use std::sync::Arc;

use crate::commands::Permit;
use crate::events::{ExecutionId, Seq, Store};

use super::super::entity::Surroundings;
use super::super::in_force::DecidedInForce;
use super::super::{audit_log, configuration, execution_log, runtime_metadata, telemetry};
use super::Deciding;
use super::saving::Saved;

impl Deciding for execution_log::State {
    const STORE: Store = Store::ExecutionLog;

    fn mark(&self) -> u64 {
        Self::mark(self)
    }

    fn committed(&mut self, mark: u64, seq: Seq) {
        Self::committed(self, mark, seq);
    }

    fn forget_through(&mut self, position: Seq) {
        Self::forget_through(self, position);
    }

    fn reissue(&self, execution: ExecutionId, around: &Surroundings<'_>) -> Option<Permit> {
        Self::reissue(self, execution, around)
    }

    fn saved(&self, forgotten: u64) -> Option<Saved> {
        Some(Saved::of(self, forgotten))
    }
}

impl Deciding for audit_log::State {
    const STORE: Store = Store::AuditLog;
}

impl Deciding for telemetry::State {
    const STORE: Store = Store::Telemetry;
}

impl Deciding for configuration::State {
    const STORE: Store = Store::Configuration;
    const PUBLISHES: bool = true;

    fn mark(&self) -> u64 {
        Self::mark(self)
    }

    fn committed(&mut self, mark: u64, seq: Seq) {
        Self::committed(self, mark, seq);
    }

    fn behind(&mut self, head: u64) {
        Self::behind(self, head);
    }

    fn publish(&self, in_force: &mut DecidedInForce) {
        in_force.configuration_version = self.configuration_version();
    }

    fn saved(&self, forgotten: u64) -> Option<Saved> {
        Some(Saved::of(self, forgotten))
    }
}

impl Deciding for runtime_metadata::State {
    const STORE: Store = Store::RuntimeMetadata;
    const PUBLISHES: bool = true;

    fn mark(&self) -> u64 {
        Self::mark(self)
    }

    fn committed(&mut self, mark: u64, seq: Seq) {
        Self::committed(self, mark, seq);
    }

    fn behind(&mut self, head: u64) {
        Self::behind(self, head);
    }

    fn publish(&self, in_force: &mut DecidedInForce) {
        in_force.registry = Arc::clone(&self.registry());
        in_force.closing = self.closing();
    }

    fn saved(&self, forgotten: u64) -> Option<Saved> {
        Some(Saved::of(self, forgotten))
    }
}

// SPDX-License-Identifier: Apache-2.0
//! The five entities as store actors.

use std::sync::Arc;

use crate::commands::{Command, Held};
use crate::error::AppendError;
use crate::events::{Decision, ExecutionId, Seq, Store};
use crate::integrity::digest;

use super::super::claims::Gist;
use super::super::decided_in_force::DecidedInForce;
use super::super::draft::{Draft, Reply};
use super::super::event_sourced::Surroundings;
use super::super::prepared::Earlier;
use super::super::snapshot::SavedState;
use super::super::{audit_log, configuration, execution_log, runtime_metadata, telemetry};
use super::{Deciding, Waits};

/// Of a state that counts what may have to be remembered, and is saved.
macro_rules! counted_and_saved {
    () => {
        fn mark(&self) -> u64 {
            Self::mark(self)
        }

        fn committed(&mut self, mark: u64, seq: Seq) {
            Self::committed(self, mark, seq);
        }

        fn saved(&self, forgotten: u64) -> Option<SavedState> {
            Some(SavedState::of(self, forgotten))
        }
    };
}

impl Deciding for execution_log::ExecutionLogState {
    const STORE: Store = Store::ExecutionLog;

    counted_and_saved!();

    fn forget_through(&mut self, position: Seq) {
        Self::forget_through(self, position);
    }

    fn repeated(
        &self,
        command: &Command,
        gist: Gist,
        around: &Surroundings<'_>,
    ) -> Result<Reply, AppendError> {
        match (command.parts().0, gist) {
            (
                _,
                Gist::Decided {
                    execution,
                    decision,
                    ..
                },
            ) => Self::repeated(self, execution, decision, around),
            // Only what was authorized can have been started.
            (Command::Start(_) | Command::StartApproved(_), Gist::Execution(execution)) => {
                Self::repeated(self, execution, Decision::Authorized, around)
            }
            (Command::RequestApproval(request), Gist::Execution(execution)) => Ok(Reply::Asked {
                execution,
                shown_digest: digest(&request.shown),
                standing: self.stands(execution, around)?,
            }),
            (Command::Approve(_), Gist::Execution(execution)) => Ok(Reply::GivenBefore {
                execution,
                standing: self.stands(execution, around)?,
            }),
            (_, gist) => Ok(gist.into()),
        }
    }

    fn let_go(&self, execution: ExecutionId, held: Held) -> Option<Draft> {
        Self::let_go(self, execution, held)
    }

    fn waits(&self) -> Waits {
        Waits {
            count: self.awaiting(),
            first_deadline_ns: self.first_deadline_ns(),
        }
    }

    fn overdue(&self, now_ns: i64, most: usize) -> Vec<ExecutionId> {
        Self::overdue(self, now_ns, most)
    }

    fn expire(&self, execution: ExecutionId) -> Vec<Draft> {
        Self::expire(self, execution)
    }
}

impl Deciding for audit_log::AuditLogState {
    const STORE: Store = Store::AuditLog;
}

impl Deciding for telemetry::TelemetryState {
    const STORE: Store = Store::Telemetry;
}

impl Deciding for configuration::ConfigurationState {
    const STORE: Store = Store::Configuration;
    const PUBLISHES: bool = true;

    counted_and_saved!();

    fn behind(&mut self, head: u64) {
        Self::behind(self, head);
    }

    fn earlier(&self, document: &str, version: u64) -> Earlier {
        Self::earlier(self, document, version)
    }

    fn publish(&self, in_force: &mut DecidedInForce) {
        in_force.configuration_version = self.configuration_version();
        in_force.document_streams = self.streams();
    }
}

impl Deciding for runtime_metadata::RuntimeMetadataState {
    const STORE: Store = Store::RuntimeMetadata;
    const PUBLISHES: bool = true;

    counted_and_saved!();

    fn behind(&mut self, head: u64) {
        Self::behind(self, head);
    }

    fn publish(&self, in_force: &mut DecidedInForce) {
        in_force.registry = Arc::clone(&self.registry());
        in_force.closing = self.closing();
    }
}

// SPDX-License-Identifier: Apache-2.0
//! A component's handles: one per store, made from its grant. What takes time is asynchronous;
//! dropping a call's future drops the wait, not the command.

mod approval;
mod audit_log;
mod awaiting;
mod configuration;
mod entries;
mod execution_log;
mod executions;
mod handle;
mod running;
mod runtime_metadata;
mod telemetry;
mod to_caller;
mod watch;

pub use audit_log::AuditLog;
pub use awaiting::{Awaiting, AwaitingQuery};
pub use configuration::Configuration;
pub use execution_log::ExecutionLog;
pub use executions::ExecutionQuery;
pub(super) use handle::{Handle, handle};
pub use running::{Answer, Begun, CommitError, Committed, FinishError, Running, Started};
pub use runtime_metadata::RuntimeMetadata;
pub use telemetry::Telemetry;
pub use watch::Watch;

#[cfg(test)]
mod tests;

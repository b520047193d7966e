// SPDX-License-Identifier: Apache-2.0
//! Values of labels: each list is all there is.

use crate::events::Store;

pub(super) const STORES: &[&str] = &[
    Store::ExecutionLog.name(),
    Store::AuditLog.name(),
    Store::Telemetry.name(),
    Store::Configuration.name(),
    Store::RuntimeMetadata.name(),
];
pub(super) const VIEWS: &[&str] = &[
    "configuration",
    "runtime_metadata",
    "executions",
    "indexes",
    "tree",
];
/// What the embedder's code is called for.
pub(super) const CALLBACKS: &[&str] = &[
    "redactor",
    "validator",
    "clock",
    "entropy",
    "space",
    "projection",
    "destination",
    "transport",
    "signer",
    "listener",
];
/// Codes of `AppendError` that say *nothing was written*, and those of a witness's refusals.
pub(super) const REASONS: &[&str] = &[
    "invalid",
    "invalid_json",
    "too_large",
    "commit_too_large",
    "busy",
    "quota_exceeded",
    "too_many_components",
    "foreign_grant",
    "grant_revoked",
    "not_granted",
    "foreign_execution",
    "unknown_execution",
    "invalid_transition",
    "version_conflict",
    "position_conflict",
    "position_beyond_head",
    "permit_stale",
    "capability_not_enabled",
    "idempotency_conflict",
    "partial_idempotency",
    "group_conflict",
    "cross_store",
    "rejected",
    "callback_failed",
    "callback_timeout",
    "recovering",
    "view_lag",
    "history_unreadable",
    "shutting_down",
    "stopped",
    "disk_reserve",
    "no_randomness",
    "sealed",
    "witness_request",
    "witness_checkpoint",
    "witness_sizes",
    "witness_unknown_log",
    "witness_unsigned",
    "witness_conflict",
    "witness_rollback",
    "witness_other_history",
    "witness_inconsistent",
];
/// What runs for a ledger: see `vitals`.
pub(super) const PARTS: &[&str] = &[
    "writer",
    "watchdog",
    "sequencer",
    "execution_log",
    "audit_log",
    "telemetry",
    "configuration",
    "runtime_metadata",
    "emitting",
    "ticks",
    "space",
    "scrub",
    "snapshots",
    "checkpoints",
];

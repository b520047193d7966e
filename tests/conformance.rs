// SPDX-License-Identifier: Apache-2.0
//! Tests per requirement, named after its id. The ids, and what of them is yet to come, are in
//! `tests/conformance/ids.rs`; the tests lie beside it, by subject.

#![cfg(feature = "engine")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic and look at the clock, its helpers too"
)]

#[path = "conformance/access.rs"]
mod access;
#[path = "conformance/approval.rs"]
mod approval;
#[path = "conformance/approval_later.rs"]
mod approval_later;
#[path = "conformance/asking.rs"]
mod asking;
#[path = "conformance/audit.rs"]
mod audit;
#[path = "conformance/clock.rs"]
mod clock;
#[path = "conformance/components.rs"]
mod components;
#[path = "conformance/configuration.rs"]
mod configuration;
#[path = "conformance/copies.rs"]
mod copies;
#[path = "conformance/crypto.rs"]
mod crypto;
#[path = "conformance/delegation.rs"]
mod delegation;
#[path = "conformance/durability.rs"]
mod durability;
#[path = "conformance/executions.rs"]
mod executions;
#[path = "conformance/export.rs"]
mod export;
#[path = "shared/held.rs"]
mod held;
#[path = "conformance/ids.rs"]
mod ids;
#[path = "conformance/integrity.rs"]
mod integrity;
#[path = "conformance/keys.rs"]
mod keys;
#[path = "conformance/limits.rs"]
mod limits;
#[path = "conformance/load.rs"]
mod load;
#[path = "conformance/observability.rs"]
mod observability;
#[path = "conformance/pace.rs"]
mod pace;
#[path = "conformance/recovery.rs"]
mod recovery;
#[path = "shared/standing.rs"]
mod standing;
#[path = "conformance/subjects.rs"]
mod subjects;
#[path = "conformance/support.rs"]
mod support;
#[path = "conformance/tamper.rs"]
mod tamper;
#[path = "conformance/telemetry.rs"]
mod telemetry;
#[path = "conformance/vouched.rs"]
mod vouched;

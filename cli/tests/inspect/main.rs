// SPDX-License-Identifier: Apache-2.0
//! `femtoclaw-ledger inspect` and `salvage`: what they say of whole ledgers and of damaged ones, and how they end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod approvals;
mod checkpoints;
#[path = "../../../tests/journal/fixtures.rs"]
#[allow(dead_code, reason = "not all of it is used here")]
mod fixtures;
mod program;
#[path = "../../../tests/readonly/scene.rs"]
#[allow(dead_code, reason = "not all of it is used here")]
mod scene;

// SPDX-License-Identifier: Apache-2.0
//! The verifier, as an auditor meets it: an export, a proof, a checkpoint and public keys; the
//! program `femtoclaw-ledger verify`, and a program in Go that shares no code with it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod attacks;
#[cfg(feature = "engine")]
mod evidence;
mod foreign;
mod golden;
#[cfg(feature = "engine")]
mod growing;
#[cfg(feature = "engine")]
mod keys;
#[cfg(feature = "engine")]
mod live;
mod program;
#[cfg(feature = "engine")]
#[path = "../../../tests/shared/mod.rs"]
mod shared;
mod support;

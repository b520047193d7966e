//! The verifier, as an auditor meets it: an export, a proof, a checkpoint and public keys; the
//! program `femtoclaw-ledger verify`, and a program in Go that shares no code with it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod attacks;
mod evidence;
mod foreign;
mod growing;
mod keys;
mod live;
mod program;
#[path = "../../../tests/shared/mod.rs"]
mod shared;
mod support;

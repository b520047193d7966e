// SPDX-License-Identifier: Apache-2.0
//! The embedder's code: what each callback does when it panics, gives an error or nonsense, does not
//! come back, or calls back into the ledger — and what goes on meanwhile. One file for each kind.
//!
//! Validators and the redaction have tests of their own.

#![cfg(feature = "engine")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "../shared/child.rs"]
mod child;
#[path = "../shared/mod.rs"]
mod shared;

mod abort;
mod copies;
mod listener;
mod projection;
mod scene;
mod space;
mod vital;

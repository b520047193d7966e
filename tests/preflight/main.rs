// SPDX-License-Identifier: Apache-2.0
//! What is found in a journal's files before the engine opens them, with files damaged on purpose.

#![cfg(feature = "engine")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../journal/fixtures.rs"]
#[allow(dead_code, reason = "not all of it is used here")]
mod fixtures;
mod scene;
mod structure;
mod wal;

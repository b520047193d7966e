// SPDX-License-Identifier: Apache-2.0
//! The journal, its frames, its writer, and the directory it lies in.

#![cfg(feature = "engine")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod conformance;
mod directory;
mod fixtures;
mod frames;
#[path = "../shared/held.rs"]
mod held;
mod on_disk;
mod reader;
mod writer;

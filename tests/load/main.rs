// SPDX-License-Identifier: Apache-2.0
//! Many at once, many in all, too many, and none at all: §19.
//!
//! `tests/conformance/load.rs` has one of each in short; here are the figures. The memory test has a
//! long form: `FEMTOCLAW_LEDGER_LOAD_EXECUTIONS=1000000`, with `--release`.

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

/// Counts what is allocated.
#[global_allocator]
static ALLOCATED: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

mod idle;
mod lag;
mod many;
mod memory;
mod overload;
mod oversize;
mod scene;

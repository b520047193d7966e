// SPDX-License-Identifier: Apache-2.0
//! Ledgers opened for reading only, and salvaged: whole ones, and ones damaged on purpose.

#![cfg(feature = "engine")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../shared/child.rs"]
mod child;
mod damage;
mod empty;
#[path = "../journal/fixtures.rs"]
#[allow(dead_code, reason = "not all of it is used here")]
mod fixtures;
mod forged;
mod later;
mod reading;
mod refusals;
mod salvage;
mod scene;
mod signed;

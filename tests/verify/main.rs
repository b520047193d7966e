// SPDX-License-Identifier: Apache-2.0
//! Verification of a whole ledger, on demand and in the background: what is damaged is named, every
//! kind of file and record, and nothing is changed but views, which are made again.

#![cfg(feature = "engine")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "../shared/mod.rs"]
mod shared;

mod closes;
mod files;
mod frames;
mod headers;
mod records;
mod scene;
mod scrub;
mod views;

//! Waiting, cancelling, closing: no thread is held by what waits, what is dropped half-way leaves
//! nothing behind, and a close keeps its deadline.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "../shared/mod.rs"]
mod shared;

mod followers;

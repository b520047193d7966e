//! Views: what they answer, and that they are nothing but the journal read in order.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod as_of;
mod damage;
mod executions;
mod indexes;
mod rebuild;
mod subscription;
mod support;
mod tree;

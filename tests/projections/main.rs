// SPDX-License-Identifier: Apache-2.0
//! Views: what they answer, and that they are nothing but the journal read in order.

#![cfg(feature = "engine")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../shared/child.rs"]
mod child;

mod approvals;
mod as_of;
mod closing;
mod damage;
mod executions;
mod found;
mod indexes;
mod ranges;
mod rebuild;
mod refused;
mod scan;
mod subscription;
mod support;
mod tree;

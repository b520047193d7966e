// SPDX-License-Identifier: Apache-2.0
//! What the system refuses is no damage: few descriptors, another directory, a volume of somebody
//! else's; and what the engine gets wrong by itself.

#![cfg(feature = "engine")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../shared/child.rs"]
mod child;
#[path = "../shared/mod.rs"]
mod shared;

mod descriptors;
mod directory;
mod engine;
mod journal_end;
mod randomness;
mod scene;
mod sealed;

// SPDX-License-Identifier: Apache-2.0
//! Bad input of every kind: a typed error, and nothing written.

#![cfg(feature = "engine")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic, its helpers too"
)]

#[path = "bad_input/commands.rs"]
mod commands;
#[path = "shared/held.rs"]
mod held;
#[path = "bad_input/opening.rs"]
mod opening;
#[path = "bad_input/scene.rs"]
mod scene;

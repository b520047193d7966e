// SPDX-License-Identifier: Apache-2.0
//! From opening to closing, and opening again.

pub(super) mod close;
pub(super) mod deadline;
pub(super) mod end;
pub(super) mod ending;
pub(super) mod open;
pub(super) mod opened;
pub(super) mod released;
pub(super) mod reopen;
pub(super) mod start_actors;
pub(super) mod stopped;
mod tails;

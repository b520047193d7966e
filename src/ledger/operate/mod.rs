// SPDX-License-Identifier: Apache-2.0
//! What an operator comes for: health, checks of an open ledger, a ledger that is only read, salvage.

pub(super) mod health;
pub(super) mod online_check;
pub(super) mod read_only;
pub(super) mod salvage;
pub(super) mod scrub;
pub(super) mod verify;

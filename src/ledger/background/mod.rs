// SPDX-License-Identifier: Apache-2.0
//! What runs beside the commands as long as the ledger is open.

mod emit_buffer;
pub(super) mod expiry;
pub(super) mod restarted_task;
pub(super) mod tasks;

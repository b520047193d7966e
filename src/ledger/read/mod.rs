// SPDX-License-Identifier: Apache-2.0
//! Reads: of records, of views, of what lies before the window.

pub(super) mod follow;
pub(super) mod history_lookup;
pub(super) mod reads;
pub(super) mod reconstruct;
pub(super) mod view_waits;
pub(super) mod views;

// SPDX-License-Identifier: Apache-2.0
//! What an opening finds: the journal under its lock, what must be known of it, saved states, replay, the note of a failure.

pub(super) mod caller_gone;
pub(super) mod failure_note;
pub(super) mod kinds;
pub(super) mod locked_journal;
pub(super) mod recovery;
pub(super) mod replay;
pub(super) mod saved_states;
pub(super) mod snapshots;
pub(super) mod subjects;

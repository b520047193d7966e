// SPDX-License-Identifier: Apache-2.0
//! What runs for an open ledger, and must be closed in order.

use std::sync::Arc;

use crate::actors::Actors;
use crate::journal::{Journal, Writer};
use crate::projections::Views;

use super::recover::locked_journal::LockedJournal;

/// What must be closed in order.
pub(crate) struct LedgerParts {
    pub(crate) actors: Actors,
    pub(crate) writer: Writer,
    pub(crate) views: Views,
    pub(crate) journal: Arc<dyn Journal>,
    /// The same, where it is the directory's own.
    pub(crate) locked_journal: Option<Arc<LockedJournal>>,
}

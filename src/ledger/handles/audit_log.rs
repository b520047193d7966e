// SPDX-License-Identifier: Apache-2.0
//! The audit log's handle (FC-STORAGE §6).

use super::handle::Handle;
use crate::commands::{AuditEntry, Command, Receipt};
use crate::error::AppendError;

/// The audit log (FC-STORAGE §6).
///
/// Example: [`redaction`](crate::redaction).
#[derive(Clone)]
pub struct AuditLog(pub(in crate::ledger) Handle);

impl AuditLog {
    /// Records an audit event.
    ///
    /// Cancelled before it is on its way it leaves nothing; after that it may be committed, which
    /// its command id tells ([`Ledger::lookup`](crate::Ledger::lookup)).
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn record(&self, entry: AuditEntry) -> Result<Receipt, AppendError> {
        self.0.receipt(Command::Audit(entry)).await
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Errors as far as the model can know them.

use femtoclaw_ledger::AppendError;
use femtoclaw_ledger::error::ApprovalError;

/// Without what is said for people.
pub(crate) fn plain(error: AppendError) -> AppendError {
    let problem = String::new();
    match error {
        AppendError::Invalid { field, .. } => AppendError::Invalid { field, problem },
        AppendError::InvalidJson { field, .. } => AppendError::InvalidJson { field, problem },
        AppendError::InvalidTransition { from, to, .. } => {
            let hint = "";
            AppendError::InvalidTransition { from, to, hint }
        }
        AppendError::Approval(error) => AppendError::Approval(without_hint(error)),
        AppendError::Rejected { document, .. } => AppendError::Rejected {
            document,
            validator: String::new(),
            problem,
        },
        AppendError::CommitTooLarge {
            records,
            records_max,
            ..
        } => AppendError::CommitTooLarge {
            records,
            records_max,
            bytes: 0,
            bytes_max: 0,
        },
        // The model does not see the ledger's own records.
        AppendError::PositionBeyondHead { seq, .. } => {
            AppendError::PositionBeyondHead { seq, head: 0 }
        }
        other => other,
    }
}

fn without_hint(error: ApprovalError) -> ApprovalError {
    let hint = "";
    match error {
        ApprovalError::BasisMoved {
            execution,
            what,
            asked,
            in_force,
            ..
        } => ApprovalError::BasisMoved {
            execution,
            what,
            asked,
            in_force,
            hint,
        },
        other => other,
    }
}

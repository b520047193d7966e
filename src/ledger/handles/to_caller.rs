// SPDX-License-Identifier: Apache-2.0
//! Answers, with what they give into the caller's hands.

use crate::actors::{Answered, Answers, Refusal, Reply};
use crate::commands::{ApprovalAsked, ApprovalOutcome, Changed, Denied, Duplicate, Receipt};
use crate::error::AppendError;
use crate::events::{Decision, ExecutionId};

use super::handle::Handle;
use super::running::{Answer, CommitError, Committed, Running};

impl Handle {
    /// An answer, with what it gives into the caller's hands. Where it fits nothing, it lets go.
    pub(super) fn answer(&self, answered: Answered) -> Result<Answer, AppendError> {
        let Answered {
            receipt,
            reply,
            hold,
        } = answered;
        Ok(match reply {
            Reply::Decided {
                execution,
                decision,
                permit,
                started,
            } => match (permit, started) {
                (Some(mut permit), _) => {
                    permit.hold = hold;
                    Answer::Authorized { permit, receipt }
                }
                (None, true) => {
                    Answer::Running(Running::new(self.clone(), execution, receipt, hold))
                }
                (None, false) if decision != Decision::Authorized => Answer::Denied(Denied {
                    execution,
                    receipt,
                    decision,
                }),
                (None, false) => return Err(misfit(receipt)),
            },
            Reply::Repeated {
                execution,
                decision,
                standing,
                mut permit,
            } => {
                if let Some(permit) = &mut permit {
                    permit.hold = hold;
                }
                Answer::Duplicate(Duplicate {
                    execution,
                    receipt,
                    decision,
                    standing,
                    permit,
                })
            }
            Reply::Execution(execution) => match hold {
                Some(hold) => {
                    Answer::Running(Running::new(self.clone(), execution, receipt, Some(hold)))
                }
                None => Answer::Recorded(receipt),
            },
            reply @ (Reply::Asked { .. } | Reply::Given { .. } | Reply::GivenBefore { .. }) => {
                of_persons(receipt, &reply)
            }
            Reply::Changed { version } => Answer::Changed(Changed { version, receipt }),
            Reply::Receipt => Answer::Recorded(receipt),
        })
    }

    /// The answers to a group that was one commit.
    pub(in crate::ledger) fn committed(
        &self,
        answers: Result<Answers, Refusal>,
    ) -> Result<Option<Committed>, CommitError> {
        let unknown = |error| CommitError {
            error,
            commands: Vec::new(),
        };
        let answers = answers.map_err(|Refusal { error, commands }| match error {
            AppendError::OutcomeUnknown { .. } => unknown(error),
            error => {
                let commands = commands.into_vec();
                CommitError { error, commands }
            }
        })?;
        let ends = answers.first().zip(answers.last());
        let Some(receipt) = ends.map(|(first, last)| Receipt {
            last: last.receipt.last,
            ..first.receipt
        }) else {
            return Ok(None);
        };
        let answers = answers.into_iter().map(|answered| self.answer(answered));
        let answers = answers.collect::<Result<_, _>>().map_err(unknown)?;
        Ok(Some(Committed { receipt, answers }))
    }
}

/// The answer to a request to persons, or to what one of them said.
const fn of_persons(receipt: Receipt, reply: &Reply) -> Answer {
    Answer::Approval(match *reply {
        Reply::Asked {
            execution,
            shown_digest,
            standing,
        } => {
            return Answer::Asked(ApprovalAsked {
                execution,
                receipt,
                shown_digest,
                standing,
            });
        }
        Reply::Given {
            execution,
            given,
            needed,
        } if given < needed => ApprovalOutcome::Counted {
            execution,
            receipt,
            given,
            needed,
        },
        Reply::Given { execution, .. } => ApprovalOutcome::Approved { execution, receipt },
        Reply::GivenBefore {
            execution,
            standing,
        } => ApprovalOutcome::Duplicate {
            execution,
            receipt,
            standing,
        },
        _ => return Answer::Recorded(receipt),
    })
}

/// An answer that does not fit its command would be a defect of ours: nobody can say what it means.
pub(super) const fn misfit(receipt: Receipt) -> AppendError {
    AppendError::OutcomeUnknown {
        command: receipt.command,
    }
}

pub(super) fn execution_of(answered: &Answered) -> Result<ExecutionId, AppendError> {
    match answered.reply {
        Reply::Execution(execution) => Ok(execution),
        _ => Err(misfit(answered.receipt)),
    }
}

// SPDX-License-Identifier: Apache-2.0
//! One commit to the ledger: a single command through its store's handle, a group through `commit`.

use femtoclaw_ledger::{
    AppendError, Context, Grant, Ledger, Receipt, Running, Started,
    execution_log::{ApprovalOutcome, Ending, Permit, StartError},
    group::{Answer as Given, Command, CommitError, Committed},
};

use super::concrete::Concrete;
use super::reference::{Placed, Reply};

pub(crate) struct Answer {
    pub(crate) receipt: Receipt,
    /// Not known of a group.
    pub(crate) reply: Option<Reply>,
    pub(crate) permit: Option<Permit>,
}

impl Answer {
    fn new(receipt: Receipt, reply: Reply) -> Self {
        Self {
            receipt,
            reply: Some(reply),
            permit: None,
        }
    }

    pub(crate) fn placed(&self) -> Placed {
        Placed {
            first: self.receipt.first.get(),
            last: self.receipt.last.get(),
            time_ns: self.receipt.time_ns,
        }
    }
}

/// The receipt of the whole group. What it started goes on running, and what it authorized stays so for the rest of
/// the sequence: the model holds no permit of a group.
fn whole(committed: Committed) -> Receipt {
    for answer in committed.answers {
        match answer {
            Given::Running(running) => drop(running.detach()),
            Given::Authorized { permit, .. } => std::mem::forget(permit),
            Given::Duplicate(it) => std::mem::forget(it.permit),
            _ => {}
        }
    }
    committed.receipt
}

type Answered = Result<Answer, AppendError>;

pub(crate) struct Sender<'a> {
    pub(crate) ledger: &'a Ledger,
    pub(crate) grant: &'a Grant,
}

impl Sender<'_> {
    pub(crate) async fn group(
        &self,
        group: Vec<Concrete>,
        permits: Vec<Option<Permit>>,
    ) -> (Result<Option<Answer>, AppendError>, Vec<Permit>) {
        let commands = group.into_iter().zip(permits);
        let commands = commands.map(|(concrete, permit)| concrete.command(permit));
        let answer = self.ledger.commit(self.grant, commands.collect()).await;
        let answer = answer.map(|committed| {
            committed.map(|committed| Answer {
                receipt: whole(committed),
                reply: None,
                permit: None,
            })
        });
        match answer {
            Ok(answer) => (Ok(answer), Vec::new()),
            Err(CommitError { error, commands }) => {
                let permits = commands.into_iter().filter_map(|command| match command {
                    Command::Start(start) => Some(start.permit),
                    _ => None,
                });
                (Err(error), permits.collect())
            }
        }
    }

    /// The answer, and the permit where it came back.
    pub(crate) async fn one(
        &self,
        concrete: Concrete,
        permit: Option<Permit>,
    ) -> (Result<Option<Answer>, AppendError>, Vec<Permit>) {
        if let (Concrete::Start(it), Some(permit)) = (&concrete, permit) {
            return self.start(it.context.clone(), permit).await;
        }
        (self.plain(concrete).await.map(Some), Vec::new())
    }

    async fn start(
        &self,
        context: Context,
        permit: Permit,
    ) -> (Result<Option<Answer>, AppendError>, Vec<Permit>) {
        let log = match self.ledger.execution_log(self.grant) {
            Ok(log) => log,
            Err(error) => return (Err(error.into()), vec![permit]),
        };
        match log.start(permit, context).await {
            Ok(started) => {
                let (receipt, execution) = match started {
                    Started::Running(it) => (it.receipt(), it.detach()),
                    Started::Duplicate(it) => (it.receipt, it.execution),
                };
                let answer = Answer::new(receipt, Reply::Execution(execution));
                (Ok(Some(answer)), Vec::new())
            }
            Err(StartError { error, permit }) => (Err(error), permit.into_iter().collect()),
        }
    }

    async fn plain(&self, concrete: Concrete) -> Answered {
        let simple = |receipt| Answer::new(receipt, Reply::Receipt);
        match concrete {
            Concrete::Audit(it) => {
                let log = self.ledger.audit_log(self.grant)?;
                log.record(it).await.map(simple)
            }
            Concrete::Observe(it) => {
                let telemetry = self.ledger.telemetry(self.grant)?;
                telemetry.record(it).await.map(simple)
            }
            Concrete::Change(it) => {
                let changed = self.ledger.configuration(self.grant)?.change(it).await?;
                Ok(Answer::new(
                    changed.receipt,
                    Reply::Changed(changed.version),
                ))
            }
            Concrete::Rollback(it) => {
                let changed = self.ledger.configuration(self.grant)?.rollback(it).await?;
                Ok(Answer::new(
                    changed.receipt,
                    Reply::Changed(changed.version),
                ))
            }
            other if other.store() == femtoclaw_ledger::events::Store::ExecutionLog => {
                self.execution(other).await
            }
            other => self.metadata(other).await.map(simple),
        }
    }

    async fn execution(&self, concrete: Concrete) -> Answered {
        let log = self.ledger.execution_log(self.grant)?;
        match concrete {
            Concrete::Authorize(it) => {
                let it = log.authorize(it).await?;
                let (execution, decision, receipt) = (it.execution(), it.decision(), it.receipt());
                let permit = it.permit().ok();
                let reply = Reply::Decided {
                    execution,
                    decision: decision.code(),
                    started: false,
                    permit: permit.is_some(),
                };
                Ok(Answer {
                    permit,
                    ..Answer::new(receipt, reply)
                })
            }
            Concrete::Begin(it) => {
                let it = log.begin(it).await?;
                let reply = Reply::Decided {
                    execution: it.execution(),
                    decision: it.decision().code(),
                    started: it.is_started(),
                    permit: false,
                };
                let receipt = it.receipt();
                // What it started goes on running: the model ends it by its id.
                let _running = it.started().map(Running::detach);
                Ok(Answer::new(receipt, reply))
            }
            Concrete::Reject(it) => {
                let it = log.reject(it).await?;
                Ok(Answer::new(it.receipt, Reply::Execution(it.execution)))
            }
            Concrete::Import(it) => {
                let it = log.record(it).await?;
                Ok(Answer::new(it.receipt, Reply::Execution(it.execution)))
            }
            Concrete::Resolve(it) => {
                let receipt = log.resolve(it.execution, it.context, it.resolve).await?;
                Ok(Answer::new(receipt, Reply::Execution(it.execution)))
            }
            Concrete::Finish(it) => {
                let (execution, context) = (it.execution, it.context);
                let receipt = match it.ending {
                    Ending::Completed(result) => log.complete(execution, context, result).await?,
                    Ending::Failed(failure) => log.fail(execution, context, failure).await?,
                    Ending::Cancelled(reason) => log.cancel(execution, context, reason).await?,
                };
                Ok(Answer::new(receipt, Reply::Execution(execution)))
            }
            other => self.approval(other).await,
        }
    }

    async fn approval(&self, concrete: Concrete) -> Answered {
        let log = self.ledger.execution_log(self.grant)?;
        let (receipt, execution) = match concrete {
            Concrete::RequestApproval(it) => {
                let it = log.request_approval(it).await?;
                (it.receipt, it.execution)
            }
            Concrete::Approve(it) => {
                let it = log.approve(it.execution, it.context, it.approval).await?;
                let reply = match it {
                    ApprovalOutcome::Counted { given, needed, .. } => Some((given, needed)),
                    ApprovalOutcome::Approved { .. } => None,
                    ApprovalOutcome::Duplicate { .. } => None,
                };
                let reply = Reply::Given(it.execution(), reply);
                return Ok(Answer::new(it.receipt(), reply));
            }
            Concrete::RefuseApproval(it) => {
                let refused = log.refuse_approval(it.execution, it.context, it.refusal);
                (refused.await?, it.execution)
            }
            Concrete::ConfirmApproval(it) => {
                let confirmed = log.confirm_approval(it.execution, it.context, it.basis, it.reason);
                (confirmed.await?, it.execution)
            }
            Concrete::StartApproved(it) => {
                match log.start_approved(it.execution, it.context).await? {
                    Started::Running(it) => (it.receipt(), it.detach()),
                    Started::Duplicate(it) => (it.receipt, it.execution),
                }
            }
            other => panic!("no command of the execution log: {other:?}"),
        };
        Ok(Answer::new(receipt, Reply::Execution(execution)))
    }

    async fn metadata(&self, concrete: Concrete) -> Result<Receipt, AppendError> {
        let metadata = self.ledger.runtime_metadata(self.grant)?;
        match concrete {
            Concrete::Identify(it) => metadata.identify(it.runtime, it.version, it.context).await,
            Concrete::SetModule(it) => metadata.set_module(it).await,
            Concrete::RemoveModule(it) => metadata.remove_module(it).await,
            // The handle's method knows no expected version.
            Concrete::RegisterCapability(it) if it.expected_version.is_none() => {
                metadata
                    .register(&it.capability, it.definition, it.context)
                    .await
            }
            Concrete::RegisterCapability(it) => {
                let command = Concrete::RegisterCapability(it).command(None);
                let committed = self.ledger.commit(self.grant, vec![command]).await?;
                Ok(whole(committed.expect("a group of one has a receipt")))
            }
            Concrete::ChangeCapability(it) => metadata.change(it).await,
            Concrete::SwitchCapability(it) => metadata.switch(it).await,
            Concrete::UnregisterCapability(it) => metadata.unregister(it).await,
            Concrete::Transition(it) => metadata.transition(it.to, it.expected, it.context).await,
            Concrete::SavePosition(it) => {
                let (seq, expected) = (it.seq, it.expected);
                let saved = metadata.save_position(&it.name, seq, expected, it.context);
                saved.await
            }
            other => panic!("no command of the runtime metadata: {other:?}"),
        }
    }
}

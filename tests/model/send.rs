//! One commit to the ledger: a single command through its store's handle, a group through `commit`.

use femtoclaw_ledger::{AppendError, Context, Ending, Grant, Ledger, Permit, Receipt, StartError};

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
    ) -> (Result<Option<Answer>, AppendError>, Option<Permit>) {
        let commands = group.into_iter().zip(permits);
        let commands = commands.map(|(concrete, permit)| concrete.command(permit));
        let answer = self.ledger.commit(self.grant, commands.collect()).await;
        let answer = answer.map(|receipt| {
            receipt.map(|receipt| Answer {
                receipt,
                reply: None,
                permit: None,
            })
        });
        (answer, None)
    }

    /// The answer, and the permit where it came back.
    pub(crate) async fn one(
        &self,
        concrete: Concrete,
        permit: Option<Permit>,
    ) -> (Result<Option<Answer>, AppendError>, Option<Permit>) {
        if let (Concrete::Start(it), Some(permit)) = (&concrete, permit) {
            return self.start(it.context, permit).await;
        }
        (self.plain(concrete).await.map(Some), None)
    }

    async fn start(
        &self,
        context: Context,
        permit: Permit,
    ) -> (Result<Option<Answer>, AppendError>, Option<Permit>) {
        let log = match self.ledger.execution_log(self.grant) {
            Ok(log) => log,
            Err(error) => return (Err(error.into()), Some(permit)),
        };
        match log.start(permit, context).await {
            Ok(it) => {
                let answer = Answer::new(it.receipt, Reply::Execution(it.execution));
                (Ok(Some(answer)), None)
            }
            Err(StartError { error, permit }) => (Err(error), permit),
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
                let reply = Reply::Decided {
                    execution: it.execution,
                    decision: it.decision.code(),
                    started: false,
                    permit: it.permit.is_some(),
                };
                let permit = it.permit;
                Ok(Answer {
                    permit,
                    ..Answer::new(it.receipt, reply)
                })
            }
            Concrete::Begin(it) => {
                let it = log.begin(it).await?;
                let reply = Reply::Decided {
                    execution: it.execution,
                    decision: it.decision.code(),
                    started: it.started,
                    permit: false,
                };
                Ok(Answer::new(it.receipt, reply))
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
            other => panic!("no command of the execution log: {other:?}"),
        }
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
                let receipt = self.ledger.commit(self.grant, vec![command]).await?;
                Ok(receipt.expect("a group of one has a receipt"))
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

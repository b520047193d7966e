// SPDX-License-Identifier: Apache-2.0
//! One of those who write at the same time: every kind of command, contents that follow from the ids.

use femtoclaw_ledger::events::{AuditFamily, CommandId, Outcome, TelemetryKind};
use femtoclaw_ledger::{
    AppendError, AuditEntry, Change, Context, Decision, Grant, Ledger, Observation, Receipt,
    Request, group::Command,
};

use super::content::{Id, content, hex, id};
use super::{Args, Load, one_line, tell};
use crate::random::Random;

/// One of those who write at the same time.
pub(super) struct Caller {
    ledger: Ledger,
    grant: Grant,
    run: u32,
    caller: u32,
    number: u64,
    is_large: bool,
    random: Random,
}

impl Caller {
    pub(super) fn new(args: &Args, caller: u32, ledger: &Ledger, grant: &Grant) -> Self {
        Self {
            ledger: ledger.clone(),
            grant: grant.clone(),
            run: args.run,
            caller,
            number: 0,
            is_large: args.load == Load::Large,
            random: Random::new(u64::from(args.run) << 32 | u64::from(caller)),
        }
    }

    fn id(&mut self, is_large: bool) -> Id {
        self.number += 1;
        id(self.run, self.caller, self.number, is_large)
    }

    pub(super) async fn write(mut self, each: u64) {
        for _ in 0..each {
            if !self.one().await {
                return;
            }
        }
    }

    /// False after a failure: what is not known is not tried again here.
    async fn one(&mut self) -> bool {
        if self.is_large {
            return self.audit(true).await;
        }
        match self.random.below(100) {
            0..45 => self.audit(false).await,
            45..65 => self.execute().await,
            65..85 => self.observe().await,
            85..90 => self.configure().await,
            _ => self.group().await,
        }
    }

    fn told(id: &Id, outcome: Result<Receipt, AppendError>) -> bool {
        match outcome {
            Ok(receipt) => {
                let (first, last) = (receipt.first, receipt.last);
                tell(format_args!("ack {} {first} {last}", hex(id)));
                true
            }
            Err(error) => {
                tell(format_args!(
                    "failed {} {} {}",
                    hex(id),
                    error.code(),
                    one_line(&error)
                ));
                false
            }
        }
    }

    fn entry(id: &Id) -> AuditEntry {
        AuditEntry {
            context: Context::new().command(CommandId::from_bytes(*id)),
            family: AuditFamily::Lifecycle,
            action: "written".into(),
            subject: String::new(),
            outcome: Outcome::Success,
            execution: None,
            detail: content(id),
        }
    }

    async fn audit(&mut self, is_large: bool) -> bool {
        let id = self.id(is_large);
        let Ok(log) = self.ledger.audit_log(&self.grant) else {
            return false;
        };
        Self::told(&id, log.record(Self::entry(&id)).await)
    }

    /// Three commands, all or nothing; acknowledged under the first one's id, found one by one.
    async fn group(&mut self) -> bool {
        let ids = [self.id(false), self.id(false), self.id(false)];
        let commands = ids
            .iter()
            .map(|id| Command::Audit(Self::entry(id)))
            .collect();
        match self.ledger.commit(&self.grant, commands).await {
            Ok(Some(committed)) => {
                let first = committed.receipt.first.get();
                for (id, at) in ids.iter().zip(first..) {
                    tell(format_args!("ack {} {at} {at}", hex(id)));
                }
                true
            }
            Ok(None) => false,
            Err(error) => Self::told(&ids[0], Err(error.into())),
        }
    }

    async fn execute(&mut self) -> bool {
        let (id, end) = (self.id(false), self.id(false));
        let Ok(log) = self.ledger.execution_log(&self.grant) else {
            return false;
        };
        let request = Request {
            context: Context::new().command(CommandId::from_bytes(id)),
            execution: None,
            input: None,
            capability: "message".into(),
            arguments: content(&id),
            decision: Decision::Authorized,
            reason: String::new(),
            basis: self.ledger.in_force().basis(),
        };
        let begun = match log.begin(request).await {
            Ok(begun) => begun,
            // The configuration moved in between: nothing was written.
            Err(error) if error.code() == "permit_stale" => return true,
            Err(error) => return Self::told(&id, Err(error)),
        };
        Self::told(&id, Ok(begun.receipt()));
        let Ok(running) = begun.started() else {
            return false;
        };
        let context = Context::new().command(CommandId::from_bytes(end));
        let done = running.complete(context, content(&end)).await;
        Self::told(&end, done.map_err(Into::into))
    }

    async fn observe(&mut self) -> bool {
        let id = self.id(false);
        let Ok(telemetry) = self.ledger.telemetry(&self.grant) else {
            return false;
        };
        let observation = Observation {
            context: Context::new().command(CommandId::from_bytes(id)),
            kind: TelemetryKind::Execution,
            name: "seen".into(),
            observed_ns: None,
            execution: None,
            outcome: Outcome::Neutral,
            attributes: content(&id),
        };
        Self::told(&id, telemetry.record(observation).await)
    }

    async fn configure(&mut self) -> bool {
        let id = self.id(false);
        let Ok(configuration) = self.ledger.configuration(&self.grant) else {
            return false;
        };
        let change = Change {
            context: Context::new().command(CommandId::from_bytes(id)),
            document: format!("document {}", self.caller % 3),
            content: content(&id),
            author: "load".into(),
            reason: "it is time".into(),
            expected_version: None,
        };
        let changed = configuration.change(change).await;
        Self::told(&id, changed.map(|changed| changed.receipt))
    }
}

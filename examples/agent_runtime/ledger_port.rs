// SPDX-License-Identifier: Apache-2.0
//! Every call into the ledger, in one place: what a runtime that embeds it has to write. What a person is asked is in
//! `payment.rs`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::events::{
    AuditFamily, CommandId, ExecutionId, Outcome, Resolution, State, TelemetryKind,
};
use femtoclaw_ledger::{
    AuditEntry, AuditLog, Begun, Change, Configuration, Context, ExecutionLog, Failure, Grant,
    Head, Ledger, Observation, Options, Quota, Rights, Root, Running, RuntimeMetadata, Telemetry,
    configuration::Validator,
    execution_log::{Rejection, Resolve},
    group::Command,
    runtime_metadata::Transition,
};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::acks::Ack;
use crate::effects;
use crate::first_run::first_run;
use crate::policy::{Document, Gate, Verdict};
use crate::problem::{Exit, Problem};
use crate::protocol::Request;
use crate::report::{Ending, Handled, Recovered, Registered, hex};

pub(crate) use femtoclaw_ledger::Basis;

/// The configuration document that the gate is built from.
const POLICY: &str = "policy";

/// A durable answer about one execution.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recorded {
    pub(crate) execution: ExecutionId,
    pub(crate) ack: Ack,
}

/// The open ledger and the handles that this runtime's grant gives.
pub(crate) struct Port {
    ledger: Ledger,
    grant: Grant,
    pub(crate) executions: ExecutionLog,
    audit: AuditLog,
    telemetry: Telemetry,
    configuration: Configuration,
    metadata: RuntimeMetadata,
    /// Kept, although nothing more is granted: dropping it would not take anything back.
    root: Root,
}

/// No policy gets into the ledger that the gate could not be built from.
struct PolicyValidator;

impl Validator for PolicyValidator {
    fn validate(&self, document: &str, content: &[u8]) -> Result<(), String> {
        if document != POLICY {
            return Err(format!("this runtime knows no document {document:?}"));
        }
        Document::parse(content).map(|_| ())
    }
}

impl Port {
    /// Opens the ledger, grants this runtime all rights and takes the handles.
    pub(crate) async fn open(path: &Path, memtable_bytes: Option<u64>) -> Result<Self, Problem> {
        let options = Options {
            validators: vec![Arc::new(PolicyValidator)],
            memtable_bytes,
            ..Options::default()
        };
        let (ledger, root) = Ledger::open(path, options).await?;
        // Views that are missing are made again first: what was recovered is read from them.
        ledger.at_least(ledger.head().seq).await?;
        let grant = root
            .grant("agent_runtime", Rights::all(), Quota::default())
            .await?;
        Ok(Self {
            executions: ledger.execution_log(&grant)?,
            audit: ledger.audit_log(&grant)?,
            telemetry: ledger.telemetry(&grant)?,
            configuration: ledger.configuration(&grant)?,
            metadata: ledger.runtime_metadata(&grant)?,
            ledger,
            grant,
            root,
        })
    }

    /// The ledger's id.
    pub(crate) fn ledger_id(&self) -> String {
        self.ledger.id().to_string()
    }

    /// The last durable record.
    pub(crate) fn head(&self) -> Head {
        self.ledger.head()
    }

    /// Tells whenever the head moves.
    pub(crate) fn watch_head(&self) -> watch::Receiver<Head> {
        self.ledger.watch_head()
    }

    /// What opening found.
    pub(crate) async fn recovered(&self) -> Result<Recovered, Problem> {
        let head = self.head();
        // Views that are being made again answer when they are there.
        self.ledger.at_least(head.seq).await?;
        let policy = self.configuration.current(POLICY).await?;
        let registry = self.metadata.registry().await?;
        let registered = registry.capabilities.values().map(|capability| Registered {
            capability: capability.name.clone(),
            version: capability.version.clone(),
            enabled: capability.enabled,
        });
        let in_doubt = self.executions.in_doubt().await?;
        Ok(Recovered {
            ledger: self.ledger_id(),
            head: head.count(),
            hash: hex(&head.hash),
            epoch: head.epoch,
            in_doubt: in_doubt
                .iter()
                .map(|entry| entry.execution.to_string())
                .collect(),
            policy_version: policy.as_ref().map_or(0, |policy| policy.info.version),
            policy: policy.and_then(|policy| serde_json::from_slice(&policy.content).ok()),
            registry_version: registry.registry_version,
            registry: registered.collect(),
        })
    }

    /// What an earlier process started and nobody knows the end of is lost: its children died with
    /// it or run on unwatched. Said explicitly, with the reason, on the record.
    pub(crate) async fn resolve_in_doubt(&self) -> Result<Vec<Ack>, Problem> {
        let mut acks = Vec::new();
        for entry in self.executions.in_doubt().await? {
            let lost = Resolve {
                resolution: Resolution::Lost,
                reason: "restart: the runtime that ran it is gone".to_owned(),
                result: Vec::new(),
            };
            let receipt = self
                .executions
                .resolve(entry.execution, Context::new(), lost)
                .await?;
            acks.push(Ack::from(receipt));
        }
        Ok(acks)
    }

    /// On the first run: who we are, the capabilities — all but one enabled — and the policy.
    /// The registry is one commit, so a crash here leaves all of it or nothing.
    pub(crate) async fn set_up(&self) -> Result<Vec<Ack>, Problem> {
        let mut acks = Vec::new();
        if self.metadata.registry().await?.capabilities.is_empty() {
            let group = first_run();
            let ids: Vec<_> = group
                .iter()
                .filter_map(|command| command.context().command_id())
                .collect();
            self.ledger.commit(&self.grant, group).await?;
            for id in ids {
                acks.extend(self.lookup(id).await?);
            }
        }
        if self.configuration.current(POLICY).await?.is_none() {
            let change = Change {
                context: Context::new(),
                document: POLICY.to_owned(),
                content: Document::first().to_bytes(),
                author: "agent_runtime".to_owned(),
                reason: "first run".to_owned(),
                expected_version: Some(0),
            };
            acks.push(self.configuration.change(change).await?.receipt.into());
        }
        let entry = AuditEntry {
            context: Context::new(),
            family: AuditFamily::Lifecycle,
            action: "runtime.started".to_owned(),
            subject: "agent_runtime".to_owned(),
            outcome: Outcome::Success,
            execution: None,
            detail: json!({"pid": std::process::id()}).to_string().into_bytes(),
        };
        acks.push(self.audit.record(entry).await?.into());
        // Every opening of a ledger starts the runtime's machine anew.
        let idle = Command::Transition(Transition {
            context: Context::new(),
            to: State::Idle,
            expected: Some(State::Initializing),
        });
        let idle = self.ledger.commit(&self.grant, vec![idle]).await?;
        acks.extend(idle.map(|committed| Ack::from(committed.receipt)));
        Ok(acks)
    }

    /// The gate for policy and registry in force, and what decisions by it rest on: all of it from
    /// one snapshot. Where anything moves meanwhile, the ledger refuses the decision as stale.
    pub(crate) async fn gate(&self) -> Result<(Gate, Basis), Problem> {
        let in_force = self.ledger.in_force();
        let Some(policy) = self.configuration.content(&in_force, POLICY).await? else {
            return Err(Problem::stop(Exit::Failure, "the ledger holds no policy"));
        };
        let document = Document::parse(&policy.content)
            .map_err(|problem| Problem::stop(Exit::Failure, format!("policy: {problem}")))?;
        let digest = policy.info.content_digest;
        let basis = in_force.basis().policy(&document.version, digest);
        Ok((Gate::new(document, in_force.capabilities()), basis))
    }

    /// Records an output that the protocol does not accept.
    pub(crate) async fn reject(
        &self,
        input: Vec<u8>,
        problem: String,
    ) -> Result<Recorded, Problem> {
        let rejection = Rejection {
            context: Context::new(),
            execution: None,
            input,
            problem,
        };
        let rejected = self.executions.reject(rejection).await?;
        Ok(Recorded {
            execution: rejected.execution,
            ack: rejected.receipt.into(),
        })
    }

    /// Records input, validation, decision and, where it is authorized, the start: one commit. Only the handle of a
    /// running execution is leave to act.
    pub(crate) async fn begin(
        &self,
        input: &[u8],
        request: &Request,
        verdict: &Verdict,
        basis: &Basis,
    ) -> Result<(Recorded, Option<Running>), Problem> {
        let request = femtoclaw_ledger::Request {
            context: Context::new(),
            execution: None,
            input: Some(input.to_vec()),
            capability: request.capability.clone(),
            arguments: request.arguments.clone(),
            decision: verdict.decision,
            reason: verdict.reason.clone(),
            basis: basis.clone(),
        };
        let begun = self.executions.begin(request).await?;
        let recorded = Recorded {
            execution: begun.execution(),
            ack: begun.receipt().into(),
        };
        match begun {
            Begun::Started(running) => Ok((recorded, Some(running))),
            Begun::Denied(_) => Ok((recorded, None)),
            // Its command id was made a moment ago.
            Begun::Duplicate(it) => {
                let problem = format!("execution {} was begun before", it.execution);
                Err(Problem::stop(Exit::Failure, problem))
            }
        }
    }

    /// Records how an execution ended.
    pub(crate) async fn finish(
        &self,
        running: Running,
        done: Result<Vec<u8>, effects::Failure>,
    ) -> Result<Recorded, Problem> {
        let execution = running.execution();
        let finished = match done {
            Ok(result) => running.complete(Context::new(), result).await,
            Err(failure) => {
                let failure = Failure {
                    code: failure.code.to_owned(),
                    message: failure.message,
                    result: failure.result,
                };
                running.fail(Context::new(), failure).await
            }
        };
        // An effect without its end on record: nothing more may be started.
        let receipt = finished.map_err(|error| Problem::stop(Exit::Failure, error))?;
        Ok(Recorded {
            execution,
            ack: receipt.into(),
        })
    }

    /// Tells the telemetry store; returns at once and never fails.
    pub(crate) fn observe(&self, handled: &Handled) {
        let (outcome, kind) = match handled.ending {
            Ending::Completed => (Outcome::Success, TelemetryKind::Execution),
            Ending::Failed => (Outcome::Failure, TelemetryKind::Error),
            Ending::Denied => (Outcome::Denied, TelemetryKind::Authorization),
            Ending::Rejected | Ending::Refused => (Outcome::Failure, TelemetryKind::Error),
        };
        let took_us = u64::try_from(handled.took.as_micros()).unwrap_or(u64::MAX);
        let emitted = self.telemetry.emit(Observation {
            context: Context::new(),
            kind,
            name: "request.handled".to_owned(),
            observed_ns: None,
            execution: handled.execution,
            outcome,
            attributes: json!({"line": handled.line, "took_us": took_us})
                .to_string()
                .into_bytes(),
        });
        // Telemetry never stands in the way of work: what is refused is counted by the ledger.
        if let Err(error) = emitted {
            tracing::warn!(%error, "an observation was refused");
        }
    }

    /// First and last record of a command, where the ledger has it.
    pub(crate) async fn lookup(&self, command: CommandId) -> Result<Option<Ack>, Problem> {
        Ok(self
            .ledger
            .lookup(&self.grant, command)
            .await?
            .map(Ack::from))
    }

    /// How many executions are in doubt.
    pub(crate) async fn in_doubt(&self) -> Result<usize, Problem> {
        Ok(self.executions.in_doubt().await?.len())
    }

    /// Refuses new commands, makes everything durable and closes.
    pub(crate) async fn close(self, deadline: Duration) -> Result<(), Problem> {
        let closed = self.root.close(deadline).await;
        closed.map_err(|error| Problem::stop(Exit::Failure, error))?;
        Ok(())
    }

    /// What `/health` says, for as long as the program lives.
    pub(crate) fn health(&self) -> impl Fn() -> (bool, Value) + Send + Sync + 'static {
        let ledger = self.ledger.clone();
        move || {
            let (health, head) = (ledger.health(), ledger.head());
            let details = json!({
                "healthy": health.healthy, "cause": health.cause, "head": head.count(),
                "epoch": head.epoch,
            });
            (health.healthy, details)
        }
    }
}

impl From<femtoclaw_ledger::Receipt> for Ack {
    fn from(receipt: femtoclaw_ledger::Receipt) -> Self {
        Self {
            command: receipt.command,
            first: receipt.first.get(),
            last: receipt.last.get(),
        }
    }
}

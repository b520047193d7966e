// SPDX-License-Identifier: Apache-2.0
//! The ledger, by its public interface alone: all built-in views and the command index are on.

use std::path::Path;
use std::time::{Duration, Instant};

use femtoclaw_ledger::events::{AuditFamily, Decision, Outcome, TelemetryKind};
use femtoclaw_ledger::{
    AppendError, AuditEntry, AuditLog, Context, ExecutionLog, Grant, Ledger, Limits, Observation,
    Options, Quota, Request, Rights, Root, Seq, Telemetry,
};

use super::Outcomes;

pub(crate) const SETUP: &str = "default options, but for running_max = 16,384 (10,000 callers each run an execution); all \
    built-in views, the Merkle tree and the command index on; `wait_for_admission` as it is by default";
const CLOSE: Duration = Duration::from_secs(120);

/// What callers do again and again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Telemetry,
    Audit,
    /// Begin and complete: two commands, six records. The payload is half in each.
    Cycle,
}

#[derive(Clone)]
pub(crate) struct Opened {
    pub(crate) ledger: Ledger,
    executions: ExecutionLog,
    audit: AuditLog,
    telemetry: Telemetry,
}

pub(crate) fn options() -> Options {
    Options {
        limits: Limits {
            running_max: 16_384,
            ..Limits::default()
        },
        ..Options::default()
    }
}

/// Opens or makes the ledger in this directory.
pub(crate) async fn open(path: &Path) -> Result<(Ledger, Root), String> {
    let opened = Ledger::open(path, options()).await;
    opened.map_err(|error| format!("{}: {error}", error.code()))
}

pub(crate) async fn grant(root: &Root, component: &str) -> Result<Grant, String> {
    let granted = root.grant(component, Rights::all(), Quota::default()).await;
    granted.map_err(|error| error.to_string())
}

pub(crate) async fn close(root: Root) -> Result<(), String> {
    root.close(CLOSE)
        .await
        .map(|_| ())
        .map_err(|error| error.to_string())
}

impl Opened {
    pub(crate) fn new(ledger: &Ledger, grant: &Grant) -> Result<Self, String> {
        let handles = || {
            Ok(Self {
                ledger: ledger.clone(),
                executions: ledger.execution_log(grant)?,
                audit: ledger.audit_log(grant)?,
                telemetry: ledger.telemetry(grant)?,
            })
        };
        handles().map_err(|error: femtoclaw_ledger::AccessError| error.to_string())
    }

    pub(crate) async fn step(&self, work: Work, payload: Vec<u8>, since: Instant) -> Outcomes {
        let mut outcomes = Outcomes::default();
        match work {
            Work::Telemetry => {
                let answer = self.telemetry.record(observation(payload)).await;
                outcomes.add(since, answer.as_ref().err().map(AppendError::code));
            }
            Work::Audit => {
                let answer = self.audit.record(audit_entry(payload)).await;
                outcomes.add(since, answer.as_ref().err().map(AppendError::code));
            }
            Work::Cycle => self.cycle(payload, since, &mut outcomes).await,
        }
        outcomes
    }

    async fn cycle(&self, payload: Vec<u8>, since: Instant, outcomes: &mut Outcomes) {
        let (arguments, result) = halves(payload);
        let request = Request {
            context: Context::new(),
            execution: None,
            input: None,
            capability: femtoclaw_ledger::runtime_metadata::BUILTIN_CAPABILITY.to_owned(),
            arguments,
            decision: Decision::Authorized,
            reason: String::new(),
            basis: self.ledger.in_force().basis(),
        };
        let begun = self.executions.begin(request).await;
        outcomes.add(since, begun.as_ref().err().map(AppendError::code));
        let Ok(begun) = begun else { return };
        // What comes next is asked when the answer is there.
        let since = Instant::now();
        let ended = self
            .executions
            .complete(begun.execution(), Context::new(), result);
        let ended = ended.await;
        outcomes.add(since, ended.as_ref().err().map(AppendError::code));
    }

    /// Records that the slowest view is behind.
    pub(crate) fn lag(&self) -> u64 {
        let head = self.ledger.head().count();
        let positions = self.ledger.view_positions().into_iter();
        let slowest = positions.map(|it| it.position).min();
        head.saturating_sub(slowest.unwrap_or(head))
    }

    /// Until all views are at the head of this moment.
    pub(crate) async fn catch_up(&self) -> Result<(), String> {
        let head = Seq::new(self.ledger.head().count());
        self.ledger
            .at_least(head)
            .await
            .map_err(|error| error.to_string())
    }
}

/// Two JSON texts of half the length each.
fn halves(mut payload: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
    let mut second = payload.split_off(payload.len() / 2);
    for half in [&mut payload, &mut second] {
        if let [first, .., last] = half.as_mut_slice() {
            (*first, *last) = (b'"', b'"');
        }
    }
    (payload, second)
}

fn observation(attributes: Vec<u8>) -> Observation {
    Observation {
        context: Context::new(),
        kind: TelemetryKind::Other,
        name: "bench.observed".to_owned(),
        observed_ns: None,
        execution: None,
        outcome: Outcome::Success,
        attributes,
    }
}

fn audit_entry(detail: Vec<u8>) -> AuditEntry {
    AuditEntry {
        context: Context::new(),
        family: AuditFamily::OperatorAction,
        action: "bench.recorded".to_owned(),
        subject: "benchmark".to_owned(),
        outcome: Outcome::Success,
        execution: None,
        detail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_json() {
        for bytes in [4, 5, 312] {
            let (first, second) = halves(crate::payload::Payloads::new(bytes).get(0));
            assert_eq!(first.len() + second.len(), bytes);
            assert!(serde_json::from_slice::<String>(&first).is_ok());
            assert!(serde_json::from_slice::<String>(&second).is_ok());
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
//! A ledger that signs checkpoints, with an execution of each kind, and evidence of them.

use std::sync::Arc;
use std::time::Duration;

use crate::shared::{World, command, request};
use crate::support::log_key;
use femtoclaw_ledger::events::{Outcome, TelemetryKind};
use femtoclaw_ledger::integrity::evidence::Bundle;
use femtoclaw_ledger::integrity::key::Signer;
use femtoclaw_ledger::integrity::policy::Policy;
use femtoclaw_ledger::{
    AuditEntry, AuditFamily, Begun, Context, Decision, ExecutionId, ExecutionLog, Failure,
    Observation, Options, Request,
    checkpoint::CheckpointOptions,
    events::LedgerId,
    evidence::EvidenceOptions,
    execution_log::{Authorization, Ending, Imported, Rejection, Resolution, Resolve},
};

/// Kinds of executions, each with what its stream must be called.
pub(crate) const KINDS: [(&str, &str); 10] = [
    ("completed", "complete 6 completed"),
    ("failed", "complete 6 failed"),
    ("denied", "complete 2 denied"),
    ("cancelled", "complete 4 cancelled"),
    ("stopped", "complete 5 cancelled"),
    ("rejected", "complete 2 rejected"),
    ("imported", "complete 4 completed"),
    ("resolved", "complete 5 resolved"),
    ("abandoned", "open 2"),
    ("running", "open 3"),
];

/// The id of the execution of this kind.
pub(crate) fn id_of(kind: &str) -> ExecutionId {
    let number = KINDS.iter().position(|(name, _)| *name == kind).unwrap();
    ExecutionId::from_bytes([0xE0 + u8::try_from(number).unwrap(); 16])
}

pub(crate) fn policy() -> Policy {
    Policy::new(&[log_key().key().clone()], &[], 0).unwrap()
}

/// The ledger signs on demand only, so that the same commands give the same bytes.
pub(crate) fn signing(options: &mut Options) {
    let mut checkpoints = CheckpointOptions::new(Arc::new(log_key()), Vec::new());
    checkpoints.every_records = 0;
    checkpoints.every = Duration::ZERO;
    options.checkpoints = Some(checkpoints);
    options.ledger_id = Some(LedgerId::from_bytes([0x1d; 16]));
    // The scene's clock is set once, by more than half a century.
    options.limits.clock_ahead_ns_max = i64::MAX;
}

pub(crate) struct Scene {
    pub(crate) world: World,
}

/// A request of the execution of this kind.
pub(crate) fn asked(world: &World, kind: &str, number: u128) -> Request {
    Request {
        execution: Some(id_of(kind)),
        reason: format!("for the test of {kind}"),
        ..request(&world.ledger, command(number))
    }
}

impl Scene {
    /// All kinds, the last records of which no checkpoint covers yet.
    pub(crate) async fn unsigned() -> Self {
        let world = World::new(signing).await;
        world.clock.set_now(1_767_225_600_123_456_789);
        let log = world.ledger.execution_log(&world.grant).unwrap();
        let _unused = first_opening(&world, &log).await;
        drop(log);
        let world = world.reopened_with(true, signing).await;
        let log = world.ledger.execution_log(&world.grant).unwrap();
        let resolve = Resolve {
            resolution: Resolution::Failed,
            reason: "the operator looked".to_owned(),
            result: Vec::new(),
        };
        let resolved = id_of("resolved");
        log.resolve(resolved, command(50), resolve).await.unwrap();
        started(log.begin(asked(&world, "running", 51)).await.unwrap());
        Self { world }
    }

    /// All kinds, under a checkpoint.
    pub(crate) async fn new() -> Self {
        let scene = Self::unsigned().await;
        scene.world.root.checkpoint().await.unwrap();
        scene
    }

    pub(crate) async fn evidence(&self, kind: &str, options: EvidenceOptions) -> Bundle {
        let reads = self.world.ledger.reader(&self.world.grant).unwrap();
        reads.evidence(id_of(kind), options).await.unwrap()
    }

    /// The evidence of this kind as a file.
    pub(crate) async fn file(&self, kind: &str) -> String {
        let bundle = self.evidence(kind, EvidenceOptions::default()).await;
        bundle.to_string()
    }
}

/// Gives the permit that is never used: dropped in this opening it would leave a record of its own.
async fn first_opening(world: &World, log: &ExecutionLog) -> Authorization {
    let mut completed = asked(world, "completed", 1);
    completed.input = Some(br#"{"message":{"content":"hi"}}"#.to_vec());
    started(log.begin(completed).await.unwrap());
    mention(world).await;
    world.clock.advance(Duration::from_millis(1_500));
    let id = id_of("completed");
    let result = br#"{"sent":true}"#.to_vec();
    log.complete(id, command(2), result).await.unwrap();

    let authorized = log.authorize(asked(world, "failed", 3)).await.unwrap();
    let permit = authorized.permit().unwrap();
    let _running = log.start(permit, command(4)).await.unwrap();
    let failure = Failure {
        code: "E_IO".to_owned(),
        message: "no route".to_owned(),
        result: Vec::new(),
    };
    log.fail(id_of("failed"), command(5), failure)
        .await
        .unwrap();

    let mut denied = asked(world, "denied", 6);
    denied.decision = Decision::DeniedPolicyViolation;
    let _denied = log.authorize(denied).await.unwrap();

    let _permit = log.authorize(asked(world, "cancelled", 7)).await.unwrap();
    let why = || "asked to".to_owned();
    log.cancel(id_of("cancelled"), command(8), why())
        .await
        .unwrap();
    started(log.begin(asked(world, "stopped", 9)).await.unwrap());
    log.cancel(id_of("stopped"), command(10), why())
        .await
        .unwrap();

    let rejection = Rejection {
        context: command(11),
        execution: Some(id_of("rejected")),
        input: b"{\"unclosed\": \xff".to_vec(),
        problem: "not JSON".to_owned(),
    };
    log.reject(rejection).await.unwrap();
    let imported = Imported {
        request: asked(world, "imported", 12),
        ending: Ending::Completed(b"1".to_vec()),
    };
    log.record(imported).await.unwrap();
    started(log.begin(asked(world, "resolved", 13)).await.unwrap());
    log.authorize(asked(world, "abandoned", 14)).await.unwrap()
}

/// It goes on running, and is ended by its id.
fn started(begun: Begun) {
    let _execution = begun.started().unwrap().detach();
}

/// Two records that name the completed execution and are not of its stream.
async fn mention(world: &World) {
    let audit = world.ledger.audit_log(&world.grant).unwrap();
    let entry = AuditEntry {
        context: command(20),
        family: AuditFamily::SecurityViolation,
        action: "watched".to_owned(),
        subject: "the message".to_owned(),
        outcome: Outcome::Neutral,
        execution: Some(id_of("completed")),
        detail: br#"{"by":"a test"}"#.to_vec(),
    };
    audit.record(entry).await.unwrap();
    let telemetry = world.ledger.telemetry(&world.grant).unwrap();
    let observation = Observation {
        context: Context::new().command(crate::shared::id(21)),
        kind: TelemetryKind::Execution,
        name: "bytes_sent".to_owned(),
        observed_ns: Some(1_767_225_600_500_000_000),
        execution: Some(id_of("completed")),
        outcome: Outcome::Success,
        attributes: b"{\"bytes\":2}".to_vec(),
    };
    telemetry.record(observation).await.unwrap();
}

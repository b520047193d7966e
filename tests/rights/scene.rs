// SPDX-License-Identifier: Apache-2.0
//! One ledger that all paths are tried on, and what a component holds of it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use femtoclaw_ledger::events::{Event, EventType, ExecutionId, Record, Seq};
use femtoclaw_ledger::integrity::key::Algorithm;
use femtoclaw_ledger::integrity::secret::SigningKey;
use femtoclaw_ledger::projections::ExecutionStatus;
use femtoclaw_ledger::{
    AccessError, AppendError, AuditLog, Configuration, Context, ExecutionLog, Grant, Ledger, Quota,
    ReadError, Reads, Request, Rights, Running, RuntimeMetadata, Telemetry,
    checkpoint::CheckpointOptions,
    evidence::EvidenceError,
    execution_log::{FinishError, StartError},
    group::CommitError,
    reading::{Reconstruction, SubscriptionError},
};

use crate::Held;
use crate::shared::{World, change, command, observation, request};

/// What came of a call, or the code of its error.
pub(crate) type Answer = Result<String, String>;
pub(crate) type Call = Pin<Box<dyn Future<Output = Answer>>>;

pub(crate) struct Scene {
    pub(crate) world: World,
    /// An execution that has ended, under a checkpoint.
    pub(crate) ended: ExecutionId,
    /// Its result: of the execution log, the audit log and telemetry.
    pub(crate) result: Seq,
    /// An observation: of telemetry alone.
    pub(crate) seen: Seq,
    pub(crate) place: tempfile::TempDir,
    next: AtomicU64,
}

impl Scene {
    pub(crate) async fn new() -> Arc<Self> {
        let key = SigningKey::from_seed("example.org/log", Algorithm::Ed25519, &[1; 32]).unwrap();
        let world = World::new(|options| {
            let mut checkpoints = CheckpointOptions::new(Arc::new(key), Vec::new());
            checkpoints.every_records = 0;
            options.checkpoints = Some(checkpoints);
        })
        .await;
        let (ledger, grant) = (&world.ledger, &world.grant);
        let log = ledger.execution_log(grant).unwrap();
        let mut asked = request(ledger, command(1));
        asked.input = Some(b"an input".to_vec());
        let running = log.begin(asked).await.unwrap().started().unwrap();
        let ended = running.execution();
        let result = running.complete(Context::new(), b"1".to_vec());
        let result = result.await.unwrap().first;
        let telemetry = ledger.telemetry(grant).unwrap();
        let seen = telemetry.record(observation(Context::new(), "seen"));
        let seen = seen.await.unwrap().first;
        let configuration = ledger.configuration(grant).unwrap();
        let changed = configuration.change(change(command(2), "one", None));
        changed.await.unwrap();
        world.root.checkpoint().await.unwrap();
        let record = ledger.reader(grant).unwrap().get(result).await.unwrap();
        let kind = record.unwrap().header.event_type;
        assert_eq!(kind, EventType::ExecutionCompleted);
        Arc::new(Self {
            world,
            ended,
            result,
            seen,
            place: tempfile::tempdir().unwrap(),
            next: AtomicU64::new(10),
        })
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.world.ledger
    }

    pub(crate) fn next(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn request(&self) -> Request {
        request(self.ledger(), Context::new())
    }
}

/// What one component holds: its grant, and the handles that were made while it was in force.
pub(crate) struct Hands {
    pub(crate) scene: Arc<Scene>,
    pub(crate) grant: Grant,
    held: Held,
    log: Result<ExecutionLog, AccessError>,
    audit: Result<AuditLog, AccessError>,
    telemetry: Result<Telemetry, AccessError>,
    configuration: Result<Configuration, AccessError>,
    metadata: Result<RuntimeMetadata, AccessError>,
    reads: Result<Reads, AccessError>,
}

impl Hands {
    pub(crate) async fn new(scene: &Arc<Scene>, grant: Grant, held: Held) -> Self {
        let ledger = scene.ledger();
        Self {
            scene: Arc::clone(scene),
            held,
            log: ledger.execution_log(&grant),
            audit: ledger.audit_log(&grant),
            telemetry: ledger.telemetry(&grant),
            configuration: ledger.configuration(&grant),
            metadata: ledger.runtime_metadata(&grant),
            reads: ledger.reader(&grant),
            grant,
        }
    }

    /// All is ready for the call: from here on, a grant that is to be taken back is.
    pub(crate) async fn go(&self) {
        if self.held == Held::Revoked {
            let root = &self.scene.world.root;
            root.revoke(&self.grant, "a test").await.unwrap();
        }
    }

    pub(crate) fn log(&self) -> Result<&ExecutionLog, String> {
        self.log.as_ref().map_err(Code::of)
    }

    pub(crate) fn audit(&self) -> Result<&AuditLog, String> {
        self.audit.as_ref().map_err(Code::of)
    }

    pub(crate) fn telemetry(&self) -> Result<&Telemetry, String> {
        self.telemetry.as_ref().map_err(Code::of)
    }

    pub(crate) fn configuration(&self) -> Result<&Configuration, String> {
        self.configuration.as_ref().map_err(Code::of)
    }

    pub(crate) fn metadata(&self) -> Result<&RuntimeMetadata, String> {
        self.metadata.as_ref().map_err(Code::of)
    }

    pub(crate) fn reads(&self) -> Result<&Reads, String> {
        self.reads.as_ref().map_err(Code::of)
    }

    /// The execution log for the component of this name, whatever it holds here.
    pub(crate) async fn own_log(&self) -> ExecutionLog {
        let root = &self.scene.world.root;
        let own = root.grant(self.grant.name(), Rights::all(), Quota::default());
        let own = own.await.unwrap();
        self.scene.ledger().execution_log(&own).unwrap()
    }

    /// The execution log for another component.
    pub(crate) fn others_log(&self) -> ExecutionLog {
        let world = &self.scene.world;
        world.ledger.execution_log(&world.grant).unwrap()
    }
}

/// Runs on without a handle.
pub(crate) async fn running(log: &ExecutionLog, scene: &Scene) -> Running {
    let begun = log.begin(scene.request()).await.unwrap();
    begun.started().unwrap()
}

/// Its handle was dropped, and that is on the record.
pub(crate) async fn in_doubt(log: &ExecutionLog, scene: &Scene) -> ExecutionId {
    let running = running(log, scene).await;
    let execution = running.execution();
    let mut head = scene.ledger().watch_head();
    drop(running);
    loop {
        // The head moves before anyone is answered, and a read waits for answers alone.
        let durable = head.borrow_and_update().count();
        scene.ledger().at_least(Seq::new(durable)).await.unwrap();
        let entry = log.get(execution).await.unwrap().unwrap();
        if entry.status == ExecutionStatus::InDoubt {
            return execution;
        }
        head.changed().await.unwrap();
    }
}

pub(crate) trait Code {
    fn of(&self) -> String;
}

macro_rules! codes {
    ($($error:ty),+) => {
        $(impl Code for $error {
            fn of(&self) -> String {
                self.code().to_owned()
            }
        })+
    };
}

codes!(
    AccessError,
    AppendError,
    ReadError,
    CommitError,
    StartError,
    FinishError,
    EvidenceError,
    SubscriptionError
);

pub(crate) trait Told {
    fn told(self) -> Answer;
}

impl<T, E: Code> Told for Result<T, E> {
    fn told(self) -> Answer {
        self.map(|_| "ok".to_owned()).map_err(|error| error.of())
    }
}

/// What is shown of records.
pub(crate) fn shown(records: &[Record]) -> Answer {
    let withheld = |record: &Record| {
        let event = record.event().unwrap();
        assert_eq!(record.content.is_none(), event == Event::Withheld);
        event == Event::Withheld
    };
    Ok(if records.is_empty() {
        "nothing".to_owned()
    } else if records.iter().any(withheld) {
        "withheld".to_owned()
    } else {
        "ok".to_owned()
    })
}

/// What is shown of a trace.
pub(crate) fn told(trace: Option<Reconstruction>) -> Answer {
    let Some(trace) = trace else {
        return Ok("nothing".to_owned());
    };
    let mut steps = trace.steps.iter();
    let withheld = steps.any(|step| step.event == Event::Withheld);
    assert_eq!(trace.determinism_digest.is_none(), withheld);
    Ok(if withheld { "withheld" } else { "ok" }.to_owned())
}

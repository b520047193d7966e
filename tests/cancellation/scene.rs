// SPDX-License-Identifier: Apache-2.0
//! One ledger that all calls are made on, and what must hold after each.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use femtoclaw_ledger::events::{ExecutionId, Seq};
use femtoclaw_ledger::integrity::key::Algorithm;
use femtoclaw_ledger::integrity::note::Note;
use femtoclaw_ledger::integrity::secret::SigningKey;
use femtoclaw_ledger::projections::ExecutionStatus;
use femtoclaw_ledger::{
    AuditLog, Configuration, Context, ExecutionLog, Grant, Ledger, Reads, Request, Root, Running,
    RuntimeMetadata, Telemetry, checkpoint::CheckpointOptions,
};

use crate::shared::{WAIT, World, change, command, observation, request};

pub(crate) struct Scene {
    world: World,
    pub(crate) log: ExecutionLog,
    pub(crate) audit: AuditLog,
    pub(crate) telemetry: Telemetry,
    pub(crate) configuration: Configuration,
    pub(crate) metadata: RuntimeMetadata,
    pub(crate) reads: Reads,
    /// An execution that has ended, and a checkpoint over it.
    pub(crate) ended: ExecutionId,
    pub(crate) note: Note,
    pub(crate) place: tempfile::TempDir,
    number: AtomicU8,
    next: AtomicU64,
    /// Detached, and whoever was to end them is gone.
    left: Mutex<Vec<ExecutionId>>,
    holds: AtomicBool,
    held: AtomicBool,
}

pub(crate) fn key(number: u8) -> SigningKey {
    SigningKey::from_seed("example.org/log", Algorithm::Ed25519, &[number; 32]).unwrap()
}

impl Scene {
    pub(crate) async fn new() -> Arc<Self> {
        let world = World::new(|options| {
            options.limits.running_max = 1;
            options.limits.authorized_max = 1;
            options.checkpoints = Some(CheckpointOptions::new(Arc::new(key(1)), Vec::new()));
        })
        .await;
        let (ledger, grant) = (&world.ledger, &world.grant);
        let log = ledger.execution_log(grant).unwrap();
        let begun = log.begin(request(ledger, command(1))).await.unwrap();
        let running = begun.started().unwrap();
        let ended = running.execution();
        running
            .complete(Context::new(), b"1".to_vec())
            .await
            .unwrap();
        let configuration = ledger.configuration(grant).unwrap();
        configuration
            .change(change(command(2), "one", None))
            .await
            .unwrap();
        let note = world.root.checkpoint().await.unwrap();
        Arc::new(Self {
            log,
            audit: ledger.audit_log(grant).unwrap(),
            telemetry: ledger.telemetry(grant).unwrap(),
            configuration,
            metadata: ledger.runtime_metadata(grant).unwrap(),
            reads: ledger.reader(grant).unwrap(),
            ended,
            note,
            place: tempfile::tempdir().unwrap(),
            number: AtomicU8::new(2),
            next: AtomicU64::new(0),
            left: Mutex::default(),
            holds: AtomicBool::new(false),
            held: AtomicBool::new(false),
            world,
        })
    }

    pub(crate) const fn ledger(&self) -> &Ledger {
        &self.world.ledger
    }

    pub(crate) const fn root(&self) -> &Root {
        &self.world.root
    }

    pub(crate) const fn grant(&self) -> &Grant {
        &self.world.grant
    }

    pub(crate) fn head(&self) -> Seq {
        self.ledger().head().seq.unwrap()
    }

    /// Another one each time.
    pub(crate) fn number(&self) -> u8 {
        self.number.fetch_add(1, Ordering::SeqCst)
    }

    pub(crate) fn next(&self) -> u64 {
        self.next.fetch_add(1, Ordering::SeqCst)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.place.path().join(self.next().to_string())
    }

    pub(crate) fn left(&self, execution: ExecutionId) {
        self.left.lock().unwrap().push(execution);
    }

    pub(crate) fn request(&self) -> Request {
        request(self.ledger(), Context::new())
    }

    pub(crate) async fn running(&self) -> Running {
        let begun = self.log.begin(self.request()).await.unwrap();
        begun.started().unwrap()
    }

    /// From here on the function that is tried is under way: the writer is held, where it is to be.
    pub(crate) fn tried(&self) {
        if self.holds.load(Ordering::SeqCst) {
            self.world.journal.hold();
            self.held.store(true, Ordering::SeqCst);
        }
    }

    pub(crate) fn holds(&self, holds: bool) {
        self.holds.store(holds, Ordering::SeqCst);
    }

    pub(crate) fn is_held(&self) -> bool {
        self.held.load(Ordering::SeqCst)
    }

    pub(crate) fn release(&self) {
        self.held.store(false, Ordering::SeqCst);
        self.world.journal.release();
    }

    /// Nothing runs that nobody holds, nothing is stuck, and nothing is complained of.
    pub(crate) async fn is_sound(&self, after: &str) {
        let sound = async {
            let before = self
                .telemetry
                .record(observation(Context::new(), "between"))
                .await;
            before.unwrap();
            let left = std::mem::take(&mut *self.left.lock().unwrap());
            for execution in left {
                // Ended already, if the call had been sent.
                let _ended = self
                    .log
                    .complete(execution, Context::new(), b"1".to_vec())
                    .await;
            }
            loop {
                self.ledger().at_least(self.head()).await.unwrap();
                let counts = self.log.counts().await.unwrap();
                let open = [ExecutionStatus::Running, ExecutionStatus::Authorized];
                if counts
                    .iter()
                    .all(|it| it.executions == 0 || !open.contains(&it.status))
                {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            // The only slots of both kinds are free.
            let permit = self.log.authorize(self.request()).await.unwrap().permit();
            let started = self
                .log
                .start(permit.unwrap(), Context::new())
                .await
                .unwrap();
            let running = started.running().unwrap();
            running
                .complete(Context::new(), b"1".to_vec())
                .await
                .unwrap();
        };
        let sound = tokio::time::timeout(WAIT, sound).await;
        assert!(sound.is_ok(), "after {after}: {:?}", self.ledger().health());
        assert_eq!(self.ledger().health().cause, "", "after {after}");
    }

    pub(crate) async fn end(&self) {
        let closed = self.root().close(WAIT).await.unwrap();
        assert_eq!(closed.running, 0);
    }
}

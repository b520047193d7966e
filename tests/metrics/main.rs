// SPDX-License-Identifier: Apache-2.0
//! What is counted: every metric that is described moves, what moves is described, and labels are
//! of a fixed set. A process of its own, because a recorder is the process's.

#![cfg(feature = "engine")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use femtoclaw_ledger::clock::ManualClock;
use femtoclaw_ledger::integrity::checkpoint::Checkpoint;
use femtoclaw_ledger::integrity::key::{Algorithm, Signer};
use femtoclaw_ledger::integrity::merkle::leaf_hash;
use femtoclaw_ledger::integrity::secret::SigningKey;
use femtoclaw_ledger::journal::{Journal, MemoryJournal};
use femtoclaw_ledger::metrics::ALL;
use femtoclaw_ledger::{
    AppendError, Change, Context, ExecutionLog, Grant, Ledger, OpenError, Options, Party, Request,
    Root,
    execution_log::{ApprovalRequest, Resolution, Resolve},
};

use crate::shared::held::FailedSync;

#[path = "../shared/mod.rs"]
mod shared;

mod recorder;
mod refusing;
mod scene;

use recorder::Book;
use refusing::{Defective, Panics, Refusing, Stops};
use scene::{files_of_views, open, until};
use shared::{World, command, everything, observation, request};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_metric_moves_and_is_described_and_no_label_is_free() {
    let book = Book::default();
    metrics::set_global_recorder(book.clone()).unwrap();
    on_disk(&book).await;
    let seconds = book.value("recovery_seconds", &[]);
    assert!(0.0 < seconds && seconds < 3_600.0, "{seconds}");
    scrubbed(&book).await;
    held(&book).await;
    asked(&book).await;
    clock_and_stopped_view(&book).await;
    nothing_written(&book).await;
    a_callback_fails(&book).await;
    let runtime_gone = tokio::task::spawn_blocking(a_runtime_ends);
    runtime_gone.await.unwrap();

    let told = book.0.lock().unwrap();
    assert!(told.strange.is_empty(), "not described: {:?}", told.strange);
    let still: Vec<_> = ALL
        .iter()
        .filter(|metric| {
            let of_it = |((name, _), series): (&recorder::SeriesName, &recorder::Series)| {
                name == metric.name && series.moved
            };
            !told.series.iter().any(of_it)
        })
        .map(|metric| metric.name)
        .collect();
    assert!(still.is_empty(), "described and never moved: {still:?}");
    for (name, labels) in told.series.keys() {
        let metric = ALL.iter().find(|metric| metric.name == name).unwrap();
        let names: Vec<&str> = labels.iter().map(|(name, _)| name.as_str()).collect();
        let expected: Vec<&str> = metric.labels.iter().map(|label| label.name).collect();
        assert_eq!(names, expected, "{name}");
        for ((label, value), known) in labels.iter().zip(metric.labels) {
            let own_view = label == "view" && value == "stops";
            assert!(
                own_view || known.values.contains(&value.as_str()),
                "{name}: {label}={value}"
            );
        }
    }
}

/// An execution that nobody ends.
async fn begin(log: &ExecutionLog, request: Request) {
    let begun = log.begin(request).await.unwrap();
    let _execution = begun.started().unwrap().detach();
}

/// One that waits for a person, who does not answer.
async fn asked(book: &Book) {
    let world = World::new(|_| {}).await;
    let log = world.ledger.execution_log(&world.grant).unwrap();
    let basis = world.ledger.in_force().basis();
    let request = ApprovalRequest::new("message", "a rule", i64::MAX, basis);
    let request = request.ask(Party::new("id.example", "ann")).shown("?");
    log.request_approval(request).await.unwrap();
    until("who waits is counted", || {
        book.value("awaiting_executions", &[]) == 1.0
    })
    .await;
}

/// A directory: new, left without a close, opened again, its views deleted.
async fn on_disk(book: &Book) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    let (ledger, root, grant) = open(&path).await;
    root.checkpoint().await.unwrap();
    witness(book, &root).await;
    let log = ledger.execution_log(&grant).unwrap();
    begin(&log, request(&ledger, Context::new())).await;
    let refused = log.complete(unknown(), Context::new(), b"1".to_vec());
    assert!(refused.await.is_err());
    assert_eq!(
        book.value("refusals_total", &[("reason", "unknown_execution")]),
        1.0
    );
    until("sizes are known", || {
        [
            "engine_journal_bytes",
            "engine_wal_files",
            "disk_free_bytes",
        ]
        .iter()
        .all(|name| book.value(name, &[]) > 0.0)
    })
    .await;
    // A second opening fails, and the figures of the first stand.
    let head = ledger.head().count() as f64;
    let second = Ledger::open(&path, Options::default()).await;
    assert!(matches!(second, Err(OpenError::Locked { .. })));
    assert_eq!(
        book.value("recoveries_total", &[("outcome", "failed")]),
        1.0
    );
    assert_eq!(book.value("head_seq", &[]), head);
    drop((ledger, root, grant, log));

    let (ledger, root, grant) = open(&path).await;
    assert_eq!(
        book.value("recoveries_total", &[("outcome", "unclean")]),
        1.0
    );
    assert_eq!(book.value("in_doubt_executions", &[]), 1.0);
    let log = ledger.execution_log(&grant).unwrap();
    let in_doubt = log.in_doubt().await.unwrap();
    let verdict = Resolve {
        resolution: Resolution::Lost,
        reason: "nobody knows".to_owned(),
        result: Vec::new(),
    };
    let resolved = log.resolve(in_doubt[0].execution, Context::new(), verdict);
    resolved.await.unwrap();
    until("in doubt falls", || {
        book.value("in_doubt_executions", &[]) == 0.0
    })
    .await;
    assert!(root.rebuild_view("indexes"));
    let ordered = [("view", "indexes"), ("reason", "ordered")];
    until("a rebuild is counted", || {
        book.value("view_rebuilds_total", &ordered) == 1.0
    })
    .await;
    root.close(Duration::from_secs(60)).await.unwrap();
    drop((ledger, root, grant, log));

    files_of_views(book, &path).await;
    std::fs::remove_dir_all(path.join("views")).unwrap();
    let (_ledger, root, _grant) = open(&path).await;
    let missing = [("view", "executions"), ("reason", "missing")];
    assert_eq!(book.value("view_rebuilds_total", &missing), 1.0);
    root.close(Duration::from_secs(60)).await.unwrap();
}

/// Another log's checkpoint is cosigned, and asked for again with another size.
async fn validated(book: &Book, ledger: &Ledger, grant: &Grant) {
    let change = Change {
        context: Context::new(),
        document: "policy".to_owned(),
        content: Vec::new(),
        author: "ada".to_owned(),
        reason: "tuning".to_owned(),
        expected_version: None,
    };
    let configuration = ledger.configuration(grant).unwrap();
    assert!(configuration.change(change).await.is_err());
    let panicked = [("callback", "validator"), ("outcome", "panicked")];
    assert_eq!(book.value("callback_failures_total", &panicked), 1.0);
}

async fn witness(book: &Book, root: &Root) {
    let log = SigningKey::from_seed("log.example", Algorithm::Ed25519, &[2; 32]).unwrap();
    let signer = SigningKey::from_seed("w.example", Algorithm::CosignatureV1, &[3; 32]).unwrap();
    let logs = vec![log.key().clone()];
    let witness = root.witness(Arc::new(signer), logs).await.unwrap();
    let checkpoint = Checkpoint::new("log.example", 3, leaf_hash(b"x")).unwrap();
    let body = format!("old 0\n\n{}", checkpoint.sign(&log).unwrap());
    assert_eq!(witness.answer(body.as_bytes()).await.status, 200);
    assert_eq!(book.value("checkpoints_witnessed_total", &[]), 1.0);
    assert_eq!(witness.answer(body.as_bytes()).await.status, 409);
    let conflict = [("reason", "witness_conflict")];
    assert_eq!(book.value("refusals_total", &conflict), 1.0);
}

/// Damage that nobody asked for is found all the same.
async fn scrubbed(book: &Book) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    let options = Options {
        scrub_pause: Duration::from_millis(1),
        ..Options::default()
    };
    let (_ledger, root) = Ledger::open(&path, options).await.unwrap();
    until("the scrub reads", || {
        book.value("verified_through_seq", &[]) > 0.0
            && book.value("scrubbed_bytes_total", &[]) > 0.0
    })
    .await;
    assert_eq!(book.value("scrub_damages_total", &[]), 0.0);
    std::fs::write(path.join("LEDGER"), "femtoclaw-ledger\nformat 3\n").unwrap();
    until("damage is counted", || {
        book.value("scrub_damages_total", &[]) == 1.0
    })
    .await;
    root.close(Duration::from_secs(60)).await.unwrap();
}

fn unknown() -> femtoclaw_ledger::ExecutionId {
    femtoclaw_ledger::ExecutionId::from_bytes([9; 16])
}

/// Syncs that do not come back, and one that fails.
async fn held(book: &Book) {
    let world = World::new(|options| options.limits.emit_records_max = 1).await;
    let telemetry = world.ledger.telemetry(&world.grant).unwrap();
    assert_eq!(book.value("sealed", &[]), 0.0);
    world.journal.hold();
    let waiting = {
        let telemetry = telemetry.clone();
        tokio::spawn(async move { telemetry.record(observation(command(1), "waits")).await })
    };
    assert!(world.journal.wait_until_held(shared::WAIT));
    for number in 0..64 {
        telemetry
            .emit(observation(command(100 + number), "flood"))
            .unwrap();
    }
    assert!(book.value("telemetry_lost_total", &[]) > 0.0);
    until("what waits is shown", || {
        book.value("pending_records", &[]) > 0.0 && book.value("pending_bytes", &[]) > 0.0
    })
    .await;
    world.journal.release();
    waiting.await.unwrap().unwrap();
    let log = world.ledger.execution_log(&world.grant).unwrap();
    let _running = log.begin(request(&world.ledger, command(2))).await.unwrap();
    until("it runs", || book.value("running_executions", &[]) == 1.0).await;

    world.journal.fail_next(FailedSync::NotPersisted);
    let failed = telemetry.record(observation(command(3), "fails")).await;
    assert!(matches!(failed, Err(AppendError::OutcomeUnknown { .. })));
    let failures = |outcome| book.value("write_failures_total", &[("outcome", outcome)]);
    assert_eq!(
        (failures("unknown"), failures("nothing_written")),
        (1.0, 0.0)
    );
    assert_eq!(book.value("sealed", &[]), 1.0);
}

/// A clock that goes back and leaps, and a view that takes no more records.
async fn clock_and_stopped_view(book: &Book) {
    let world = World::new(|options| {
        options.projections.push(Box::new(Stops));
        options.validators.push(Arc::new(Defective));
    })
    .await;
    validated(book, &world.ledger, &world.grant).await;
    let audit = world.ledger.telemetry(&world.grant).unwrap();
    let skews = |direction| book.value("clock_skews_total", &[("direction", direction)]);
    let leaps = [0, 2_000_000_000, 60_000_000_000, 1 << 60];
    for (number, now_ns) in (1..).zip(leaps) {
        world.clock.set_now(now_ns);
        audit
            .record(observation(command(number), "skew"))
            .await
            .unwrap();
    }
    let skewed = ["behind", "ahead", "doubted"].map(skews);
    assert_eq!(skewed, [1.0, 1.0, 1.0]);
    let stopped = [("view", "stops")];
    until("the stopped view lags", || {
        book.value("view_failures_total", &stopped) > 0.0
            && book.value("view_lag_records", &stopped) > 0.0
    })
    .await;
    assert_eq!(
        book.value("view_failures_total", &[("view", "indexes")]),
        0.0
    );
}

/// What runs for a ledger goes with its runtime.
fn a_runtime_ends() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::new(|_| {}));
    drop(runtime);
    assert!(!world.ledger.health().healthy);
}

/// A frame that the journal refuses whole.
async fn nothing_written(book: &Book) {
    let journal = Arc::new(Refusing {
        inner: MemoryJournal::new(),
        refuses: AtomicBool::new(false),
    });
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        clock: Arc::new(ManualClock::new(1_000_000_000)),
        ..Options::default()
    };
    let given: Arc<dyn Journal> = journal.clone();
    let opened = Ledger::open_on(given, directory.path(), options).await;
    let (ledger, root) = opened.unwrap();
    let grant = everything(&root).await;
    assert_eq!(book.value("sealed", &[]), 0.0);
    journal.refuses.store(true, Ordering::Release);
    let telemetry = ledger.telemetry(&grant).unwrap();
    let failed = telemetry.record(observation(command(1), "refused")).await;
    assert!(
        matches!(failed, Err(AppendError::Sealed { .. })),
        "{failed:?}"
    );
    let failures = |outcome| book.value("write_failures_total", &[("outcome", outcome)]);
    assert_eq!(
        (failures("unknown"), failures("nothing_written")),
        (1.0, 1.0)
    );
    assert_eq!(book.value("sealed", &[]), 1.0);
}

/// No write failed, and yet nothing is appended any more.
async fn a_callback_fails(book: &Book) {
    let entropy = Arc::new(Panics::default());
    let world = World::new(|options| options.entropy = entropy.clone()).await;
    assert_eq!(book.value("sealed", &[]), 0.0);
    entropy.armed.store(true, Ordering::Release);
    let log = world.ledger.execution_log(&world.grant).unwrap();
    let failed = log.begin(request(&world.ledger, command(1))).await;
    assert!(failed.is_err());
    until("the seal is told", || book.value("sealed", &[]) == 1.0).await;
    let entropy = [("callback", "entropy"), ("outcome", "panicked")];
    assert_eq!(book.value("callback_failures_total", &entropy), 1.0);
    let entropy = [("callback", "entropy")];
    until("the trouble is told", || {
        book.value("callbacks_in_trouble", &entropy) == 1.0
    })
    .await;
    assert_eq!(
        book.value("write_failures_total", &[("outcome", "unknown")]),
        1.0
    );
}

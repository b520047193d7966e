// SPDX-License-Identifier: Apache-2.0
//! From what was read to what serves: the actors start, and the first record of this epoch is made
//! durable before anybody gets a handle.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use tokio::sync::oneshot;

use crate::actors::{
    Actors, AwaitingApprovals, Claims, Draft, JournalKinds, Meters, SelfRecords, Sequenced,
    SequencerArgs, StoreShared, StoreStates, start_sequencer,
};
use crate::admission::Gate;
use crate::error::OpenError;
use crate::events::{Event, LedgerOpenedV1, RecoveryReportedV2, StreamId};
use crate::journal::Sealed;
use crate::metrics;

use super::opened::Opened;
use crate::ledger::attest::checkpoints::Signing;
use crate::ledger::background::expiry::Expiry;
use crate::ledger::background::tasks::{Background, Job};
use crate::ledger::inner::Inner;
use crate::ledger::operate::scrub::Scrub;
use crate::ledger::operate::verify::{OpenDirectory, Subject};
use crate::ledger::parts::LedgerParts;
use crate::ledger::phase::Phase;
use crate::ledger::recover::failure_note::LastWords;
use crate::ledger::recover::recovery::Recovery;
use crate::ledger::recover::snapshots::Snapshots;
use crate::ledger::write::components::Components;
use crate::ledger::write::disk_reserve::Reserve;
use crate::ledger::write::lag::Line;
use crate::ledger::write::space_watch;
use crate::ledger::write::submit::Core;

/// Tells openings of one process apart, so that a grant of an earlier one opens nothing.
static OPENINGS: AtomicU64 = AtomicU64::new(0);

pub(in crate::ledger) async fn serve(mut opened: Opened) -> Result<Arc<Inner>, OpenError> {
    // Its stream names the ledger: so the first header of a history says whose it is.
    let stream = StreamId::from_bytes(*opened.ledger.as_bytes());
    let draft = Draft::new(opened_event(&opened)).stream(stream, 0);
    let replayed = std::mem::take(&mut opened.replayed);
    let in_doubt = replayed.executions.unfinished();
    let mut states = StoreStates {
        execution_log: replayed.executions,
        configuration: replayed.configuration,
        runtime_metadata: replayed.metadata,
    };
    let stated = states.opened(&draft);
    stated.map_err(|problem| OpenError::History(problem.into()))?;
    let in_force = states.durable(opened.ledger, replayed.head.count());
    let in_force = in_force.map_err(|problem| OpenError::History(problem.into()))?;
    let meters = Arc::new(Meters::new());
    let kinds = JournalKinds::new(std::mem::take(&mut opened.kinds)).into();
    let args = sequencer_args(&opened, replayed.head, (&meters, &kinds));
    let (supervisor, sequencer) = start_sequencer(args).await.map_err(OpenError::Actors)?;
    let self_records = SelfRecords::new(
        sequencer.clone(),
        Arc::clone(&opened.options.clock),
        Arc::clone(&opened.options.entropy),
        Arc::clone(&opened.counts),
    );
    // On its way before any command can be.
    let first = self_records.write_draft(&draft);
    let shared = Arc::new(StoreShared {
        ledger: opened.ledger,
        epoch: opened.epoch,
        clock: Arc::clone(&opened.options.clock),
        time: Arc::clone(&opened.clock),
        entropy: Arc::clone(&opened.options.entropy),
        limits: opened.options.limits.clone(),
        in_force: RwLock::new(states.in_force()),
        durable: in_force,
        past: opened.past.clone(),
        claims: Claims::default(),
        sequencer: sequencer.clone(),
        self_records,
        kinds,
        meters,
        vitals: opened.writer.handle().vitals().clone(),
        running: AtomicUsize::new(0),
        in_doubt: AtomicUsize::new(in_doubt),
        awaiting: AwaitingApprovals::default(),
    });
    let claims = replayed.claims.into_iter();
    claims.for_each(|(key, claim)| shared.claims.replay(key, claim));
    let started = Actors::start(supervisor, sequencer, states, &shared).await;
    let actors = started.map_err(OpenError::Actors)?;
    // Serving begins when this epoch is durable: what was in doubt before it is so for everybody.
    let failure = opened.note.read();
    let words = words(&opened, failure.as_ref());
    shared.durable.opened(durable(first).await?.last);
    for event in words {
        durable(shared.self_records.write(&event)).await?;
    }
    failure.iter().for_each(|words| opened.note.clear(words));
    opened.vouching.start(&shared);
    let components = Components::new(replayed.components);
    let core = core(&mut opened, &actors, shared, components);
    let space = (
        Arc::clone(&opened.options.space),
        opened.options.callback_budget,
    );
    let watched = space_watch::watch(&core, space, opened.root.clone()).await;
    watched.map_err(|error| OpenError::io(&opened.root, error))?;
    Ok(start(opened, core, actors, replayed.from.last()))
}

fn start(opened: Opened, core: Arc<Core>, actors: Actors, saved: u64) -> Arc<Inner> {
    let (options, root) = (&opened.options, &opened.root);
    let scrub = Arc::new(Scrub::new(&core, options, subject(&opened)));
    let snapshots = Snapshots::new(&core, root, options.snapshot_records, saved);
    let snapshots = Arc::new(snapshots);
    let signing = Signing {
        core: Arc::clone(&core),
        checkpoints: Arc::clone(&opened.checkpoints),
    };
    let jobs: [Box<dyn Job>; 4] = [
        Box::new(Expiry::new(&core)),
        Box::new(Arc::clone(&snapshots)),
        Box::new(signing.clone()),
        Box::new(Arc::clone(&scrub)),
    ];
    let interval = options.activity_interval;
    let background = Background::start(&core, &opened.set, interval, jobs.into());
    let running = LedgerParts {
        actors,
        writer: opened.writer,
        views: opened.views,
        journal: opened.journal,
        locked_journal: opened.locked_journal,
    };
    Arc::new(Inner {
        core,
        set: opened.set,
        signing,
        scrub,
        snapshots,
        vouching: opened.vouching,
        recovery: opened.recovery,
        background,
        running: Mutex::new(Some(running)),
        end: Mutex::default(),
        released: Mutex::default(),
    })
}

fn sequencer_args(
    opened: &Opened,
    head: crate::journal::Head,
    (meters, kinds): (&Arc<Meters>, &Arc<JournalKinds>),
) -> SequencerArgs {
    let options = &opened.options;
    SequencerArgs {
        ledger: opened.ledger,
        epoch: opened.epoch,
        head,
        clock: Arc::clone(&opened.clock),
        entropy: Arc::clone(&options.entropy),
        writer: opened.writer.handle(),
        meters: Arc::clone(meters),
        kinds: Arc::clone(kinds),
        frame_records: options.limits.frame_records_target,
        frame_bytes: options.limits.frame_bytes_target,
        leap_ns: options.limits.clock_leap_ns_max,
        ahead_ns: options.limits.clock_ahead_ns_max,
    }
}

/// What is said behind `LedgerOpened`: what was found after an end that was not clean, that another
/// key signs, and what an earlier writer could not say any more.
fn words(opened: &Opened, failure: Option<&LastWords>) -> Vec<Event> {
    let notable = |recovery: &&Recovery| recovery.is_notable() || !opened.clean;
    let recovery = opened.recovery.as_ref().filter(notable);
    let report = recovery.map(|recovery| RecoveryReportedV2::from(recovery).into());
    let changed = opened.key_change.clone().map(Event::from);
    let failed = failure.map(|words| words.failed.clone().into());
    report.into_iter().chain(changed).chain(failed).collect()
}

async fn durable(
    answer: oneshot::Receiver<Result<Sequenced, Sealed>>,
) -> Result<Sequenced, OpenError> {
    match answer.await {
        Ok(Ok(placed)) => Ok(placed),
        Ok(Err(sealed)) => Err(OpenError::Sealed(sealed.cause)),
        Err(_) => Err(OpenError::Actors("the sequencer stopped".into())),
    }
}

fn core(
    opened: &mut Opened,
    actors: &Actors,
    shared: Arc<StoreShared>,
    components: Components,
) -> Arc<Core> {
    let subjects = opened.subjects.take();
    let options = &opened.options;
    Arc::new(Core {
        stores: actors.stores.clone(),
        shared,
        gate: Gate::new(options.limits.clone()),
        callbacks: opened.callbacks.clone(),
        reserve: Reserve::new(options.disk_reserve_bytes),
        clock: Arc::clone(&opened.clock),
        reader: opened.reader.clone(),
        writer: opened.writer.handle(),
        phase: Phase::new(),
        opening: OPENINGS.fetch_add(1, Ordering::Relaxed) + 1,
        wait: options.wait_for_admission,
        line: Line::default(),
        foreign: Arc::clone(&opened.foreign),
        subjects,
        components,
    })
}

/// What the scrub reads.
fn subject(opened: &Opened) -> Subject {
    Subject {
        journal: Arc::clone(&opened.journal),
        head: opened.reader.head(),
        views: opened.set.all.clone(),
        tree: Some(opened.set.tree.clone()),
        place: OpenDirectory::of(opened.locked_journal.as_deref(), opened.ledger),
    }
}

/// The first record of this epoch: what was started before and not finished is in doubt from here.
fn opened_event(opened: &Opened) -> LedgerOpenedV1 {
    let Opened {
        replayed,
        options,
        started_ns,
        ..
    } = opened;
    let duration_ns = options.clock.monotonic_ns().saturating_sub(*started_ns);
    let outcome = match (replayed.head.count(), replayed.clean) {
        (0, _) => "new",
        (_, true) => "clean",
        (_, false) => "unclean",
    };
    metrics::RECOVERIES.counter(&[outcome]).increment(1);
    metrics::RECOVERY_SECONDS
        .histogram(&[])
        .record(duration_ns as f64 / 1e9);
    metrics::RECOVERED_RECORDS
        .gauge(&[])
        .set(replayed.read as f64);
    metrics::EPOCH.gauge(&[]).set(opened.epoch as f64);
    let in_doubt = replayed.executions.unfinished() as u64;
    metrics::IN_DOUBT_EXECUTIONS.gauge(&[]).set(in_doubt as f64);
    tracing::info!(
        head = replayed.head.count(),
        read = replayed.read,
        in_doubt,
        outcome,
        "the ledger is open"
    );
    LedgerOpenedV1 {
        software: env!("CARGO_PKG_VERSION").to_owned(),
        head: replayed.head.count(),
        in_doubt,
        abandoned: replayed.executions.authorized() as u64,
        clean: replayed.clean,
        duration_ns,
    }
}

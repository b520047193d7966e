//! Opening: lock, identity, journal, replay, views, actors; then the first record of this epoch.

use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};

use crate::actors::{
    Actors, Claims, Draft, FrameCounts, Meters, Own, Past, SequencerArgs, Shared, States,
    start_sequencer,
};
use crate::admission::Gate;
use crate::directory::{Directory, OpenError};
use crate::events::{Event, LedgerId, LedgerOpenedV1};
use crate::journal::{Appended, FjallJournal, Head, Journal, JournalOptions, Reader, Writer};
use crate::metrics;
use crate::projections::{
    self, Configuration, ConfigurationView, Executions, ExecutionsView, Indexes, IndexesView,
    RuntimeMetadata, RuntimeMetadataView, Views, ViewsOptions,
};

use super::failure::FailureNote;
use super::guarded::Guarded;
use super::options::Options;
use super::past::ViewPast;
use super::replay::{Replayed, replay};
use super::submit::{Core, SERVING, Stores};
use super::views::{JournalSource, ViewSet};
use super::{Ledger, Root, Running};

/// Tells openings of one process apart, so that a grant of an earlier one opens nothing.
static OPENINGS: AtomicU64 = AtomicU64::new(0);

/// What can be done without a runtime, done.
struct Opened {
    ledger: LedgerId,
    epoch: u64,
    note: FailureNote,
    journal: Arc<dyn Journal>,
    writer: Writer,
    reader: Reader,
    views: Views,
    set: ViewSet,
    past: Arc<ViewPast>,
    replayed: Replayed,
    counts: Arc<FrameCounts>,
    started_ns: u64,
    options: Options,
}

/// Where a ledger's journal and views are.
pub(crate) enum Place {
    /// One directory with everything.
    Directory(std::path::PathBuf),
    /// A given journal, and a directory for the views alone.
    Journal(Arc<dyn Journal>, std::path::PathBuf),
}

fn open_blocking(place: Place, mut options: Options) -> Result<Opened, OpenError> {
    let started_ns = options.clock.monotonic_ns();
    options.limits.check().map_err(OpenError::Limits)?;
    metrics::init();
    let (identity, guarded, journal, root) = match place {
        Place::Directory(path) => {
            let (clock, entropy) = (&*options.clock, &*options.entropy);
            let directory = Directory::open(&path, options.ledger_id, clock, entropy)?;
            let mut engine = JournalOptions::default();
            engine.memtable_bytes = options.memtable_bytes.unwrap_or(engine.memtable_bytes);
            let journal = FjallJournal::open(&directory.journal(), &engine)?;
            let identity = directory.identity().ledger;
            let guarded = Arc::new(Guarded::new(journal, directory));
            let journal: Arc<dyn Journal> = guarded.clone();
            (Some(identity), Some(guarded), journal, path)
        }
        Place::Journal(journal, path) => (None, None, journal, path),
    };
    let note = FailureNote::in_directory(&root);
    let known = journal.ledger().map_err(OpenError::Journal)?;
    let ledger = match identity {
        Some(identity) => identity,
        None => known
            .or(options.ledger_id)
            .unwrap_or_else(|| LedgerId::from_bytes(options.entropy.bytes16())),
    };
    let head = journal.head().map_err(OpenError::Journal)?;
    let counts = Arc::new(FrameCounts::default());
    let (writer, reader) = start_writer(&journal, head, &options, &counts, note.clone())?;
    let projections = projections::built_in()
        .into_iter()
        .chain(options.projections.drain(..));
    let source = JournalSource::shared(reader.clone());
    let views = Views::open(
        &root,
        ViewsOptions::default(),
        projections.collect(),
        source.clone(),
    )
    .map_err(|error| OpenError::Views(error.to_string()))?;
    let set = view_set(&views, source)?;
    let past = Arc::new(ViewPast {
        reader: reader.clone(),
        executions: set.executions.clone(),
        indexes: set.indexes.clone(),
        configuration: set.configuration.clone(),
        windows_from: AtomicU64::new(head.seq),
    });
    // Beyond the lag that appends tolerate, nothing asks the window: see `Core::caught_up`.
    let window_from = past
        .position()
        .max(head.seq.saturating_sub(options.limits.view_lag_max))
        .min(head.seq);
    past.windows_from.store(window_from, Ordering::Release);
    let replayed = replay(&journal, ledger, window_from)?;
    if let Some(guarded) = guarded {
        guarded.restrict()?;
    }
    let epoch = head.epoch + 1;
    Ok(Opened {
        ledger,
        epoch,
        note,
        journal,
        writer,
        reader,
        views,
        set,
        past,
        replayed,
        counts,
        started_ns,
        options,
    })
}

fn start_writer(
    journal: &Arc<dyn Journal>,
    head: Head,
    options: &Options,
    counts: &Arc<FrameCounts>,
    note: FailureNote,
) -> Result<(Writer, Reader), OpenError> {
    let meters = Meters::new();
    meters.appended_records.absolute(head.seq);
    meters.head_seq.set(head.seq as f64);
    let counts = Arc::clone(counts);
    let sync_seconds = metrics::SYNC_SECONDS.histogram(&[]);
    let failures = metrics::WRITE_FAILURES.counter(&["unknown"]);
    let sealed = metrics::SEALED.gauge(&[]);
    let now = Arc::clone(&options.clock);
    let report = move |appended: &Appended<'_>| match appended.outcome {
        Ok(()) => {
            let (frame, bytes) = (appended.frame, appended.frame.bytes().len() as u64);
            counts.frames.fetch_add(1, Ordering::Relaxed);
            counts.bytes.fetch_add(bytes, Ordering::Relaxed);
            meters.frame(u64::from(frame.count), bytes, frame.last.seq);
            sync_seconds.record(appended.duration.as_secs_f64());
        }
        Err(failure) => {
            note.leave(now.now_ns(), &failure.to_string());
            failures.increment(1);
            sealed.set(1.0);
        }
    };
    let clock = Arc::clone(&options.clock);
    let writer = Writer::start(Arc::clone(journal), clock, Some(Box::new(report)))
        .map_err(OpenError::Journal)?;
    let reader = Reader::new(Arc::clone(journal), &writer.handle());
    Ok((writer, reader))
}

fn view_set(views: &Views, source: Arc<dyn projections::Source>) -> Result<ViewSet, OpenError> {
    let view = |name: &str| {
        views
            .view(name)
            .ok_or_else(|| OpenError::Views(format!("there is no view {name}")))
    };
    Ok(ViewSet {
        configuration: ConfigurationView::new(view(Configuration::NAME)?),
        metadata: RuntimeMetadataView::new(view(RuntimeMetadata::NAME)?),
        executions: ExecutionsView::new(view(Executions::NAME)?),
        indexes: IndexesView::new(view(Indexes::NAME)?, source),
        all: views.all().cloned().collect(),
    })
}

/// Opens in the background and starts the actors on this runtime.
pub(super) async fn open(place: Place, options: Options) -> Result<(Ledger, Root), OpenError> {
    let opened = tokio::task::spawn_blocking(move || open_blocking(place, options))
        .await
        .map_err(|error| OpenError::Actors(error.to_string()))??;
    serve(opened).await
}

async fn serve(opened: Opened) -> Result<(Ledger, Root), OpenError> {
    let event: Event = opened_event(&opened).into();
    let Opened {
        ledger,
        epoch,
        journal,
        writer,
        reader,
        views,
        set,
        past,
        replayed,
        note,
        ..
    } = opened;
    let (options, counts) = (opened.options, opened.counts);
    let Options {
        clock,
        entropy,
        limits,
        ..
    } = &options;
    let mut states = States {
        execution_log: replayed.executions,
        configuration: replayed.configuration,
        runtime_metadata: replayed.metadata,
    };
    states
        .opened(&Draft::new(event.clone()))
        .map_err(OpenError::History)?;
    let meters = Arc::new(Meters::new());
    let (supervisor, sequencer) = start_sequencer(SequencerArgs {
        ledger,
        epoch,
        head: replayed.head,
        clock: Arc::clone(clock),
        entropy: Arc::clone(entropy),
        writer: writer.handle(),
        meters: Arc::clone(&meters),
        frame_records: limits.frame_records_target,
        frame_bytes: limits.frame_bytes_target,
        leap_ns: limits.clock_leap_ns_max,
    })
    .await
    .map_err(OpenError::Actors)?;
    let own = Own::new(
        sequencer.clone(),
        Arc::clone(clock),
        Arc::clone(entropy),
        counts,
    );
    let first = own.write(&event);
    let shared = Arc::new(Shared {
        ledger,
        epoch,
        clock: Arc::clone(clock),
        entropy: Arc::clone(entropy),
        limits: limits.clone(),
        in_force: RwLock::new(states.in_force()),
        past,
        validators: options.validators.clone(),
        claims: Claims::default(),
        sequencer: sequencer.clone(),
        own,
        meters,
        running: AtomicUsize::new(0),
    });
    for (key, claim) in replayed.claims {
        shared.claims.replay(key, claim);
    }
    let actors = Actors::start(supervisor, sequencer, states, &shared)
        .await
        .map_err(OpenError::Actors)?;
    // Serving begins when this epoch is durable: what was in doubt before it is so for everybody.
    match first.await {
        Ok(Ok(_)) => {}
        Ok(Err(sealed)) => return Err(OpenError::Sealed(sealed.cause.to_string())),
        Err(_) => return Err(OpenError::Actors("the sequencer stopped".to_owned())),
    }
    // What an earlier writer could not say any more is said now.
    if let Some(failed) = note.read()
        && let Ok(Ok(_)) = shared.own.write(&failed.into()).await
    {
        note.clear();
    }
    let core = Arc::new(Core {
        stores: Stores {
            execution_log: actors.execution_log.clone(),
            audit_log: actors.audit_log.clone(),
            telemetry: actors.telemetry.clone(),
            configuration: actors.configuration.clone(),
            runtime_metadata: actors.runtime_metadata.clone(),
        },
        shared,
        gate: Gate::new(limits.clone()),
        reader,
        writer: writer.handle(),
        phase: AtomicU8::new(SERVING),
        opening: OPENINGS.fetch_add(1, Ordering::Relaxed) + 1,
        wait: options.wait_for_admission,
        redaction: options.redaction.clone(),
    });
    let running = Running {
        actors,
        writer,
        views,
        journal,
    };
    Ok(Ledger::start(
        core,
        set,
        running,
        replayed.components,
        options.activity_interval,
    ))
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
    let outcome = match (replayed.head.seq, replayed.clean) {
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
        .set(replayed.head.seq as f64);
    metrics::EPOCH.gauge(&[]).set(opened.epoch as f64);
    let in_doubt = replayed.executions.unfinished() as u64;
    metrics::IN_DOUBT_EXECUTIONS.gauge(&[]).set(in_doubt as f64);
    tracing::info!(
        head = replayed.head.seq,
        in_doubt,
        outcome,
        "the ledger is open"
    );
    LedgerOpenedV1 {
        software: env!("CARGO_PKG_VERSION").to_owned(),
        head: replayed.head.seq,
        in_doubt,
        abandoned: replayed.executions.authorized() as u64,
        clean: replayed.clean,
        duration_ns,
    }
}

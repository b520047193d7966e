// SPDX-License-Identifier: Apache-2.0
//! Opening: lock, identity, journal, replay, views, actors; then the first record of this epoch.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::actors::{FrameCounts, Kinds, Meters, Past};
use crate::callbacks::Callbacks;
use crate::clock::BelievedClock;
use crate::database;
use crate::directory::{self, Directory, SubjectKey};
use crate::error::{Cause, OpenError};
use crate::events::{LedgerId, SigningKeyChangedV1};
use crate::journal::{Appended, CommitWatch, Head, Journal, Reader, Writer};
use crate::metrics;
use crate::projections::Views;

use super::opened::Opened;
use crate::ledger::attest::checkpoints::Checkpoints;
use crate::ledger::inner::Inner;
use crate::ledger::options::Options;
use crate::ledger::read::history_lookup::ViewPast;
use crate::ledger::read::views;
use crate::ledger::recover::caller_gone::Dropped;
use crate::ledger::recover::failure_note::FailureNote;
use crate::ledger::recover::kinds;
use crate::ledger::recover::locked_journal::LockedJournal;
use crate::ledger::recover::recovery::{Recovery, recover};
use crate::ledger::recover::replay::{Replayed, replay};
use crate::ledger::recover::snapshots;
use crate::ledger::recover::subjects;
use crate::ledger::write::foreign::Foreign;
use crate::ledger::write::vouching::Vouching;

/// Where a ledger's journal and views are.
pub(crate) enum LedgerPlace {
    /// One directory with everything.
    Directory(PathBuf),
    /// The same, which this process has locked.
    Locked(Box<Directory>),
    /// A given journal, and a directory for the views alone.
    Journal(Arc<dyn Journal>, PathBuf),
}

/// The journal of a place, and where everything else goes.
struct FoundJournal {
    identity: Option<LedgerId>,
    locked_journal: Option<Arc<LockedJournal>>,
    recovery: Option<Recovery>,
    journal: Arc<dyn Journal>,
    kinds: Kinds,
    root: PathBuf,
    /// Of a given journal it lies with the views, and is looked for behind them.
    subjects: Option<SubjectKey>,
}

fn found_in(
    directory: Directory,
    options: &Options,
    dropped: &Dropped,
) -> Result<FoundJournal, OpenError> {
    let (identity, root) = (directory.identity().ledger, directory.path().to_owned());
    if let Some(expected) = options.ledger_id.filter(|expected| *expected != identity) {
        let found = identity;
        return Err(OpenError::OtherLedger { expected, found });
    }
    let recovered = recover(directory, options, dropped)?;
    Ok(FoundJournal {
        identity: Some(identity),
        locked_journal: Some(recovered.journal.clone()),
        recovery: Some(recovered.recovery),
        journal: recovered.journal,
        kinds: recovered.kinds,
        root,
        subjects: Some(recovered.subjects),
    })
}

fn find(
    place: LedgerPlace,
    options: &Options,
    dropped: &Dropped,
) -> Result<FoundJournal, OpenError> {
    let found = match place {
        LedgerPlace::Directory(path) => {
            let (clock, entropy) = (&*options.clock, &*options.entropy);
            let directory = Directory::open(&path, options.ledger_id, clock, entropy)?;
            found_in(directory, options, dropped)?
        }
        LedgerPlace::Locked(directory) => found_in(*directory, options, dropped)?,
        LedgerPlace::Journal(journal, path) => {
            directory::check_own(&path)?;
            FoundJournal {
                identity: None,
                locked_journal: None,
                recovery: None,
                kinds: kinds::known(&*journal, &path, true, dropped)?,
                journal,
                root: path,
                subjects: None,
            }
        }
    };
    dropped.check()?;
    metrics::init(); // With the lock: another ledger here may be counting.
    Ok(found)
}

fn open_blocking(
    place: LedgerPlace,
    mut options: Options,
    dropped: &Dropped,
) -> Result<Opened, OpenError> {
    let (files, callbacks) = prepared(&mut options)?;
    let started_ns = options.clock.monotonic_ns();
    let FoundJournal {
        identity,
        locked_journal,
        recovery,
        journal,
        kinds,
        root,
        subjects,
    } = find(place, &options, dropped)?;
    let note = FailureNote::in_directory(&root);
    let ledger = id_of(identity, &*journal, &options)?;
    let head = journal.head().map_err(OpenError::journal)?;
    let clock = believed(&mut options, head);
    let counts = Arc::new(FrameCounts::default());
    let (writer, reader) = start_writer(&journal, head, &options, &counts, note.clone())?;
    callbacks.seal_with(writer.handle().sealer());
    let vouching = Vouching::new(reader.clone());
    let given = (files, &callbacks, &vouching);
    let (writer, views, set) = views::open(&root, &mut options, given, &reader, writer)?;
    let signing = options.checkpoints.take();
    let foreign = Foreign::new(&options, &callbacks);
    let now = (head.count(), started_ns);
    let checked = Checkpoints::check(signing, set.tree.clone(), now, &callbacks, dropped);
    let checkpoints = journals(redacted(&foreign, checked), &journal, ledger, dropped);
    let (writer, views, (checkpoints, key_change)) = unless_refused(writer, views, checkpoints)?;
    let past = Arc::new(ViewPast::new(reader.clone(), &set, head.count()));
    let load = || snapshots::load(&root, ledger, &*journal, past.position());
    let is_gapless = Recovery::is_gapless(recovery.as_ref());
    let saved = is_gapless.then(load).unwrap_or_default();
    let from = window_from(&past, head, &options);
    let replayed = replay(&journal, ledger, from, saved, dropped);
    let replayed = restricted(replayed, locked_journal.as_deref());
    let subjects = || subjects::key(subjects, &root, ledger, head, &options);
    let replayed = replayed.and_then(|replayed| Ok((replayed, subjects()?)));
    let (writer, views, (replayed, subjects)) = unless_refused(writer, views, replayed)?;
    Ok(Opened {
        recovery,
        ledger,
        epoch: head.epoch + 1,
        clock,
        root,
        locked_journal,
        note,
        journal,
        writer,
        reader,
        views,
        vouching,
        set,
        checkpoints: Arc::new(checkpoints),
        key_change,
        subjects,
        foreign: Arc::new(foreign),
        past,
        clean: replayed.clean,
        replayed,
        kinds,
        counts,
        started_ns,
        options,
        callbacks,
    })
}

fn id_of(
    identity: Option<LedgerId>,
    journal: &dyn Journal,
    options: &Options,
) -> Result<LedgerId, OpenError> {
    let known = journal.ledger().map_err(OpenError::journal)?;
    let made = || LedgerId::from_bytes(options.entropy.bytes16());
    let given = identity.or(known).or(options.ledger_id);
    Ok(given.unwrap_or_else(made))
}

/// Options that can be kept: from here on clock and entropy are called behind what contains them.
/// Gives the descriptors of each database, too.
fn prepared(options: &mut Options) -> Result<(usize, Callbacks), OpenError> {
    options.check().map_err(OpenError::Limits)?;
    let files_each = database::files_each(options.descriptors_max)?;
    let callbacks = Callbacks::watched(options.hang_after)
        .map_err(|error| OpenError::Actors(Cause::of(error)))?;
    options.contain(&callbacks);
    let ready = options.entropy.ready();
    ready.map_err(|error| OpenError::NoRandomness(Cause::of(error)))?;
    Ok((files_each, callbacks))
}

/// Views that are being made again say that they cannot be. Where that is the journal's fault, the
/// journal is what is told.
fn journals<T>(
    outcome: Result<T, OpenError>,
    journal: &Arc<dyn Journal>,
    ledger: LedgerId,
    dropped: &Dropped,
) -> Result<T, OpenError> {
    if let Err(OpenError::Views(_)) = &outcome {
        replay(journal, ledger, 0, Replayed::default(), dropped)?;
    }
    outcome
}

/// From here on everybody reads the clock as far as it is believed.
fn believed(options: &mut Options, head: Head) -> Arc<BelievedClock> {
    let last_ns = (head.count() > 0).then_some(head.time_ns);
    let injected = Arc::clone(&options.clock);
    let ahead_ns_max = options.limits.clock_ahead_ns_max;
    let clock = Arc::new(BelievedClock::new(injected, last_ns, ahead_ns_max));
    options.clock = clock.clone();
    clock
}

/// The change of keys that this opening is, as it may be recorded.
fn redacted(
    foreign: &Foreign,
    checked: Result<(Checkpoints, Option<SigningKeyChangedV1>), OpenError>,
) -> Result<(Checkpoints, Option<SigningKeyChangedV1>), OpenError> {
    let (checkpoints, mut change) = checked?;
    if let Some(change) = &mut change {
        let redacted = foreign.redact_own("open", change);
        redacted.map_err(|error| OpenError::Callback(error.into()))?;
    }
    Ok((checkpoints, change))
}

/// Beyond the lag that appends tolerate, nothing asks the window: see `Core::caught_up`.
fn window_from(past: &ViewPast, head: Head, options: &Options) -> u64 {
    let tolerated = head.count().saturating_sub(options.limits.view_lag_max);
    let from = past.position().max(tolerated).min(head.count());
    past.windows_from.store(from, Ordering::Release);
    from
}

/// Replayed, and its files nobody else's.
fn restricted(
    replayed: Result<Replayed, OpenError>,
    journal: Option<&LockedJournal>,
) -> Result<Replayed, OpenError> {
    let replayed = replayed?;
    journal.map_or(Ok(()), LockedJournal::restrict)?;
    Ok(replayed)
}

/// Lets go of what holds the journal, and with it the lock, where the opening is refused; the views
/// are closed in order.
fn unless_refused<T>(
    writer: Writer,
    views: Views,
    outcome: Result<T, OpenError>,
) -> Result<(Writer, Views, T), OpenError> {
    match outcome {
        Ok(outcome) => Ok((writer, views, outcome)),
        Err(error) => {
            views.close();
            writer.join();
            Err(error)
        }
    }
}

fn start_writer(
    journal: &Arc<dyn Journal>,
    head: Head,
    options: &Options,
    counts: &Arc<FrameCounts>,
    note: FailureNote,
) -> Result<(Writer, Reader), OpenError> {
    let meters = Meters::new();
    meters.appended_records.absolute(head.count());
    meters.head_seq.set(head.count() as f64);
    let counts = Arc::clone(counts);
    let sync_seconds = metrics::SYNC_SECONDS.histogram(&[]);
    let commit_seconds = metrics::COMMIT_SECONDS.histogram(&[]);
    let failures = |outcome| metrics::WRITE_FAILURES.counter(&[outcome]);
    let (unknown, nothing_written) = (failures("unknown"), failures("nothing_written"));
    let now = Arc::clone(&options.clock);
    let hung_note = note.clone();
    let report = move |appended: &Appended<'_>| match appended.outcome {
        Ok(()) => {
            let (frame, bytes) = (appended.frame, appended.frame.bytes().len() as u64);
            counts.frames.fetch_add(1, Ordering::Relaxed);
            counts.bytes.fetch_add(bytes, Ordering::Relaxed);
            meters.frame(u64::from(frame.count), bytes, frame.last_seq().get());
            sync_seconds.record(appended.duration.as_secs_f64());
            commit_seconds.record(appended.since_hand_over.as_secs_f64());
        }
        Err(failure) => {
            note.leave(now.now_ns(), &failure.to_string());
            let outcome = if failure.is_outcome_unknown() {
                &unknown
            } else {
                &nothing_written
            };
            outcome.increment(1);
        }
    };
    let clock = Arc::clone(&options.clock);
    let watch = watch(options, hung_note);
    let writer = Writer::start_watched(
        Arc::clone(journal),
        clock,
        Some(Box::new(report)),
        Some(watch),
    )
    .map_err(OpenError::journal)?;
    let reader = Reader::new(Arc::clone(journal), &writer.handle());
    Ok((writer, reader))
}

/// What is done when a commit hangs.
fn watch(options: &Options, note: FailureNote) -> CommitWatch {
    let (clock, abort) = (Arc::clone(&options.clock), options.abort_when_hung);
    let on_hang = move |cause: &str| {
        metrics::WRITE_FAILURES.counter(&["unknown"]).increment(1);
        metrics::SEALED.gauge(&[]).set(1.0);
        let (now, cause) = (clock.now_ns(), cause.to_owned());
        // The medium that hangs may keep the note for ever: nobody waits for it.
        let left = std::thread::Builder::new().spawn(move || note.leave(now, &cause));
        if left.is_err() {
            tracing::error!("no thread for the note of a hanging commit");
        }
        if abort {
            tracing::error!("a commit hangs: the process is aborted, as the options say");
            std::process::abort();
        }
    };
    CommitWatch {
        after: options.hang_after,
        on_hang: Box::new(on_hang),
    }
}

/// Opens in the background and starts the actors on this runtime.
pub(in crate::ledger) async fn open(
    place: LedgerPlace,
    options: Options,
) -> Result<Arc<Inner>, OpenError> {
    metrics::describe_all();
    let dropped = Dropped::default();
    let _caller = dropped.caller();
    // In a task of its own: dropped half-way it must end its threads and actors in order.
    let opening = tokio::spawn(opening(place, options, dropped)).await;
    let served = opening.unwrap_or_else(|error| Err(OpenError::Actors(Cause::of(error))));
    if served.is_err() {
        metrics::RECOVERIES.counter(&["failed"]).increment(1);
    }
    served
}

async fn opening(
    place: LedgerPlace,
    options: Options,
    dropped: Dropped,
) -> Result<Arc<Inner>, OpenError> {
    // The runtime may end before this does.
    let _runtime = dropped.caller();
    let asked = dropped.clone();
    let opened = tokio::task::spawn_blocking(move || open_blocking(place, options, &asked)).await;
    let opened = opened.unwrap_or_else(|error| Err(OpenError::Actors(Cause::of(error))))?;
    dropped.check()?;
    super::start_actors::serve(opened).await
}

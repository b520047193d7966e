//! Opening: lock, identity, journal, replay, views, actors; then the first record of this epoch.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::actors::{FrameCounts, Meters, Past};
use crate::directory::Directory;
use crate::error::OpenError;
use crate::events::LedgerId;
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
use super::views::{JournalSource, ViewSet};
use super::{Ledger, Root};

/// What can be done without a runtime, done.
pub(super) struct Opened {
    pub(super) ledger: LedgerId,
    pub(super) epoch: u64,
    pub(super) note: FailureNote,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) writer: Writer,
    pub(super) reader: Reader,
    pub(super) views: Views,
    pub(super) set: ViewSet,
    pub(super) past: Arc<ViewPast>,
    pub(super) replayed: Replayed,
    pub(super) counts: Arc<FrameCounts>,
    pub(super) started_ns: u64,
    pub(super) options: Options,
}

/// Where a ledger's journal and views are.
pub(crate) enum Place {
    /// One directory with everything.
    Directory(PathBuf),
    /// A given journal, and a directory for the views alone.
    Journal(Arc<dyn Journal>, PathBuf),
}

/// The journal of a place, and where everything else goes.
struct Found {
    identity: Option<LedgerId>,
    guarded: Option<Arc<Guarded>>,
    journal: Arc<dyn Journal>,
    root: PathBuf,
}

fn find(place: Place, options: &Options) -> Result<Found, OpenError> {
    Ok(match place {
        Place::Directory(path) => {
            let (clock, entropy) = (&*options.clock, &*options.entropy);
            let directory = Directory::open(&path, options.ledger_id, clock, entropy)?;
            let mut engine = JournalOptions::default();
            engine.memtable_bytes = options.memtable_bytes.unwrap_or(engine.memtable_bytes);
            let journal = FjallJournal::open(&directory.journal(), &engine)?;
            let identity = directory.identity().ledger;
            let guarded = Arc::new(Guarded::new(journal, directory));
            let journal: Arc<dyn Journal> = guarded.clone();
            Found {
                identity: Some(identity),
                guarded: Some(guarded),
                journal,
                root: path,
            }
        }
        Place::Journal(journal, path) => Found {
            identity: None,
            guarded: None,
            journal,
            root: path,
        },
    })
}

fn open_blocking(place: Place, mut options: Options) -> Result<Opened, OpenError> {
    let started_ns = options.clock.monotonic_ns();
    options.limits.check().map_err(OpenError::Limits)?;
    metrics::init();
    let Found {
        identity,
        guarded,
        journal,
        root,
    } = find(place, &options)?;
    let note = FailureNote::in_directory(&root);
    let known = journal
        .ledger()
        .map_err(|failure| OpenError::Journal(failure.into()))?;
    let ledger = match identity {
        Some(identity) => identity,
        None => known
            .or(options.ledger_id)
            .unwrap_or_else(|| LedgerId::from_bytes(options.entropy.bytes16())),
    };
    let head = journal
        .head()
        .map_err(|failure| OpenError::Journal(failure.into()))?;
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
    let past = Arc::new(ViewPast::new(reader.clone(), &set, head.seq));
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
        .map_err(|failure| OpenError::Journal(failure.into()))?;
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
    super::serve::serve(opened).await
}

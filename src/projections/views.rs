// SPDX-License-Identifier: Apache-2.0
//! The handle on all views of a ledger: open, read, rebuild, close.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::chunks::Chunks;
use super::control::Control;
use super::error::ViewsOpenError;
use super::health::ViewHealth;
use super::notices::{Listener, Notices};
use super::projection::Projection;
use super::runner::Runner;
use super::segments::SegmentCache;
use super::slot::ViewSlot;
use super::source::Source;
use super::storage::{Keeping, RANGE, Sealer, Tell, ViewPlace, ViewsLock};
use super::view::{View, ViewShared};
use super::vouch::Voucher;
use crate::callbacks::{CallbackKind, Callbacks};
use crate::clock::{Clock, SystemClock};
use crate::metrics;

/// How long a look at the journal's head waits, of a source that can be woken.
const LOOK: Duration = Duration::from_secs(10);
/// And of one that cannot.
const LOOK_UNWOKEN: Duration = Duration::from_millis(20);
/// How long a close waits for what is in memory to be written.
const CLOSING: Duration = Duration::from_secs(60);

/// How views are kept.
///
/// Example: [`Source`](crate::projections::Source).
#[derive(Clone)]
pub struct ViewsOptions {
    /// Cache for blocks of all views, in bytes.
    pub cache_bytes: u64,
    /// What one view holds in memory, beside its newest 65,536 records' keys and values, before it writes a file, in
    /// bytes.
    pub memtable_bytes: u64,
    /// Files that are kept open for reading, at least 10.
    pub files_max: usize,
    /// Called from a runner's thread; must return soon.
    pub listener: Option<Listener>,
    /// Measures how long views take.
    pub clock: Arc<dyn Clock>,
}

impl Default for ViewsOptions {
    fn default() -> Self {
        Self {
            cache_bytes: 16 << 20,
            memtable_bytes: 8 << 20,
            files_max: 64,
            listener: None,
            clock: Arc::new(SystemClock::default()),
        }
    }
}

/// All views of one ledger and the threads that keep them. Dropping it stops them without waiting for them;
/// [`Views::close`] waits.
///
/// Example: [`Source`](crate::projections::Source).
pub struct Views {
    views: Vec<View>,
    controls: Vec<Arc<Control>>,
    source: Arc<dyn Source>,
    stops: Arc<AtomicBool>,
    keeping: Arc<Keeping>,
    clock: Arc<dyn Clock>,
    threads: Vec<JoinHandle<()>>,
}

/// Who watches over views and vouches for what they write: the ledger.
#[derive(Clone)]
pub(crate) struct Watched<'a> {
    pub(crate) callbacks: &'a Callbacks,
    /// How long one call of a projection may take.
    pub(crate) budget: Duration,
    pub(crate) voucher: Option<Arc<dyn Voucher>>,
}

impl Views {
    /// Opens `directory/views`, creating it where it is missing. A view that will not open is
    /// moved to `directory/quarantine/views-<n>` and made again; until then reads say
    /// [`super::ViewError::Building`].
    ///
    /// # Errors
    /// [`ViewsOpenError`] where projection names are unusable or no thread can be had.
    pub fn open(
        directory: &Path,
        options: ViewsOptions,
        projections: Vec<Box<dyn Projection>>,
        source: Arc<dyn Source>,
    ) -> Result<Self, ViewsOpenError> {
        let watched = Watched {
            callbacks: &Callbacks::unwatched(),
            budget: Duration::MAX,
            voucher: None,
        };
        Self::open_watched(directory, options, projections, source, watched)
    }

    /// As [`Views::open`], for a ledger.
    pub(crate) fn open_watched(
        directory: &Path,
        options: ViewsOptions,
        projections: Vec<Box<dyn Projection>>,
        source: Arc<dyn Source>,
        watched: Watched<'_>,
    ) -> Result<Self, ViewsOpenError> {
        Self::open_ranged(directory, options, projections, source, (watched, RANGE))
    }

    /// As [`Views::open_watched`], with so many records in a range.
    pub(super) fn open_ranged(
        directory: &Path,
        options: ViewsOptions,
        projections: Vec<Box<dyn Projection>>,
        source: Arc<dyn Source>,
        (watched, range): (Watched<'_>, u64),
    ) -> Result<Self, ViewsOpenError> {
        let path = directory.join("views");
        let io = |source| {
            let path = path.clone();
            ViewsOpenError::Io { path, source }
        };
        let slots = slots(projections, &watched)?;
        let cache = SegmentCache::new(options.cache_bytes, options.files_max);
        let lock = Arc::new(ViewsLock::of(path.clone()));
        let keeping = Arc::new(Keeping {
            sealer: Sealer::start(cache, &lock).map_err(io)?,
            lock,
            voucher: watched.voucher,
            memory_bytes: usize::try_from(options.memtable_bytes).unwrap_or(usize::MAX),
            range,
        });
        let mut views = Self {
            views: Vec::new(),
            controls: Vec::new(),
            source: Arc::clone(&source),
            stops: Arc::default(),
            keeping,
            clock: Arc::clone(&options.clock),
            threads: Vec::new(),
        };
        let chunks = Arc::new(Chunks::of(source));
        let notices = Arc::new(Notices::of(options.listener));
        for slot in slots {
            let control = Arc::new(Control::default());
            let told = Arc::clone(&control);
            let tell: Tell = Arc::new(move |whose, news| told.news(whose, news));
            let view = View::new(Arc::clone(&slot.shared), Arc::clone(&control));
            let mut runner = Runner {
                place: ViewPlace {
                    views: path.clone(),
                    name: slot.name(),
                },
                quarantine: directory.join("quarantine"),
                notices: Arc::clone(&notices),
                clock: Arc::clone(&options.clock),
                chunks: Arc::clone(&chunks),
                reader: chunks.reader(slot.shared.built_in),
                control: Arc::clone(&control),
                keeping: Arc::clone(&views.keeping),
                tell,
                slot,
                is_open: false,
                incarnation: 0,
                health: ViewHealth::default(),
                tail: None,
            };
            runner.open_first();
            views.views.push(view);
            views.controls.push(control);
            views
                .start("ledger-view", move || run(runner))
                .map_err(io)?;
        }
        let (source, stops) = (Arc::clone(&views.source), Arc::clone(&views.stops));
        let controls = views.controls.clone();
        let watch = move || follow(&*source, &stops, &controls);
        views.start("ledger-views", watch).map_err(io)?;
        Ok(views)
    }

    fn start(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        let thread = std::thread::Builder::new().name(name.to_owned());
        self.threads.push(thread.spawn(work)?);
        Ok(())
    }

    /// The view of this name.
    #[must_use]
    pub fn view(&self, name: &str) -> Option<View> {
        self.views.iter().find(|view| view.name() == name).cloned()
    }

    /// All views.
    pub fn all(&self) -> impl Iterator<Item = &View> {
        self.views.iter()
    }

    /// Makes a view again beside the one that serves, then lets the new one serve. Also starts a
    /// halted one again. Returns at once; false where there is no view of this name.
    pub fn rebuild(&self, name: &str) -> bool {
        let at = self.views.iter().position(|view| view.name() == name);
        let control = at.and_then(|at| self.controls.get(at));
        control.map(|control| control.rebuild()).is_some()
    }

    /// Work that blocks, at most for the time that it is given, and holds nothing that a close needs: it has what is in
    /// memory written as segments and handed to who vouches for them, so that the next opening has nothing to read
    /// again. A view that has not read all by then is left as it is.
    pub(crate) fn seal_tails(&self) -> impl FnOnce(Duration) + Send + use<> {
        let (controls, clock) = (self.controls.clone(), Arc::clone(&self.clock));
        move |timeout| {
            let start = clock.monotonic_ns();
            controls.iter().for_each(|control| control.order_tail());
            for control in &controls {
                let waited = Duration::from_nanos(clock.monotonic_ns().saturating_sub(start));
                if !control.handed_over(timeout.saturating_sub(waited)) {
                    tracing::info!("a view is closed before all that it holds is in files");
                }
            }
        }
    }

    fn stop(&self) {
        self.stops.store(true, Ordering::Release);
        self.source.wake();
        self.controls.iter().for_each(|control| control.stop());
    }

    /// Closes the views, with what they hold in memory written; waits for their threads, so it blocks.
    pub fn close(mut self) {
        if self.keeping.voucher.is_none() {
            self.seal_tails()(CLOSING);
        }
        self.stop();
        for thread in self.threads.drain(..) {
            // Each catches what its work throws: there is nothing in a panic to act on.
            let _ = thread.join();
        }
        self.keeping.sealer.end();
    }
}

impl Drop for Views {
    fn drop(&mut self) {
        self.stop();
    }
}

fn slots(
    projections: Vec<Box<dyn Projection>>,
    watched: &Watched<'_>,
) -> Result<Vec<ViewSlot>, ViewsOpenError> {
    let (callbacks, budget) = (watched.callbacks, watched.budget);
    let mut slots: Vec<ViewSlot> = Vec::new();
    for (projection, number) in projections.into_iter().zip(1..) {
        let unnamed = callbacks.seat(CallbackKind::Projection, "", budget);
        let asked = unnamed.call(|| (projection.name(), projection.version()));
        let (name, version) =
            asked.map_err(|cause| ViewsOpenError::Projection { number, cause })?;
        if !is_usable(name) || slots.iter().any(|slot| slot.name() == name) {
            return Err(ViewsOpenError::Name(name.to_owned()));
        }
        let shared = Arc::new(ViewShared::new(name));
        let seat = callbacks.seat(CallbackKind::Projection, name, budget);
        slots.push(ViewSlot::new(projection, version, seat, shared));
    }
    Ok(slots)
}

/// A runner catches what its work throws. If it panics all the same, readers are told, and are not left waiting.
fn run(runner: Runner) {
    let (shared, control) = (Arc::clone(&runner.slot.shared), Arc::clone(&runner.control));
    if catch_unwind(AssertUnwindSafe(|| runner.run())).is_ok() {
        return;
    }
    let cause = "the view's thread panicked";
    tracing::error!(view = shared.name, cause);
    metrics::VIEW_FAILURES.counter(&[shared.name]).increment(1);
    shared.update(|state| state.halted = Some(cause.to_owned()));
    control.hand_over();
}

/// Tells the runners how far the journal goes.
fn follow(source: &dyn Source, stops: &AtomicBool, controls: &[Arc<Control>]) {
    let wait = if source.wake() { LOOK } else { LOOK_UNWOKEN };
    let mut head = 0;
    while !stops.load(Ordering::Acquire) {
        let reached = source.wait_beyond(head, wait);
        if reached > head {
            head = reached;
            controls.iter().for_each(|control| control.head(head));
        }
    }
}

fn is_usable(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

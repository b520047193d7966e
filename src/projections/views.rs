// SPDX-License-Identifier: Apache-2.0
//! The handle on all views of a ledger: open, read, rebuild, close.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::boot_mark::Boot;
use super::control::Control;
use super::rebuild::ViewHealth;
use super::runner::Runner;
use super::slot::Slot;
use super::view::{View, ViewShared};
use super::{Projection, Source, ViewsOpenError};
use crate::callbacks::{CallbackKind, Callbacks};
use crate::clock::{Clock, SystemClock};
use crate::metrics;

/// Looks at a closed database and says what is wrong with it.
///
/// Example: [`Source`](crate::projections::Source).
pub type Preflight = Arc<dyn Fn(&Path) -> Result<(), String> + Send + Sync>;
/// Is told what happened to the views.
///
/// Example: [`Source`](crate::projections::Source).
pub type Listener = Arc<dyn Fn(&Notice) + Send + Sync>;

/// How views are kept.
///
/// Example: [`Source`](crate::projections::Source).
#[derive(Clone)]
pub struct ViewsOptions {
    /// Cache for blocks of all views, in bytes.
    pub cache_bytes: u64,
    /// Changes of all views together that are held in memory before they become tables, in bytes.
    pub memtable_bytes: u64,
    /// Files of tables that are kept open for reading, at least 10.
    pub files_max: usize,
    /// Checks what the engine leaves unchecked, before it opens: what it refuses is set aside.
    pub preflight: Option<Preflight>,
    /// Called from the runner's thread; must return soon.
    pub listener: Option<Listener>,
    /// Which start of the machine this is. Views that were not closed under this one are made
    /// again: they are not synced, and a power cut may have taken any part of them.
    pub boot: Boot,
    /// Measures how long views take.
    pub clock: Arc<dyn Clock>,
}

impl Default for ViewsOptions {
    fn default() -> Self {
        Self {
            cache_bytes: 16 << 20,
            memtable_bytes: 8 << 20,
            files_max: 64,
            preflight: None,
            listener: None,
            boot: Boot::System,
            clock: Arc::new(SystemClock::default()),
        }
    }
}

impl ViewsOptions {
    /// A listener that panics is told no more.
    pub(super) fn notify(&mut self, notice: &Notice) {
        let Some(listener) = &self.listener else {
            return;
        };
        let seat = Callbacks::unwatched().seat(CallbackKind::Listener, "views", Duration::MAX);
        if seat.call(|| listener(notice)).is_err() {
            self.listener = None;
        }
    }
}

/// Something happened to the views that an operator wants to know.
///
/// Example: [`Source`](crate::projections::Source).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// Damaged views were moved away; they are being made again.
    SetAside {
        /// What was wrong.
        cause: String,
        /// Where they are kept.
        to: PathBuf,
    },
    /// A new generation of a view serves.
    Rebuilt {
        /// The view.
        view: &'static str,
        /// How far it had read by then.
        position: u64,
    },
    /// Views cannot be brought up to date for now.
    Halted {
        /// Why.
        cause: String,
    },
}

/// All views of one ledger and the thread that keeps them. Dropping it stops the thread without
/// waiting for it; [`Views::close`] waits.
///
/// Example: [`Source`](crate::projections::Source).
pub struct Views {
    control: Arc<Control>,
    views: Vec<View>,
    thread: Option<JoinHandle<()>>,
}

impl Views {
    /// Opens `directory/views`, creating it where it is missing. Views that will not open are
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
        let callbacks = (&Callbacks::unwatched(), Duration::MAX);
        Self::open_watched(directory, options, projections, source, callbacks)
    }

    /// As [`Views::open`]; one call of a projection may take as long as is said with `callbacks`.
    pub(crate) fn open_watched(
        directory: &Path,
        options: ViewsOptions,
        projections: Vec<Box<dyn Projection>>,
        source: Arc<dyn Source>,
        (callbacks, budget): (&Callbacks, Duration),
    ) -> Result<Self, ViewsOpenError> {
        let control = Arc::new(Control::default());
        let mut views: Vec<View> = Vec::new();
        let mut slots = Vec::new();
        for (projection, number) in projections.into_iter().zip(1..) {
            let unnamed = callbacks.seat(CallbackKind::Projection, "", budget);
            let asked = unnamed.call(|| (projection.name(), projection.version()));
            let (name, version) =
                asked.map_err(|cause| ViewsOpenError::Projection { number, cause })?;
            if !is_usable(name) || views.iter().any(|view| view.name() == name) {
                return Err(ViewsOpenError::Name(name.to_owned()));
            }
            let shared = Arc::new(ViewShared::new(name));
            views.push(View::new(Arc::clone(&shared), Arc::clone(&control)));
            let seat = callbacks.seat(CallbackKind::Projection, name, budget);
            slots.push(Slot::new(projection, version, seat, shared));
        }
        let path = directory.join("views");
        let mut runner = Runner {
            path: path.clone(),
            quarantine: directory.join("quarantine"),
            options,
            source,
            control: Arc::clone(&control),
            slots,
            database: None,
            incarnation: 0,
            without_room: None,
            health: ViewHealth::default(),
        };
        runner.open_first();
        let told: Vec<_> = runner
            .slots
            .iter()
            .map(|slot| Arc::clone(&slot.shared))
            .collect();
        let thread = std::thread::Builder::new()
            .name("ledger-views".into())
            .spawn(move || Self::run(runner, &told))
            .map_err(|source| ViewsOpenError::Io { path, source })?;
        Ok(Self {
            control,
            views,
            thread: Some(thread),
        })
    }

    /// The runner catches what its work throws. If it panics all the same, readers are told, and are
    /// not left waiting.
    fn run(runner: Runner, views: &[Arc<ViewShared>]) {
        if catch_unwind(AssertUnwindSafe(|| runner.run())).is_ok() {
            return;
        }
        let cause = "the views' thread panicked";
        tracing::error!(cause);
        for view in views {
            metrics::VIEW_FAILURES.counter(&[view.name]).increment(1);
            view.update(|state| state.halted = Some(cause.to_owned()));
        }
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
        let known = self.views.iter().any(|view| view.name() == name);
        if known {
            self.control.rebuild(name);
        }
        known
    }

    /// Syncs and closes the views; waits for the thread, so it blocks.
    pub fn close(mut self) {
        self.control.stop();
        if let Some(thread) = self.thread.take() {
            // The runner catches what its work throws: there is nothing in a panic to act on.
            let _ = thread.join();
        }
    }
}

impl Drop for Views {
    fn drop(&mut self) {
        self.control.stop();
    }
}

fn is_usable(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

// SPDX-License-Identifier: Apache-2.0
//! Reading a view: short synchronous reads, each under one consistent snapshot.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use crate::integrity::FieldDigest;
use crate::locks::whole;

use super::batch::Pair;
use super::control::Control;
use super::error::ViewError;
use super::position::ViewDigest;
use super::storage::Generation;

mod file;
mod reader;
mod serving;
mod snapshot;

pub(crate) use file::{ViewFile, ViewFileReading};
pub(super) use reader::reader;
pub use snapshot::ViewSnapshot;

/// How far a rebuild is.
///
/// Example: [`Source`](crate::projections::Source).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct RebuildProgress {
    /// Records read.
    pub done: u64,
    /// Records to read: the head when the rebuild began.
    pub total: u64,
}

/// What a view is doing.
///
/// Example: [`Source`](crate::projections::Source).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ViewStatus {
    /// Its name.
    pub name: &'static str,
    /// Version of the generation that serves; `None` where none does.
    pub serving_version: Option<u32>,
    /// Number of the generation that serves.
    pub serving_generation: Option<u64>,
    /// How far the serving generation has read.
    pub position: u64,
    /// Set while another generation is being made.
    pub building: Option<RebuildProgress>,
    /// Set where it stopped: why.
    pub halted: Option<String>,
}

#[derive(Default)]
pub(super) struct ViewState {
    pub(super) serving: Option<Arc<Generation>>,
    pub(super) position: u64,
    pub(super) building: Option<RebuildProgress>,
    pub(super) halted: Option<String>,
    pub(super) closed: bool,
}

/// What the runner and the readers of one view share; the runner alone writes it.
pub(super) struct ViewShared {
    pub(super) name: &'static str,
    /// Of the ledger's own, not an embedder's.
    pub(super) built_in: bool,
    /// Lock: the runner to change some fields, readers for a copy of them; no view is read under it.
    state: Mutex<ViewState>,
    changed: Condvar,
    position: watch::Sender<u64>,
    /// The same, for those who ask with every command: set under the lock, read without it.
    reached: AtomicU64,
}

impl ViewShared {
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            built_in: super::names::BUILT_IN.contains(&name),
            state: Mutex::default(),
            changed: Condvar::new(),
            position: watch::Sender::new(0),
            reached: AtomicU64::new(0),
        }
    }

    /// Changes the state and wakes whoever waits for it.
    pub(super) fn update(&self, change: impl FnOnce(&mut ViewState)) {
        let mut state = whole(self.state.lock());
        change(&mut state);
        let position = state.position;
        self.reached.store(position, Ordering::Release);
        drop(state);
        self.changed.notify_all();
        // Also where it has not moved: whoever waits for it asks whether it still can.
        self.position.send_replace(position);
    }
}

fn unavailable(state: &ViewState) -> ViewError {
    if state.closed {
        return ViewError::Closed;
    }
    if let Some(cause) = &state.halted {
        return ViewError::Halted {
            cause: cause.as_str().into(),
        };
    }
    let RebuildProgress { done, total } = state.building.unwrap_or_default();
    ViewError::Building { done, total }
}

/// What there is to say to someone who waits for `seq`; `None` where it may still come.
fn reached(state: &ViewState, seq: u64) -> Option<Result<u64, ViewError>> {
    if state.serving.is_some() && state.position >= seq {
        return Some(Ok(state.position));
    }
    (state.closed || state.halted.is_some()).then(|| Err(unavailable(state)))
}

/// A view, for readers. Survives rebuilds, damage and the replacement of its generation.
///
/// Example: [`Source`](crate::projections::Source).
#[derive(Clone)]
pub struct View {
    shared: Arc<ViewShared>,
    control: Arc<Control>,
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("View").field(&self.status()).finish()
    }
}

impl View {
    pub(super) fn new(shared: Arc<ViewShared>, control: Arc<Control>) -> Self {
        Self { shared, control }
    }

    /// The projection's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.shared.name
    }

    /// Whether it is one of those that every ledger has.
    #[must_use]
    pub fn is_built_in(&self) -> bool {
        self.shared.built_in
    }

    /// How far the serving generation has read; 0 while none serves.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.shared.reached.load(Ordering::Acquire)
    }

    /// Follows [`View::position`]. It falls back to 0 where a damaged view is made again, and is told
    /// anew, without having moved, where the view stops or goes on.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.shared.position.subscribe()
    }

    /// What it is doing.
    #[must_use]
    pub fn status(&self) -> ViewStatus {
        let state = whole(self.shared.state.lock());
        let serving = state.serving.as_ref();
        ViewStatus {
            name: self.shared.name,
            serving_version: serving.map(|generation| generation.version),
            serving_generation: serving.map(|generation| generation.number),
            position: state.position,
            building: state.building,
            halted: state.halted.clone(),
        }
    }

    /// Bytes of the files that the serving generation lies in; `None` while none serves.
    #[must_use]
    pub fn disk_bytes(&self) -> Option<u64> {
        let serving = whole(self.shared.state.lock()).serving.clone()?;
        let layers = serving.layers();
        Some(layers.segments().map(|segment| segment.bytes()).sum())
    }

    /// Waits until the view has read up to `seq`, at most for `timeout`; gives its position.
    /// Blocks the thread.
    ///
    /// # Errors
    /// [`ViewError::Behind`] after `timeout`; [`ViewError::Halted`] and [`ViewError::Closed`] at
    /// once.
    pub fn at_least(&self, seq: u64, timeout: Duration) -> Result<u64, ViewError> {
        let waiting = |state: &mut ViewState| {
            !(state.closed || state.halted.is_some())
                && (state.position < seq || state.serving.is_none())
        };
        let state = whole(self.shared.state.lock());
        let changed = &self.shared.changed;
        let (state, _) = whole(changed.wait_timeout_while(state, timeout, waiting));
        reached(&state, seq).unwrap_or(Err(ViewError::Behind {
            position: state.position,
            wanted: seq,
        }))
    }

    /// As [`View::at_least`], for an asynchronous caller: holds no thread while it waits. Cancelling
    /// the call ends the wait and nothing else.
    ///
    /// # Errors
    /// As [`View::at_least`].
    ///
    /// # Panics
    /// Outside a tokio runtime whose time is enabled.
    pub async fn reached(&self, seq: u64, timeout: Duration) -> Result<u64, ViewError> {
        let look = |state: &ViewState| reached(state, seq);
        self.wait(seq, timeout, look).await
    }

    async fn wait(
        &self,
        seq: u64,
        timeout: Duration,
        look: impl Fn(&ViewState) -> Option<Result<u64, ViewError>>,
    ) -> Result<u64, ViewError> {
        let mut moved = self.watch();
        let waiting = async {
            loop {
                // Marked before the look: what moves meanwhile ends the wait below.
                moved.mark_unchanged();
                let outcome = {
                    let state = whole(self.shared.state.lock());
                    look(&state)
                };
                if let Some(outcome) = outcome {
                    return outcome;
                }
                if moved.changed().await.is_err() {
                    return Err(ViewError::Closed);
                }
            }
        };
        let waited = tokio::time::timeout(timeout, waiting).await;
        waited.unwrap_or_else(|_| {
            Err(ViewError::Behind {
                position: self.position(),
                wanted: seq,
            })
        })
    }

    /// Reads under one consistent snapshot. Keep it short: a view that is to be set aside waits
    /// for its readers.
    ///
    /// # Errors
    /// [`ViewError`] where nothing serves, and whatever `read` returns. Damage that `read` meets
    /// sets the views aside and rebuilds them.
    pub fn read<R>(
        &self,
        read: impl FnOnce(&ViewSnapshot) -> Result<R, ViewError>,
    ) -> Result<R, ViewError> {
        self.read_version(None, read)
    }

    /// As [`View::read`], for readers that know only one version's keys and values: a generation
    /// of another version still serves those who can read it, and is *building* to the others.
    pub(super) fn read_version<R>(
        &self,
        version: Option<u32>,
        read: impl FnOnce(&ViewSnapshot) -> Result<R, ViewError>,
    ) -> Result<R, ViewError> {
        let generation = {
            let state = whole(self.shared.state.lock());
            match &state.serving {
                Some(serving) if version.is_none_or(|wanted| wanted == serving.version) => {
                    Arc::clone(serving)
                }
                _ => return Err(unavailable(&state)),
            }
        };
        let incarnation = generation.incarnation;
        let outcome = read(&ViewSnapshot::of(&generation));
        if let Err(ViewError::Damaged(cause)) = &outcome {
            let cause = format!("view {}: {cause}", self.shared.name);
            self.control.complain(incarnation, cause);
        }
        outcome
    }

    /// The value under `key`.
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        self.read(|snapshot| snapshot.get(key))
    }

    /// Keys that start with `prefix` and their values, in key order, at most `limit`.
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn scan(&self, prefix: &[u8], limit: usize) -> Result<Vec<Pair>, ViewError> {
        self.read(|snapshot| snapshot.scan(prefix, prefix).take(limit).collect())
    }

    /// The state digest: a hash over every key and value of the view at its position. Two
    /// generations of one version agree on it at every position. Reads the whole view.
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn digest(&self) -> Result<ViewDigest, ViewError> {
        self.read(|snapshot| {
            let mut digest = FieldDigest::new("femtoclaw-ledger view state");
            for pair in snapshot.scan(&[], &[]) {
                let (key, value) = pair?;
                digest.add(&key);
                digest.add(&value);
            }
            Ok(ViewDigest {
                name: self.name(),
                position: snapshot.position(),
                digest: digest.finish(),
            })
        })
    }
}

// SPDX-License-Identifier: Apache-2.0
//! One projection under the runner: the generation that serves and the one being made.

use std::cell::OnceCell;
use std::sync::{Arc, Weak};

use ::metrics::{Counter, Histogram};

use crate::callbacks::{Seat, Steps};
use crate::clock::Clock;
use crate::events::{DecodeError, Event, Record, Seq};
use crate::metrics;

use super::batch::RecentValues;
use super::error::HaltReason;
use super::view::{RebuildProgress, ViewShared};
use super::views_database::{Generation, Position, ViewsDatabase};
use super::{Projection, ProjectionError, Source, ViewBatch};

pub(super) struct Stored {
    pub(super) generation: Arc<Generation>,
    pub(super) position: Position,
    recent: RecentValues,
}

impl Stored {
    fn new(generation: Arc<Generation>, position: Position) -> Self {
        Self {
            generation,
            position,
            recent: RecentValues::default(),
        }
    }
}

pub(super) struct Build {
    pub(super) stored: Stored,
    /// The head when the build began: from there on it may serve.
    pub(super) target: u64,
}

/// Which of a slot's generations takes records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Serving,
    Building,
}

pub(super) struct Slot {
    projection: Box<dyn Projection>,
    /// Asked for once.
    version: u32,
    seat: Arc<Seat>,
    pub(super) shared: Arc<ViewShared>,
    pub(super) serving: Option<Stored>,
    pub(super) building: Option<Build>,
    halted: bool,
    /// It halted, and is being made again: what serves stays where it is until then.
    stands: bool,
    apply_seconds: Histogram,
    failures: Counter,
}

/// A record with its event, which is decoded once for all views, when the first of them wants it.
pub(super) struct ReadRecord {
    pub(super) record: Record,
    event: OnceCell<Result<Event, DecodeError>>,
}

impl ReadRecord {
    pub(super) const fn new(record: Record) -> Self {
        Self {
            record,
            event: OnceCell::new(),
        }
    }

    fn event(&self) -> Result<&Event, ProjectionError> {
        let decoded = self.event.get_or_init(|| self.record.event());
        let seq = self.record.header.seq;
        decoded
            .as_ref()
            .map_err(|error| ProjectionError::Refused(format!("record {seq}: {error}").into()))
    }
}

impl Slot {
    pub(super) fn new(
        projection: Box<dyn Projection>,
        version: u32,
        seat: Arc<Seat>,
        shared: Arc<ViewShared>,
    ) -> Self {
        let view = [shared.name];
        Self {
            apply_seconds: metrics::VIEW_APPLY_SECONDS.histogram(&view),
            failures: metrics::VIEW_FAILURES.counter(&view),
            projection,
            version,
            seat,
            shared,
            serving: None,
            building: None,
            halted: false,
            stands: false,
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.shared.name
    }

    /// The generation that takes records now, if there is one. One of another version is not
    /// read any further: its projection is gone.
    pub(super) fn taking(&self, which: Which) -> Option<&Stored> {
        if self.halted {
            return None;
        }
        match which {
            Which::Serving => self
                .serving
                .as_ref()
                .filter(|stored| !self.stands && stored.generation.version == self.version),
            Which::Building => self.building.as_ref().map(|build| &build.stored),
        }
    }

    /// What serves and what is being made.
    pub(super) fn generations(&self) -> impl Iterator<Item = &Generation> {
        let building = self.building.as_ref().map(|build| &build.stored);
        let stored = self.serving.iter().chain(building);
        stored.map(|stored| &*stored.generation)
    }

    /// Takes up what the database holds of this view; starts to build what it does not.
    pub(super) fn attach(
        &mut self,
        database: &ViewsDatabase,
        source: &dyn Source,
        damaged: bool,
    ) -> Result<(), HaltReason> {
        self.start_again();
        self.building = None;
        let mut reason = if damaged { "damaged" } else { "missing" };
        self.serving = match database.serving(self.name())? {
            Some(generation) => {
                let snapshot = generation.database.snapshot();
                let position = Position::read(&snapshot, &generation.keyspace)?;
                let of_this_history = is_of_this_history(source, &position);
                reason = if of_this_history {
                    "version"
                } else {
                    "other_history"
                };
                of_this_history.then(|| Stored::new(generation, position))
            }
            None => None,
        };
        let serving = self.serving.as_ref().map(|stored| &*stored.generation);
        database.drop_others(self.name(), serving)?;
        let current = serving.is_some_and(|found| found.version == self.version);
        self.publish();
        if current {
            return Ok(());
        }
        self.start_build(database, source.head(), reason)
    }

    /// Begins a new generation beside the one that serves; does nothing while one is being made.
    pub(super) fn start_build(
        &mut self,
        database: &ViewsDatabase,
        target: u64,
        reason: &'static str,
    ) -> Result<(), HaltReason> {
        if self.building.is_some() && !self.halted {
            return Ok(());
        }
        let stands = self.stands || self.halted;
        self.start_again();
        self.stands = stands;
        self.building = None;
        let number = database.next_number(self.name());
        let generation = database.create(self.name(), self.version, number)?;
        self.building = Some(Build {
            stored: Stored::new(generation, Position::default()),
            target,
        });
        // A view of an empty journal is made, not made again.
        if target > 0 {
            let view = self.name();
            tracing::info!(view, reason, target, "view is being made again");
            metrics::VIEW_REBUILDS.counter(&[view, reason]).increment(1);
        }
        self.publish();
        Ok(())
    }

    /// Lets the new generation serve and drops the old, once the new has caught up.
    /// True where it did.
    pub(super) fn settle(&mut self, database: &ViewsDatabase) -> Result<bool, HaltReason> {
        let served = self.taking(Which::Serving).map_or(0, |s| s.position.seq);
        let ready = self.building.as_ref().is_some_and(|build| {
            build.stored.position.seq >= build.target && build.stored.position.seq >= served
        });
        if !ready || self.halted {
            return Ok(false);
        }
        let Some(build) = self.building.take() else {
            return Ok(false);
        };
        database.switch(self.name(), &build.stored.generation)?;
        self.serving = Some(build.stored);
        self.stands = false;
        self.publish();
        let serving = self.serving.as_ref().map(|stored| &*stored.generation);
        database.drop_others(self.name(), serving)?;
        Ok(true)
    }

    /// What halted it is past.
    fn start_again(&mut self) {
        self.halted = false;
        self.stands = false;
        self.seat.well();
    }

    /// Folds the chunk's records that this generation has not seen, and gives how far it came. A
    /// refusal, a panic or a change that is too large halts this view alone; `None` where there is
    /// nothing to write.
    pub(super) fn apply(
        &mut self,
        which: Which,
        chunk: &[ReadRecord],
        clock: &dyn Clock,
    ) -> Result<Option<(ViewBatch, Position)>, HaltReason> {
        if self.taking(which).is_none() {
            return Ok(None);
        }
        let foreign = !self.shared.built_in;
        let Some(stored) = self.stored_mut(which) else {
            return Ok(None);
        };
        let after = stored.position.seq;
        // Comes back with the position once the batch is committed; lost, it costs look-ups.
        let recent = std::mem::take(&mut stored.recent);
        let mut batch = ViewBatch::new(Arc::clone(&stored.generation), after, recent, foreign);
        let projection = &mut self.projection;
        let started = clock.monotonic_ns();
        // A panicking projection must not take the other views with it.
        let outcome = self
            .seat
            .call_in_steps(|steps| fold(projection.as_mut(), &mut batch, chunk, after, steps));
        let took = clock.monotonic_ns().saturating_sub(started);
        self.apply_seconds.record(took as f64 / 1e9);
        // The engine's word alone, or a built-in view's, is believed where all views are concerned.
        match batch.engine_said() {
            Some(ProjectionError::Damaged(cause)) => {
                return Err(HaltReason::Damage(cause.to_string()));
            }
            Some(error) => return Err(HaltReason::Unknown(error.to_string())),
            None => {}
        }
        let cause = match outcome {
            Ok(Ok(position)) => return Ok(position.map(|position| (batch, position))),
            Ok(Err(ProjectionError::Damaged(cause))) if !foreign => {
                return Err(HaltReason::Damage(cause.to_string()));
            }
            Ok(Err(error @ ProjectionError::TooLarge { .. })) => self.seat.nonsense(&error),
            Ok(Err(error)) => self.seat.failed(&error),
            Err(panicked) => format!("the projection panicked: {panicked}"),
        };
        self.halt(cause);
        Ok(None)
    }

    fn stored_mut(&mut self, which: Which) -> Option<&mut Stored> {
        match which {
            Which::Serving => self.serving.as_mut(),
            Which::Building => self.building.as_mut().map(|build| &mut build.stored),
        }
    }

    pub(super) fn moved(&mut self, which: Which, position: Position, recent: RecentValues) {
        if let Some(stored) = self.stored_mut(which) {
            stored.position = position;
            stored.recent = recent;
        }
        self.publish();
    }

    /// Counts a failure of this view, or of what all views lie in.
    pub(super) fn failed(&self) {
        self.failures.increment(1);
    }

    fn halt(&mut self, cause: String) {
        self.halted = true;
        self.failed();
        tracing::error!(view = self.name(), cause, "view halted");
        self.shared.update(|state| state.halted = Some(cause));
    }

    pub(super) fn publish(&self) {
        if self.halted {
            return;
        }
        let serving = self.serving.as_ref();
        let building = self.building.as_ref().map(|build| RebuildProgress {
            done: build.stored.position.seq.min(build.target),
            total: build.target,
        });
        self.shared.update(|state| {
            state.serving = serving.map(|stored| Arc::clone(&stored.generation));
            state.position = serving.map_or(0, |stored| stored.position.seq);
            state.building = building;
            state.halted = None;
        });
    }

    /// Lets go of the database; gives what tells when the last reader has gone.
    pub(super) fn withdraw(&mut self) -> Vec<Weak<Generation>> {
        let held = self.serving.take().into_iter();
        let held = held.chain(self.building.take().map(|build| build.stored));
        let weak = held
            .map(|stored| Arc::downgrade(&stored.generation))
            .collect();
        self.shared.update(|state| {
            state.serving = None;
            state.position = 0;
        });
        weak
    }
}

fn fold(
    projection: &mut dyn Projection,
    batch: &mut ViewBatch,
    chunk: &[ReadRecord],
    after: u64,
    steps: &Steps<'_>,
) -> Result<Option<Position>, ProjectionError> {
    projection.begin();
    let mut reached = None;
    for read in chunk {
        let header = &read.record.header;
        if header.seq.get() <= after {
            continue;
        }
        steps.next();
        projection.apply_header(header, batch)?;
        if projection.wants(header) {
            projection.apply(&read.record, read.event()?, batch)?;
        }
        batch.within_limits()?;
        reached = Some(&read.record);
        if ends_commit(&read.record) && batch.commit_ends() {
            break;
        }
    }
    steps.next();
    projection.finish(batch)?;
    batch.within_limits()?;
    Ok(reached.map(Position::of))
}

pub(super) fn ends_commit(record: &Record) -> bool {
    record.header.commit_index.saturating_add(1) >= record.header.commit_len
}

/// A view that read another history, or further than this one goes, is of no use.
fn is_of_this_history(source: &dyn Source, position: &Position) -> bool {
    if position.seq > source.head() {
        return false;
    }
    let Some(seq) = Seq::new(position.seq) else {
        return true;
    };
    match source.records(seq, 1) {
        Ok(records) => records
            .first()
            .is_some_and(|record| Position::of(record) == *position),
        // Nothing speaks against the view; the journal's trouble is reported where it is read.
        Err(_) => true,
    }
}

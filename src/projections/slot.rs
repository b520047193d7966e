// SPDX-License-Identifier: Apache-2.0
//! One projection under its runner: the generation that serves and the one being made.

use std::sync::Arc;

use ::metrics::{Counter, Histogram};

use crate::callbacks::{Seat, Steps};
use crate::clock::Clock;
use crate::events::Seq;
use crate::metrics;

use super::batch::{RecentValues, ViewBatch};
use super::chunks::{ReadRecord, ends_commit};
use super::error::{HaltReason, ProjectionError};
use super::projection::Projection;
use super::source::Source;
use super::storage::{Keeping, Kept, News, Position, Tell, ViewPlace};
use super::view::{RebuildProgress, ViewShared};

pub(super) struct Stored {
    pub(super) kept: Kept,
    recent: RecentValues,
}

impl Stored {
    fn new(kept: Kept) -> Self {
        Self {
            kept,
            recent: RecentValues::default(),
        }
    }

    pub(super) const fn seq(&self) -> u64 {
        self.kept.position().seq
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

/// What an opening of the view is made with.
pub(super) struct SlotOpening<'a> {
    pub(super) place: &'a ViewPlace,
    pub(super) keeping: &'a Arc<Keeping>,
    pub(super) incarnation: u64,
    pub(super) tell: &'a Tell,
    pub(super) source: &'a dyn Source,
}

pub(super) struct ViewSlot {
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

impl ViewSlot {
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
                .filter(|stored| !self.stands && stored.kept.generation.version == self.version),
            Which::Building => self.building.as_ref().map(|build| &build.stored),
        }
    }

    /// What serves and what is being made.
    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Kept> {
        let building = self.building.as_mut().map(|build| &mut build.stored);
        let stored = self.serving.iter_mut().chain(building);
        stored.map(|stored| &mut stored.kept)
    }

    /// Takes up what is stored of this view; starts to build what is not.
    pub(super) fn attach(
        &mut self,
        opening: &SlotOpening<'_>,
        damaged: bool,
    ) -> Result<(), HaltReason> {
        self.start_again();
        self.building = None;
        let head = opening.source.head();
        let (place, keeping) = (opening.place, opening.keeping);
        let mut reason = if damaged { "damaged" } else { "missing" };
        let found = Kept::open(place, keeping, opening.incarnation, opening.tell, head)?;
        self.serving = match found {
            Some(kept) if is_of_this_history(opening.source, &kept.position()) => {
                reason = "version";
                Some(Stored::new(kept))
            }
            Some(_) => {
                reason = "other_history";
                None
            }
            None => None,
        };
        let serving = self.serving.as_ref().map(|stored| &stored.kept);
        let current = serving.is_some_and(|kept| kept.generation.version == self.version);
        self.publish();
        if current {
            return serving.map_or(Ok(()), Kept::drop_others);
        }
        self.start_build(opening, head, reason)
    }

    /// Takes what a generation is told; what is of one that is gone is void.
    pub(super) fn hear(&mut self, whose: (u64, u64), news: News) -> Result<(), HaltReason> {
        let kept = self.all_mut().find(|kept| kept.is(whose));
        kept.map_or(Ok(()), |kept| kept.hear(news))
    }

    /// Begins a new generation beside the one that serves; does nothing while one is being made.
    pub(super) fn start_build(
        &mut self,
        opening: &SlotOpening<'_>,
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
        let whose = (self.version, opening.incarnation);
        let kept = Kept::create(opening.place, opening.keeping, whose, opening.tell)?;
        self.building = Some(Build {
            stored: Stored::new(kept),
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
    pub(super) fn settle(&mut self) -> Result<bool, HaltReason> {
        let served = self.taking(Which::Serving).map_or(0, Stored::seq);
        let ready = self.building.as_ref().is_some_and(|build| {
            build.stored.seq() >= build.target && build.stored.seq() >= served
        });
        if !ready || self.halted {
            return Ok(false);
        }
        let Some(mut build) = self.building.take() else {
            return Ok(false);
        };
        build.stored.kept.serve()?;
        let before = self.serving.replace(build.stored);
        self.stands = false;
        self.publish();
        // Who reads the one before reads on: then its files go with the next opening.
        let is_read = before.is_some_and(|before| before.kept.is_read());
        match &self.serving {
            Some(serving) if !is_read => serving.kept.drop_others().map(|()| true),
            _ => Ok(true),
        }
    }

    /// What halted it is past.
    fn start_again(&mut self) {
        self.halted = false;
        self.stands = false;
        self.seat.well();
    }

    /// Folds the chunk's records that this generation has not seen, and moves it as far. A refusal, a panic or a
    /// change that is too large halts this view alone.
    pub(super) fn advance(
        &mut self,
        which: Which,
        chunk: &[ReadRecord],
        clock: &dyn Clock,
    ) -> Result<(), HaltReason> {
        let foreign = !self.shared.built_in;
        if self.taking(which).is_none() {
            return Ok(());
        }
        let stored = match which {
            Which::Serving => self.serving.as_mut(),
            Which::Building => self.building.as_mut().map(|build| &mut build.stored),
        };
        let Some(stored) = stored else {
            return Ok(());
        };
        // Segments end with a commit, at the same records however often a view is made.
        let (after, cut) = (stored.seq(), stored.kept.next_cut());
        // Comes back with the position; lost, it costs look-ups.
        let recent = std::mem::take(&mut stored.recent);
        let mut batch = ViewBatch::new(stored.kept.generation.layers(), recent, foreign);
        let projection = &mut self.projection;
        let started = clock.monotonic_ns();
        // A panicking projection must not take its runner with it.
        let outcome = self.seat.call_in_steps(|steps| {
            fold(projection.as_mut(), &mut batch, chunk, (after, cut), steps)
        });
        let took = clock.monotonic_ns().saturating_sub(started);
        self.apply_seconds.record(took as f64 / 1e9);
        // The files' word alone, or a built-in view's, is believed where damage is concerned.
        match batch.files_said() {
            Some(ProjectionError::Damaged(cause)) => {
                return Err(HaltReason::Damage(cause.to_string()));
            }
            Some(error) => return Err(HaltReason::Unknown(error.to_string())),
            None => {}
        }
        let cause = match outcome {
            Ok(Ok(Some(to))) => {
                let Some(stored) = self.stored_mut(which) else {
                    return Ok(());
                };
                let (run, recent) = batch.into_run();
                stored.recent = recent;
                stored.kept.commit(run, to)?;
                self.publish();
                return Ok(());
            }
            Ok(Ok(None)) => return Ok(()),
            Ok(Err(ProjectionError::Damaged(cause))) if !foreign => {
                return Err(HaltReason::Damage(cause.to_string()));
            }
            Ok(Err(error @ ProjectionError::TooLarge { .. })) => self.seat.nonsense(&error),
            Ok(Err(error)) => self.seat.failed(&error),
            Err(panicked) => format!("the projection panicked: {panicked}"),
        };
        self.halt(cause);
        Ok(())
    }

    fn stored_mut(&mut self, which: Which) -> Option<&mut Stored> {
        match which {
            Which::Serving => self.serving.as_mut(),
            Which::Building => self.building.as_mut().map(|build| &mut build.stored),
        }
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
            done: build.stored.seq().min(build.target),
            total: build.target,
        });
        self.shared.update(|state| {
            state.serving = serving.map(|stored| Arc::clone(&stored.kept.generation));
            state.position = serving.map_or(0, Stored::seq);
            state.building = building;
            state.halted = None;
        });
    }

    /// Lets go of what is stored.
    pub(super) fn withdraw(&mut self) {
        (self.serving, self.building) = (None, None);
        self.shared.update(|state| {
            state.serving = None;
            state.position = 0;
        });
    }
}

fn fold(
    projection: &mut dyn Projection,
    batch: &mut ViewBatch,
    chunk: &[ReadRecord],
    (after, cut): (u64, u64),
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
        if ends_commit(&read.record) && (batch.commit_ends() || header.seq.get() >= cut) {
            break;
        }
    }
    steps.next();
    projection.finish(batch)?;
    batch.within_limits()?;
    Ok(reached.map(Position::of))
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

//! One projection under the runner: the generation that serves and the one being made.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};

use crate::events::{DecodeError, Event, Record, Seq};

use super::error::Failure;
use super::view::{Progress, Shared};
use super::views_database::{Generation, Position, ViewsDatabase};
use super::{Projection, ProjectionError, Source, ViewBatch};

pub(super) struct Stored {
    pub(super) generation: Arc<Generation>,
    pub(super) position: Position,
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
    pub(super) shared: Arc<Shared>,
    pub(super) serving: Option<Stored>,
    pub(super) building: Option<Build>,
    halted: bool,
}

/// Records with their events, decoded once for all views.
pub(super) type Chunk = Vec<(Record, Result<Event, DecodeError>)>;

impl Slot {
    pub(super) fn new(projection: Box<dyn Projection>, shared: Arc<Shared>) -> Self {
        Self {
            projection,
            shared,
            serving: None,
            building: None,
            halted: false,
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
                .filter(|stored| stored.generation.version == self.projection.version()),
            Which::Building => self.building.as_ref().map(|build| &build.stored),
        }
    }

    /// Takes up what the database holds of this view; starts to build what it does not.
    pub(super) fn attach(
        &mut self,
        database: &ViewsDatabase,
        source: &dyn Source,
    ) -> Result<(), Failure> {
        self.halted = false;
        self.building = None;
        self.serving = match database.serving(self.name())? {
            Some(generation) => {
                let snapshot = generation.database.snapshot();
                let position = Position::read(&snapshot, &generation.keyspace)?;
                is_of_this_history(source, &position).then_some(Stored {
                    generation,
                    position,
                })
            }
            None => None,
        };
        let serving = self.serving.as_ref().map(|stored| &*stored.generation);
        database.drop_others(self.name(), serving)?;
        let current = serving.is_some_and(|found| found.version == self.projection.version());
        self.publish();
        if current {
            return Ok(());
        }
        self.start_build(database, source.head())
    }

    /// Begins a new generation beside the one that serves; does nothing while one is being made.
    pub(super) fn start_build(
        &mut self,
        database: &ViewsDatabase,
        target: u64,
    ) -> Result<(), Failure> {
        if self.building.is_some() && !self.halted {
            return Ok(());
        }
        self.halted = false;
        self.building = None;
        let number = database.next_number(self.name());
        let generation = database.create(self.name(), self.projection.version(), number)?;
        self.building = Some(Build {
            stored: Stored {
                generation,
                position: Position::default(),
            },
            target,
        });
        self.publish();
        Ok(())
    }

    /// Lets the new generation serve and drops the old, once the new has caught up.
    /// True where it did.
    pub(super) fn settle(&mut self, database: &ViewsDatabase) -> Result<bool, Failure> {
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
        self.publish();
        let serving = self.serving.as_ref().map(|stored| &*stored.generation);
        database.drop_others(self.name(), serving)?;
        Ok(true)
    }

    /// Folds the chunk's records that this generation has not seen. A refusal halts this view
    /// alone; `None` where there is nothing to write.
    pub(super) fn apply(
        &mut self,
        which: Which,
        chunk: &Chunk,
    ) -> Result<Option<ViewBatch>, Failure> {
        let Some(stored) = self.taking(which) else {
            return Ok(None);
        };
        let after = stored.position.seq;
        let mut batch = ViewBatch::new(Arc::clone(&stored.generation));
        let projection = &mut self.projection;
        // A panicking projection must not take the other views with it.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            fold(projection.as_mut(), &mut batch, chunk, after)
        }));
        match outcome {
            Ok(Ok(())) => Ok(Some(batch)),
            Ok(Err(ProjectionError::Damaged(cause))) => Err(Failure::Damage(cause)),
            Ok(Err(refused)) => {
                self.halt(refused.to_string());
                Ok(None)
            }
            Err(panic) => {
                let cause = format!("the projection panicked: {}", panic_text(panic.as_ref()));
                self.halt(cause);
                Ok(None)
            }
        }
    }

    pub(super) fn moved(&mut self, which: Which, position: Position) {
        let stored = match which {
            Which::Serving => self.serving.as_mut(),
            Which::Building => self.building.as_mut().map(|build| &mut build.stored),
        };
        if let Some(stored) = stored {
            stored.position = position;
        }
        self.publish();
    }

    fn halt(&mut self, cause: String) {
        self.halted = true;
        tracing::error!(view = self.name(), cause, "view halted");
        self.shared.update(|state| state.halted = Some(cause));
    }

    pub(super) fn publish(&self) {
        if self.halted {
            return;
        }
        let serving = self.serving.as_ref();
        let building = self.building.as_ref().map(|build| Progress {
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
    chunk: &Chunk,
    after: u64,
) -> Result<(), ProjectionError> {
    for (record, event) in chunk {
        let seq = record.header.seq;
        if seq.get() <= after {
            continue;
        }
        let event = event
            .as_ref()
            .map_err(|error| ProjectionError::Refused(format!("record {seq}: {error}")))?;
        projection.apply(record, event, batch)?;
    }
    Ok(())
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

pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        return (*text).to_owned();
    }
    panic
        .downcast_ref::<String>()
        .cloned()
        .unwrap_or_else(|| "no message".to_owned())
}

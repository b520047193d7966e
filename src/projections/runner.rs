// SPDX-License-Identifier: Apache-2.0
//! The one thread that writes views: takes committed records, folds them into every view, writes
//! views and positions in one batch, and heals what breaks.
//!
//! Invariants: a view's position is always the end of a commit; a generation serves only once it
//! has read all that was committed when its making began; nothing is reopened or moved while a
//! reader still holds it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::callbacks::panic_text;
use crate::events::{Record, Seq};

use super::Source;
use super::control::Control;
use super::error::HaltReason;
use super::rebuild::ViewHealth;
use super::slot::{ReadRecord, Slot, Which, ends_commit};
use super::views::{Notice, ViewsOptions};
use super::views_database::{Position, ViewsDatabase};

/// Records asked for at a time: bounds memory and how late a reader sees the first of them.
const CHUNK_RECORDS: usize = 512;
/// Chunks given to generations in the making for each one given to those that serve.
const BUILD_CHUNKS: usize = 4;
/// How long a runner waits for memtables to become tables before it looks again.
const FLUSHING: Duration = Duration::from_millis(1);
/// Memtables that wait longer than this for a thread of the engine wait for one that has panicked.
const STUCK: Duration = Duration::from_secs(120);
/// More of a pause between two looks was time in which the process did not run.
const LOOK_NS_MAX: u64 = 1_000_000_000;
/// How long an idle runner waits before it looks for orders again.
const IDLE: Duration = Duration::from_millis(20);

pub(super) struct Runner {
    pub(super) path: PathBuf,
    pub(super) quarantine: PathBuf,
    pub(super) options: ViewsOptions,
    pub(super) source: Arc<dyn Source>,
    pub(super) control: Arc<Control>,
    pub(super) slots: Vec<Slot>,
    pub(super) database: Option<ViewsDatabase>,
    pub(super) incarnation: u64,
    /// When the database was seen without room for changes last, and for how long by then.
    pub(super) without_room: Option<(u64, u64)>,
    pub(super) health: ViewHealth,
}

impl Runner {
    /// Runs until told to stop.
    pub(super) fn run(mut self) {
        loop {
            let orders = self.control.take();
            if orders.stop {
                break;
            }
            if let Some((incarnation, cause)) = orders.complaint
                && incarnation == self.incarnation
            {
                self.heal(HaltReason::Damage(cause));
            }
            let outcome = self.guarded(|runner| {
                runner.rebuild_on_demand(&orders.rebuild)?;
                runner.step()
            });
            match outcome {
                Ok(Step::Moved) => {}
                Ok(Step::Idle { head }) => {
                    self.source.wait_beyond(head, IDLE);
                }
                Err(failure) => self.heal(failure),
            }
        }
        self.shut();
        // A projection is the embedder's, also where it is dropped.
        for slot in self.slots.drain(..) {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(slot))) {
                let cause = panic_text(panic);
                tracing::error!(cause, "a projection panicked where it was dropped");
            }
        }
    }

    /// The engine asserts where files are not what it wrote: a panic may be damage too.
    pub(super) fn guarded<R>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<R, HaltReason>,
    ) -> Result<R, HaltReason> {
        catch_unwind(AssertUnwindSafe(|| work(self))).unwrap_or_else(|panic| {
            let text = panic_text(panic);
            Err(HaltReason::Panic(format!("the engine panicked: {text}")))
        })
    }

    fn step(&mut self) -> Result<Step, HaltReason> {
        let head = self.source.head();
        if self.database.is_none() && !self.open()? {
            self.control.pause(IDLE);
            return Ok(Step::Moved);
        }
        if !self.has_room()? {
            self.control.pause(FLUSHING);
            return Ok(Step::Moved);
        }
        let mut moved = self.advance(Which::Serving, head)?;
        for _ in 0..BUILD_CHUNKS {
            if !self.advance(Which::Building, head)? {
                break;
            }
            moved = true;
        }
        moved |= self.settle()?;
        if self.health.trouble_over() {
            self.slots.iter().for_each(Slot::publish);
        }
        Ok(if moved {
            Step::Moved
        } else {
            Step::Idle { head }
        })
    }

    /// Whether the database takes more changes now.
    fn has_room(&mut self) -> Result<bool, HaltReason> {
        let Some(database) = &self.database else {
            return Ok(true);
        };
        let generations = self.slots.iter().flat_map(Slot::generations);
        let room = database.make_room(generations)?;
        let now = self.options.clock.monotonic_ns();
        let (looked, waited) = self.without_room.unwrap_or((now, 0));
        let waited = waited + now.saturating_sub(looked).min(LOOK_NS_MAX);
        self.without_room = Some((now, waited));
        if room {
            self.without_room = None;
        } else if waited > STUCK.as_nanos() as u64 {
            self.without_room = None;
            let cause = "the engine has stopped making tables of memtables".to_owned();
            return Err(HaltReason::Unknown(cause));
        }
        Ok(room)
    }

    /// One chunk for every view of this kind that is behind the head. False where none is.
    fn advance(&mut self, which: Which, head: u64) -> Result<bool, HaltReason> {
        let behind = |slot: &Slot| {
            let at = slot.taking(which)?.position.seq;
            (at < head).then_some(at)
        };
        let Some(after) = self.slots.iter().filter_map(behind).min() else {
            return Ok(false);
        };
        let chunk = self.chunk(after)?;
        let (Some(database), Some(ReadRecord { record: last, .. })) =
            (&self.database, chunk.last())
        else {
            let cause = format!("no record after {after}, but the head is {head}");
            return Err(HaltReason::Source(cause));
        };
        let position = Position::of(last);
        let mut batch = database.batch();
        let mut moved = Vec::new();
        for (index, slot) in self.slots.iter_mut().enumerate() {
            let wants = slot
                .taking(which)
                .is_some_and(|stored| stored.position.seq < position.seq);
            if wants && let Some((changes, to)) = slot.apply(which, &chunk, &*self.options.clock)? {
                moved.push((index, to, changes.write_into(&to, &mut batch)));
            }
        }
        database.commit(batch)?;
        for (index, to, recent) in moved {
            if let Some(slot) = self.slots.get_mut(index) {
                slot.moved(which, to, recent);
            }
        }
        Ok(true)
    }

    /// Whole commits after `after`, at least one.
    fn chunk(&self, after: u64) -> Result<Vec<ReadRecord>, HaltReason> {
        let mut records: Vec<Record> = Vec::new();
        loop {
            let next = after + records.len() as u64 + 1;
            let Some(from) = Seq::new(next) else {
                return Ok(Vec::new());
            };
            let more = self
                .source
                .records(from, CHUNK_RECORDS)
                .map_err(HaltReason::Source)?;
            let in_order = more
                .iter()
                .zip(next..)
                .all(|(record, seq)| record.header.seq.get() == seq);
            if !in_order {
                return Err(HaltReason::Source(format!(
                    "records after {after} have a gap"
                )));
            }
            let exhausted = more.is_empty();
            records.extend(more);
            let end = records.iter().rposition(ends_commit);
            if let Some(end) = end {
                records.truncate(end + 1);
            }
            if end.is_some() || exhausted {
                return Ok(records.into_iter().map(ReadRecord::new).collect());
            }
        }
    }

    pub(super) fn settle(&mut self) -> Result<bool, HaltReason> {
        let Some(database) = &self.database else {
            return Ok(false);
        };
        let mut settled = false;
        for slot in &mut self.slots {
            if slot.settle(database)? {
                settled = true;
                let position = slot.serving.as_ref().map_or(0, |s| s.position.seq);
                self.options.notify(&Notice::Rebuilt {
                    view: slot.name(),
                    position,
                });
            }
        }
        if settled {
            self.health.recovered();
        }
        Ok(settled)
    }
}

enum Step {
    Moved,
    Idle { head: u64 },
}

// SPDX-License-Identifier: Apache-2.0
//! Keeps one view: takes committed records, folds them, and heals what breaks. Every view has its own, so that one
//! that is slow, halted or being made again concerns itself alone.
//!
//! Invariants: a view's position is always the end of a commit; a generation serves only once it has read all that
//! was committed when its making began.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use crate::callbacks::panic_text;

use super::chunks::Chunks;
use super::control::{Control, Orders};
use super::error::HaltReason;
use super::health::ViewHealth;
use super::notices::{Notice, Notices};
use super::slot::{SlotOpening, Stored, ViewSlot, Which};
use super::storage::{Keeping, Tell, ViewPlace};

pub(super) struct Runner {
    pub(super) place: ViewPlace,
    pub(super) quarantine: PathBuf,
    pub(super) notices: Arc<Notices>,
    pub(super) clock: Arc<dyn crate::clock::Clock>,
    pub(super) chunks: Arc<Chunks>,
    /// Its number among those that read there.
    pub(super) reader: usize,
    pub(super) control: Arc<Control>,
    pub(super) keeping: Arc<Keeping>,
    pub(super) tell: Tell,
    pub(super) slot: ViewSlot,
    /// It has what is stored in hand.
    pub(super) is_open: bool,
    pub(super) incarnation: u64,
    pub(super) health: ViewHealth,
    pub(super) tail: Option<Tail>,
}

/// A view's runs are to become a segment, although their range has not ended.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tail {
    /// Once the view has come as far as this.
    From(u64),
    /// It is being written.
    Ordered,
}

impl Runner {
    /// Runs until told to stop.
    pub(super) fn run(mut self) {
        loop {
            let orders = self.control.take();
            if orders.stop {
                self.end(orders);
                break;
            }
            let outcome = self.guarded(|runner| {
                runner.obey(orders)?;
                runner.step()
            });
            match outcome {
                Ok(Step::Moved) => {}
                Ok(Step::Idle { head }) => self.control.wait_beyond(head),
                Err(failure) => {
                    if self.tail.take().is_some() {
                        self.control.hand_over();
                    }
                    self.heal(failure);
                }
            }
        }
        self.control.hand_over();
        // A projection is the embedder's, also where it is dropped.
        let slot = self.slot;
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(slot))) {
            let cause = panic_text(panic);
            tracing::error!(cause, "a projection panicked where it was dropped");
        }
    }

    /// A panic is contained: what it left is opened again.
    pub(super) fn guarded<R>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<R, HaltReason>,
    ) -> Result<R, HaltReason> {
        catch_unwind(AssertUnwindSafe(|| work(self))).unwrap_or_else(|panic| {
            let text = panic_text(panic);
            Err(HaltReason::Panic(format!(
                "keeping the view panicked: {text}"
            )))
        })
    }

    pub(super) fn opening<'a>(
        place: &'a ViewPlace,
        keeping: &'a Arc<Keeping>,
        (incarnation, tell): (u64, &'a Tell),
        chunks: &'a Chunks,
    ) -> SlotOpening<'a> {
        SlotOpening {
            place,
            keeping,
            incarnation,
            tell,
            source: chunks.source(),
        }
    }

    fn obey(&mut self, orders: Orders) -> Result<(), HaltReason> {
        if orders.tail {
            self.tail = Some(Tail::From(self.chunks.source().head()));
        }
        if let Some((incarnation, cause)) = orders.complaint
            && incarnation == self.incarnation
        {
            return Err(HaltReason::Damage(cause));
        }
        for (whose, news) in orders.news {
            self.slot.hear(whose, news)?;
        }
        if orders.rebuild {
            self.rebuild_on_demand()?;
        }
        Ok(())
    }

    fn step(&mut self) -> Result<Step, HaltReason> {
        let head = self.chunks.source().head();
        if !self.is_open && !self.open()? {
            self.write_tail()?;
            return Ok(Step::Idle { head: u64::MAX });
        }
        if !self.slot.all_mut().all(|kept| kept.has_room()) {
            // Told when there is.
            return Ok(Step::Idle { head: u64::MAX });
        }
        let mut moved = self.advance(Which::Serving, head)?;
        moved |= self.advance(Which::Building, head)?;
        moved |= self.settle()?;
        for kept in self.slot.all_mut() {
            kept.merge_neighbours()?;
        }
        if self.health.trouble_over() {
            self.slot.publish();
        }
        if moved {
            return Ok(Step::Moved);
        }
        self.write_tail()?;
        Ok(Step::Idle { head })
    }

    /// One chunk, where the generation is behind the head. False where it is not.
    fn advance(&mut self, which: Which, head: u64) -> Result<bool, HaltReason> {
        let Some(after) = self.slot.taking(which).map(Stored::seq) else {
            return Ok(false);
        };
        if after >= head {
            return Ok(false);
        }
        let chunk = self.chunks.after(self.reader, after)?;
        if chunk.is_empty() {
            let cause = format!("no record after {after}, but the head is {head}");
            return Err(HaltReason::Source(cause));
        }
        self.slot.advance(which, &chunk, &*self.clock)?;
        Ok(true)
    }

    pub(super) fn settle(&mut self) -> Result<bool, HaltReason> {
        if !self.slot.settle()? {
            return Ok(false);
        }
        let position = self.slot.serving.as_ref().map_or(0, Stored::seq);
        let view = self.slot.name();
        self.notices.tell(&Notice::Rebuilt { view, position });
        self.health.recovered();
        Ok(true)
    }

    /// Where it was ordered, and the view has come far enough: its runs become a segment. Once: the record that vouches
    /// for that segment, and those of the other views, would else be the next.
    fn write_tail(&mut self) -> Result<(), HaltReason> {
        let Some(tail) = self.tail else {
            return Ok(());
        };
        let goes_on = self.slot.taking(Which::Serving).is_some();
        let serving = self.slot.serving.as_mut().map(|stored| &mut stored.kept);
        let is_done = match (serving.filter(|_| goes_on), tail) {
            (Some(kept), Tail::From(head)) if kept.position().seq < head => false,
            (Some(kept), Tail::From(_)) => {
                kept.order_tail()?;
                self.tail = Some(Tail::Ordered);
                !kept.is_writing()
            }
            (Some(kept), Tail::Ordered) => !kept.is_writing(),
            // It is halted or being made again, and will not come so far.
            (None, _) => true,
        };
        if is_done {
            self.tail = None;
            self.control.hand_over();
        }
        Ok(())
    }

    /// Takes what was told last; what is in memory goes, and is read again from the journal.
    fn end(&mut self, orders: Orders) {
        for (whose, news) in orders.news {
            if let Err(failure) = self.slot.hear(whose, news) {
                tracing::warn!(
                    cause = failure.cause(),
                    "views are not as far as they could be"
                );
                break;
            }
        }
        self.slot.shared.update(|state| state.closed = true);
        self.slot.withdraw();
    }
}

enum Step {
    Moved,
    Idle { head: u64 },
}

// SPDX-License-Identifier: Apache-2.0
//! Admission: actor mailboxes are unbounded, so what enters them is bounded here, in records and
//! bytes, before a message is sent (FC-STORAGE §19).

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::access::GrantState;
use crate::config::Limits;
use crate::error::AppendError;
use crate::events::ExecutionId;

mod ends;

pub(crate) use ends::{EndingRoom, Ends};

/// One unit of the byte allowance.
const UNIT_BYTES: usize = 256;

/// The whole allowance of a ledger.
pub(crate) struct Gate {
    records: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    running: Arc<Semaphore>,
    pub(crate) ends: Arc<Ends>,
    pub(crate) limits: Limits,
}

/// Room taken by one command, given back when its answer is delivered.
#[derive(Debug, Default)]
#[allow(dead_code, reason = "held for its drop")]
pub(crate) struct Admitted {
    room: [Option<OwnedSemaphorePermit>; 4],
    ending: Option<EndingRoom>,
}

impl Admitted {
    /// Also in the room that executions hold for their end.
    pub(crate) fn ending(mut self, ending: EndingRoom) -> Self {
        self.ending = Some(ending);
        self
    }
}

/// Room for one execution to finish, held from its start.
#[derive(Debug)]
pub(crate) struct FinishReserve {
    #[allow(dead_code, reason = "held for its drop")]
    room: OwnedSemaphorePermit,
    ends: Arc<Ends>,
    execution: Option<ExecutionId>,
}

impl FinishReserve {
    /// From here on it is this execution's, and its ending asks for no more.
    pub(crate) fn of(mut self, execution: ExecutionId) -> Self {
        self.ends.begin(execution);
        self.execution = Some(execution);
        self
    }
}

impl Drop for FinishReserve {
    fn drop(&mut self) {
        if let Some(execution) = self.execution {
            self.ends.end(execution);
        }
    }
}

impl Gate {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            records: Arc::new(Semaphore::new(limits.pending_records_max)),
            bytes: Arc::new(Semaphore::new(units(limits.pending_bytes_max))),
            running: Arc::new(Semaphore::new(limits.running_max)),
            ends: Arc::default(),
            limits,
        }
    }

    /// A component's part.
    pub(crate) fn component_part(&self) -> (Arc<Semaphore>, Arc<Semaphore>) {
        let room = |whole| Arc::new(Semaphore::new(part(whole)));
        (
            room(self.limits.pending_records_max),
            room(units(self.limits.pending_bytes_max)),
        )
    }

    /// Commands waiting or under way.
    pub(crate) fn pending_records(&self) -> usize {
        self.limits
            .pending_records_max
            .saturating_sub(self.records.available_permits())
    }

    /// Bytes waiting or under way, in steps of 256.
    pub(crate) fn pending_bytes(&self) -> usize {
        units(self.limits.pending_bytes_max).saturating_sub(self.bytes.available_permits())
            * UNIT_BYTES
    }

    /// Executions started and not finished.
    pub(crate) fn running(&self) -> usize {
        self.limits
            .running_max
            .saturating_sub(self.running.available_permits())
    }

    /// Room for one more running execution; never waits, because only finishing makes room.
    pub(crate) fn reserve_finish(&self) -> Result<FinishReserve, AppendError> {
        let permit = Arc::clone(&self.running).try_acquire_owned();
        permit
            .map(|room| FinishReserve {
                room,
                ends: Arc::clone(&self.ends),
                execution: None,
            })
            .map_err(|_| busy("running executions", self.limits.running_max))
    }

    /// Takes room for a command of `size` bytes; where `wait`, waits its turn (first come,
    /// first served), else says `Busy`. Cancelling the call gives everything back.
    pub(crate) async fn admit(
        &self,
        grant: &GrantState,
        size: usize,
        wait: bool,
    ) -> Result<Admitted, AppendError> {
        let need = units(size);
        let part = units(self.limits.pending_bytes_max) / 4 * 3;
        if need > part {
            let limit = (part * UNIT_BYTES) as u64;
            return Err(AppendError::TooLarge {
                field: "command",
                size: size as u64,
                limit,
            });
        }
        let need = u32::try_from(need).unwrap_or(u32::MAX);
        let wanted = [
            (&grant.of.records, 1),
            (&grant.of.bytes, need),
            (&self.records, 1),
            (&self.bytes, need),
        ];
        let mut admitted = Admitted::default();
        for ((semaphore, count), held) in wanted.into_iter().zip(&mut admitted.room) {
            let permit = match Arc::clone(semaphore).try_acquire_many_owned(count) {
                Ok(permit) => permit,
                Err(_) if !wait => {
                    return Err(busy("pending records", self.limits.pending_records_max));
                }
                Err(_) => Arc::clone(semaphore)
                    .acquire_many_owned(count)
                    .await
                    .map_err(|_| AppendError::ShuttingDown)?,
            };
            *held = Some(permit);
        }
        Ok(admitted)
    }
}

/// What one component may have of a whole: three quarters, so that something is left to the others.
pub(crate) const fn part(whole: usize) -> usize {
    let part = whole / 4 * 3;
    if part == 0 { 1 } else { part }
}

fn busy(what: &'static str, limit: usize) -> AppendError {
    AppendError::Busy {
        what,
        limit: limit as u64,
    }
}

fn units(bytes: usize) -> usize {
    bytes.div_ceil(UNIT_BYTES).max(1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use tokio_test::task::{Spawn, spawn};
    use tokio_test::{assert_pending, assert_ready};

    use super::*;
    use crate::access::{Component, Rights};
    use crate::clock::ManualClock;
    use crate::events::ComponentId;

    fn component(gate: &Gate) -> GrantState {
        let clock = Arc::new(ManualClock::new(0));
        GrantState {
            component: ComponentId::LEDGER,
            of: Arc::new(Component::new("tester", gate.component_part(), clock)),
            rights: Rights::none(),
            opening: 0,
            generation: 0,
        }
    }

    /// Asks for room; where a future stands in the queue is settled by its first poll.
    fn asked<'a>(
        gate: &'a Gate,
        of: &'a GrantState,
        size: usize,
    ) -> Spawn<impl Future<Output = Result<Admitted, AppendError>> + 'a> {
        spawn(gate.admit(of, size, true))
    }

    #[test]
    fn an_ending_has_its_room_until_its_answer_is_delivered() {
        let gate = Gate::new(Limits::default());
        let execution = ExecutionId::from_bytes([1; 16]);
        let _running = gate.reserve_finish().unwrap().of(execution);
        let ending = gate.ends.take([execution].into_iter()).unwrap();
        let answered = Admitted::default().ending(ending);
        assert!(
            gate.ends.take([execution].into_iter()).is_none(),
            "one at a time"
        );
        drop(answered);
        assert!(gate.ends.take([execution].into_iter()).is_some());
    }

    #[test]
    fn who_waits_is_served_in_turn_and_small_ones_do_not_pass_a_large_one() {
        let limits = Limits {
            pending_bytes_max: 16 * UNIT_BYTES,
            ..Limits::default()
        };
        let gate = Gate::new(limits);
        // Three components: what they compete for is the whole, 16 units of bytes.
        let [first, second, third] = std::array::from_fn(|_| component(&gate));
        let mut held: Vec<_> = [&first, &first, &second, &second]
            .into_iter()
            .map(|of| assert_ready!(asked(&gate, of, 4 * UNIT_BYTES).poll()).unwrap())
            .collect();
        let mut large = asked(&gate, &third, 6 * UNIT_BYTES);
        assert_pending!(large.poll());
        let mut small = asked(&gate, &second, 1);
        assert_pending!(small.poll());
        let mut smaller = asked(&gate, &third, 1);
        assert_pending!(smaller.poll());
        drop(held.pop());
        // Four units are free; the large one needs six, and is the next.
        assert_pending!(large.poll());
        assert_pending!(small.poll());
        assert_pending!(smaller.poll());
        let mut late = asked(&gate, &first, 1);
        assert_pending!(late.poll());
        drop(held.pop());
        // Eight: enough for these three, in whatever order they are looked at, and no more.
        assert_pending!(late.poll());
        let all = [smaller.poll(), small.poll(), large.poll()];
        let all = all.map(|admitted| assert_ready!(admitted).unwrap());
        drop(all);
        drop(assert_ready!(late.poll()).unwrap());
        drop(held);
        assert_eq!((gate.pending_bytes(), gate.pending_records()), (0, 0));
    }

    #[test]
    fn a_command_has_no_more_than_a_components_part_and_all_that_is_taken_is_counted() {
        let limits = Limits {
            pending_bytes_max: 16 * UNIT_BYTES,
            ..Limits::default()
        };
        let gate = Gate::new(limits);
        let one = component(&gate);
        let all = assert_ready!(asked(&gate, &one, 12 * UNIT_BYTES).poll()).unwrap();
        assert_eq!(gate.pending_bytes(), 12 * UNIT_BYTES);
        assert_eq!((gate.pending_records(), gate.running()), (1, 0));
        drop(all);
        for units in [13, 14, 1_000] {
            let size = units * UNIT_BYTES;
            let told = assert_ready!(asked(&gate, &one, size).poll()).map(drop);
            assert!(
                matches!(
                    told,
                    Err(AppendError::TooLarge {
                        field: "command",
                        size: 3_328..,
                        limit: 3_072
                    })
                ),
                "{told:?}"
            );
        }
        let two = [
            gate.reserve_finish().unwrap(),
            gate.reserve_finish().unwrap(),
        ];
        assert_eq!((gate.pending_records(), gate.running()), (0, 2));
        drop(two);
        assert_eq!(gate.running(), 0);
    }

    #[test]
    fn who_has_ended_holds_no_room_for_another_end() {
        let gate = Gate::new(Limits::default());
        let execution = ExecutionId::from_bytes([1; 16]);
        let reserve = gate.reserve_finish().unwrap().of(execution);
        assert!(gate.ends.take([execution].into_iter()).is_some());
        drop(reserve);
        assert!(gate.ends.take([execution].into_iter()).is_none());
    }

    #[test]
    fn who_stops_waiting_gives_everything_back_and_the_next_moves_up() {
        let limits = Limits {
            pending_records_max: 8,
            ..Limits::default()
        };
        let gate = Gate::new(limits);
        let [first, second] = std::array::from_fn(|_| component(&gate));
        let admitted = |of| assert_ready!(asked(&gate, of, 1).poll()).unwrap();
        let held: Vec<_> = (0..6).map(|_| admitted(&first)).collect();
        let rest: Vec<_> = (0..2).map(|_| admitted(&second)).collect();
        for _ in 0..100 {
            // The first waits for its own part, the second for the whole.
            let mut waiting = [asked(&gate, &first, 1), asked(&gate, &second, 1)];
            waiting.iter_mut().for_each(|it| assert_pending!(it.poll()));
        }
        let mut gone = asked(&gate, &second, 1);
        let mut next = asked(&gate, &second, 1);
        assert_pending!(gone.poll());
        assert_pending!(next.poll());
        drop(rest);
        // Room was given to it, and it goes without having looked.
        drop(gone);
        drop(assert_ready!(next.poll()).unwrap());
        drop(held);
        assert_eq!((gate.pending_bytes(), gate.pending_records()), (0, 0));
        let part: Vec<_> = (0..6).map(|_| admitted(&first)).collect();
        assert_pending!(asked(&gate, &first, 1).poll());
        drop(part);
    }
}

//! Admission: actor mailboxes are unbounded, so what enters them is bounded here, in records and
//! bytes, before a message is sent (FC-STORAGE §19).

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::access::GrantState;
use crate::config::Limits;
use crate::error::AppendError;

/// One unit of the byte allowance.
const UNIT_BYTES: usize = 256;

/// The whole allowance of a ledger.
pub(crate) struct Gate {
    records: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    running: Arc<Semaphore>,
    pub(crate) limits: Limits,
}

/// Room taken by one command, given back when its answer is delivered.
#[derive(Default)]
#[allow(dead_code, reason = "held for its drop")]
pub(crate) struct Admitted(Vec<OwnedSemaphorePermit>);

/// Room for one execution to finish, held from its start.
#[allow(dead_code, reason = "held for its drop")]
#[derive(Debug)]
pub(crate) struct FinishReserve(OwnedSemaphorePermit);

impl Gate {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            records: Arc::new(Semaphore::new(limits.pending_records_max)),
            bytes: Arc::new(Semaphore::new(units(limits.pending_bytes_max))),
            running: Arc::new(Semaphore::new(limits.running_max)),
            limits,
        }
    }

    /// A component's part: three quarters of the whole.
    pub(crate) fn component_part(&self) -> (Arc<Semaphore>, Arc<Semaphore>) {
        let part = |whole: usize| Arc::new(Semaphore::new((whole / 4 * 3).max(1)));
        (
            part(self.limits.pending_records_max),
            part(units(self.limits.pending_bytes_max)),
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
            .map(FinishReserve)
            .map_err(|_| busy("running executions", self.limits.running_max))
    }

    /// Takes room for a command of `size` bytes; where `wait`, waits its turn (first come,
    /// first served), else says `Busy`. Dropping the future gives everything back.
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
                size: size as u64,
                limit,
            });
        }
        let need = u32::try_from(need).unwrap_or(u32::MAX);
        let wanted = [
            (&grant.records, 1),
            (&grant.bytes, need),
            (&self.records, 1),
            (&self.bytes, need),
        ];
        let mut held = Vec::with_capacity(wanted.len());
        for (semaphore, count) in wanted {
            let semaphore = Arc::clone(semaphore);
            let permit = match semaphore.clone().try_acquire_many_owned(count) {
                Ok(permit) => permit,
                Err(_) if !wait => {
                    return Err(busy("pending records", self.limits.pending_records_max));
                }
                Err(_) => semaphore
                    .acquire_many_owned(count)
                    .await
                    .map_err(|_| AppendError::ShuttingDown)?,
            };
            held.push(permit);
        }
        Ok(Admitted(held))
    }
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

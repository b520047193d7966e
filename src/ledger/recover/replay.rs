// SPDX-License-Identifier: Apache-2.0
//! Opening reads the journal from the last saved states on, or all of it where there are none:
//! every record read is checked against chain and commitment, and every state is brought up by the
//! function that made it. Nothing here writes.

use std::sync::Arc;

use crate::actors::{
    CommandClaim, ComponentNames, ConfigurationState, EventSourced, ExecutionLogState, ReplayError,
    RuntimeMetadataState,
};
use crate::events::{CommandId, ComponentId, Event, LedgerId, Record, RecordHeader, Seq};
use crate::journal::{AfterClose, Closes, EpochStretch, Frame, Head, Journal};

use crate::error::{Cause, OpenError};

use super::caller_gone::Dropped;
use crate::ledger::read::history_lookup::{Commanded, decoded};

/// What the journal says of the past.
#[derive(Default)]
pub(crate) struct Replayed {
    pub(crate) head: Head,
    pub(crate) executions: ExecutionLogState,
    pub(crate) configuration: ConfigurationState,
    pub(crate) metadata: RuntimeMetadataState,
    /// Component names and numbers.
    pub(crate) components: ComponentNames,
    /// Commands that the indexes may not hold yet.
    pub(crate) claims: Vec<((ComponentId, CommandId), CommandClaim)>,
    /// True where the last record is a clean close, or there is none.
    pub(crate) clean: bool,
    /// Where the states were saved, if they were: right before these records.
    pub(crate) from: SavedDigests,
    /// Places that the saved states did not know yet are behind this record.
    pub(crate) places_from: Option<u64>,
    /// Records read.
    pub(crate) read: u64,
    under_way: Option<Commanded>,
    closes: Closes,
}

/// Sequence numbers of the records that hold the saved states' digests; 0: not saved.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SavedDigests {
    pub(crate) executions: u64,
    pub(crate) configuration: u64,
    pub(crate) metadata: u64,
    pub(crate) components: u64,
}

impl SavedDigests {
    pub(crate) fn first(&self) -> u64 {
        self.executions
            .min(self.configuration)
            .min(self.metadata)
            .min(self.components)
    }

    pub(crate) fn last(&self) -> u64 {
        self.executions
            .max(self.configuration)
            .max(self.metadata)
            .max(self.components)
    }
}

/// Reads `journal` from what was saved on. Claims behind `window_from` are collected, those
/// before are in the indexes.
pub(crate) fn replay(
    journal: &Arc<dyn Journal>,
    ledger: LedgerId,
    window_from: u64,
    saved: Replayed,
    dropped: &Dropped,
) -> Result<Replayed, OpenError> {
    let mut replayed = Replayed {
        clean: true,
        ..saved
    };
    let mut forget_at = 1 << 16;
    let first = replayed.from.first().min(window_from);
    let first = replayed.places_from.map_or(first, |from| from.min(first));
    for frame in journal.frames(Seq::FIRST.plus(first)) {
        dropped.check()?;
        let frame = frame.map_err(OpenError::journal)?;
        replayed.frame(&frame, ledger, window_from)?;
        if replayed.head.count() >= forget_at {
            forget_at = replayed.head.count() + (1 << 16);
            replayed.forget(window_from);
        }
    }
    replayed.settle();
    replayed.forget(window_from);
    Ok(replayed)
}

impl Replayed {
    fn frame(&mut self, frame: &Frame, ledger: LedgerId, window: u64) -> Result<(), OpenError> {
        if frame.ledger != ledger {
            return Err(OpenError::OtherLedger {
                expected: ledger,
                found: frame.ledger,
            });
        }
        // Checksums are plain digests, which an editor can make anew: here hashes and commitments count.
        frame.verify().map_err(OpenError::journal)?;
        for record in frame.records() {
            let record = record.map_err(OpenError::journal)?;
            self.record(&record, frame.epoch, window)?;
        }
        self.head = frame.last;
        Ok(())
    }

    fn record(&mut self, record: &Record, epoch: u64, window_from: u64) -> Result<(), OpenError> {
        let header = &record.header;
        let next = EpochStretch::record(epoch, header.seq, header.event_type);
        if let Some(AfterClose { closed, found }) = self.closes.next(&next) {
            return Err(OpenError::RecordsAfterClose { closed, found });
        }
        let event = decoded(record).map_err(|error| OpenError::History(Cause::of(error)))?;
        self.states(header, &event)
            .map_err(|error| OpenError::History(Cause::of(error)))?;
        self.read += 1;
        if let Event::ComponentGranted(granted) = &event {
            self.components
                .0
                .insert_mut(granted.name.as_str().into(), granted.component);
        }
        self.clean = matches!(event, Event::LedgerClosed(_));
        if header.seq.get() > window_from && header.component != ComponentId::LEDGER {
            let key = (header.component, header.command);
            match &mut self.under_way {
                Some(commanded) if commanded.key == key => commanded.join(header, &event),
                _ => {
                    self.settle();
                    self.under_way = Some(Commanded::new(header, &event));
                }
            }
        }
        Ok(())
    }

    /// A saved state holds everything before its own record already, but where the last of it is.
    fn states(&mut self, header: &RecordHeader, event: &Event) -> Result<(), ReplayError> {
        let seq = header.seq.get();
        if seq > self.from.executions {
            self.executions.replay(header, event)?;
        }
        if seq > self.from.configuration {
            self.configuration.replay(header, event)?;
        } else {
            self.configuration.place(header, event);
        }
        if seq > self.from.metadata {
            self.metadata.replay(header, event)?;
        } else {
            self.metadata.place(header, event);
        }
        Ok(())
    }

    fn settle(&mut self) {
        let key_and_claim = |commanded: Commanded| (commanded.key, commanded.into_claim());
        self.claims.extend(self.under_way.take().map(key_and_claim));
    }

    fn forget(&mut self, position: u64) {
        if let Some(position) = Seq::new(position.min(self.head.count())) {
            self.executions.forget_through(position);
        }
    }
}

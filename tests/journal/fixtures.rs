// SPDX-License-Identifier: Apache-2.0
//! Records and frames for tests: small, deterministic, different from each other.

use femtoclaw_ledger::events::*;
use femtoclaw_ledger::integrity::Chain;
use femtoclaw_ledger::journal::{Frame, FrameBuilder, Head, NewRecord};

pub(crate) const LEDGER: LedgerId = LedgerId::from_bytes([7; 16]);

/// A record whose payload is an event that names `number`.
pub(crate) fn record(number: u64) -> NewRecord {
    let event = Event::from(ModuleRemovedV1 {
        module: format!("module {number}"),
    });
    let mut payload = Vec::new();
    event.encode_into(&mut payload);
    sealed(NewRecord {
        event_type: EventType::ModuleRemoved,
        revision: 1,
        flags: 0,
        outcome: Outcome::Success,
        stores: EventType::ModuleRemoved.stores(),
        component: ComponentId(3),
        stream: StreamId::NIL,
        stream_version: 0,
        execution: ExecutionId::NIL,
        parent: ParentId::NIL,
        trace: TraceId::NIL,
        subject: SubjectId::NIL,
        observed_difference_ns: 0,
        command: CommandId::from_bytes(u128::from(number).to_be_bytes()),
        command_digest: [9; 32],
        commit_index: 0,
        commit_len: 1,
        salt: u128::from(number).to_le_bytes(),
        commitment: [0; 32],
        payload,
    })
}

/// The record with the commitment that its salt and payload ask for.
pub(crate) fn sealed(mut record: NewRecord) -> NewRecord {
    record.commitment = Chain::default().payload_commitment(&record.salt, &record.payload);
    record
}

/// Time of the record with this number.
pub(crate) fn time(number: u64) -> i64 {
    1_700_000_000_000_000_000 + number as i64 * 10
}

pub(crate) fn frame_in(epoch: u64, after: Head, count: u64) -> Frame {
    let mut builder = FrameBuilder::new(LEDGER, epoch, after);
    for number in after.count() + 1..=after.count() + count {
        builder.push(&record(number), time(number));
    }
    builder.finish()
}

pub(crate) fn frame(after: Head, count: u64) -> Frame {
    frame_in(1, after, count)
}

pub(crate) fn seq(value: u64) -> Seq {
    Seq::new(value).unwrap()
}

/// What a record of [`record`] says its number is.
pub(crate) fn number(record: &Record) -> u64 {
    match record.event().unwrap() {
        Event::ModuleRemoved(event) => event.module[7..].parse().unwrap(),
        other => panic!("unexpected {other:?}"),
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Large frames, whose records are hashed side by side: each record by itself, wherever it stands.

use femtoclaw_ledger::Seq;
use femtoclaw_ledger::events::{
    CommandId, ComponentId, EventType, ExecutionId, HEADER_LEN, LedgerId, Outcome, ParentId,
    SALT_LEN, StreamId, SubjectId, TraceId,
};
use femtoclaw_ledger::integrity::{Chain, checksum};
use femtoclaw_ledger::journal::{
    FRAME_HEADER_LEN, Frame, FrameBuilder, FrameProblem, Head, NewRecord, ReadFailure,
};

const RECORDS: u64 = 300;

/// Payloads of many lengths, from none to more than the hash takes in one piece.
fn large() -> Frame {
    let head = Head {
        seq: Seq::new(1_000),
        ..Head::default()
    };
    let mut builder = FrameBuilder::new(LedgerId::from_bytes([7; 16]), 1, head);
    for number in 0..RECORDS {
        let payload = vec![number as u8; (number * number % 1_500) as usize];
        let salt = u128::from(number).to_le_bytes();
        let record = NewRecord {
            event_type: EventType::TelemetryRecorded,
            revision: 1,
            flags: 0,
            outcome: Outcome::Neutral,
            stores: EventType::TelemetryRecorded.stores(),
            component: ComponentId(1),
            stream: StreamId::NIL,
            stream_version: 0,
            execution: ExecutionId::NIL,
            parent: ParentId::NIL,
            trace: TraceId::NIL,
            subject: SubjectId::NIL,
            observed_difference_ns: 0,
            command: CommandId::from_bytes([1; 16]),
            command_digest: [2; 32],
            commit_index: 0,
            commit_len: 1,
            commitment: Chain::default().payload_commitment(&salt, &payload),
            salt,
            payload,
        };
        builder.push(&record, 5);
    }
    builder.take()
}

/// With one bit changed in a record at this place of it, and checksums that know nothing of it.
fn forged(frame: &Frame, index: usize, place: usize) -> Result<(), ReadFailure> {
    let mut bytes = frame.bytes().to_vec();
    let body = FRAME_HEADER_LEN + 40 * RECORDS as usize;
    let entry = FRAME_HEADER_LEN + 40 * index;
    let offset = u32::from_le_bytes(bytes[entry..entry + 4].try_into().unwrap());
    bytes[body + offset as usize + place] ^= 1;
    let sum = checksum(&bytes[body..]);
    bytes[144..160].copy_from_slice(&sum);
    let sum = checksum(&bytes[..176]);
    bytes[176..192].copy_from_slice(&sum);
    Frame::decode(&bytes).unwrap().verify()
}

#[test]
fn a_forged_record_anywhere_in_a_large_frame_is_named() {
    let frame = large();
    frame.verify().unwrap();
    assert_eq!(
        frame.records().filter(Result::is_ok).count() as u64,
        RECORDS
    );
    for index in [
        0, 1, 15, 16, 126, 127, 128, 129, 254, 255, 256, 257, 298, 299,
    ] {
        let salted = (HEADER_LEN, FrameProblem::Commitment);
        let after = (HEADER_LEN + SALT_LEN - 1, FrameProblem::Commitment);
        for (place, problem) in [(4, FrameProblem::RecordHash), salted, after] {
            let seq = frame.first.get() + index;
            let expected = ReadFailure::Damaged {
                seq: Seq::new(seq).unwrap(),
                problem,
            };
            assert_eq!(forged(&frame, index as usize, place), Err(expected));
        }
    }
}

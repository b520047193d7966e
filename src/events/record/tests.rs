// SPDX-License-Identifier: Apache-2.0
//! A header reads back, and what none is does not.

use super::*;
use crate::events::LedgerClosedV1;

fn header() -> RecordHeader {
    RecordHeader {
        event_type: EventType(0x0102),
        revision: 3,
        flags: flags::TRUNCATED,
        codec: 1,
        algorithm: 1,
        outcome: Outcome::Denied,
        stores: StoreMask::ALL,
        seq: Seq::FIRST.plus(6),
        time_ns: -5,
        stream: StreamId::from_bytes([1; 16]),
        stream_version: 8,
        execution: ExecutionId::from_bytes([2; 16]),
        parent: ParentId::from_bytes([3; 16]),
        trace: TraceId::from_bytes([4; 16]),
        command: CommandId::from_bytes([5; 16]),
        command_digest: [6; 32],
        commit_index: 9,
        commit_len: 10,
        component: ComponentId(11),
        payload_len: 12,
        payload_commitment: [7; 32],
        subject: SubjectId::from_bytes([8; 16]),
        observed_difference_ns: -13,
        data_key: 14,
    }
}

#[test]
fn a_header_has_the_stated_length_and_reads_back() {
    let header = header();
    let mut bytes = Vec::new();
    header.encode_into(&mut bytes);
    assert_eq!(bytes.len(), HEADER_LEN);
    assert_eq!(RecordHeader::decode(&bytes), Ok(header));
    for length in 0..HEADER_LEN {
        assert!(RecordHeader::decode(&bytes[..length]).is_err(), "{length}");
    }
    bytes[8] = 0;
    assert!(
        RecordHeader::decode(&bytes).is_ok(),
        "an unknown codec is read, not decoded"
    );
    // A record of a later software is written again as it is: hashes cover it.
    for place in [2, 4, 6, 8, 10, 11] {
        bytes[place] = 0xEE;
    }
    let later = RecordHeader::decode(&bytes).unwrap();
    let mut again = Vec::new();
    later.encode_into(&mut again);
    assert_eq!(again, bytes);
    assert_eq!(later.outcome.name(), "unknown");
    for place in HEADER_LEN - 4..HEADER_LEN {
        let mut reserved = bytes.clone();
        reserved[place] = 1;
        let refused = RecordHeader::decode(&reserved);
        assert_eq!(refused, Err(HeaderError::Reserved), "{place}");
    }
    bytes[9] = 2;
    assert_eq!(
        RecordHeader::decode(&bytes),
        Err(HeaderError::UnknownAlgorithm(2))
    );
}

#[test]
fn a_payload_under_a_key_is_opaque() {
    let mut header = header();
    header.event_type = EventType::LedgerClosed;
    header.revision = 1;
    header.data_key = 0;
    let event = Event::from(LedgerClosedV1 { running: 7 });
    let mut payload = Vec::new();
    event.encode_into(&mut payload);
    let mut record = Record {
        hash: [0; 32],
        content: Some(Content {
            salt: [0; SALT_LEN],
            payload,
        }),
        header,
    };
    assert_eq!(record.event(), Ok(event));
    for key in [1, u32::MAX] {
        record.header.data_key = key;
        assert_eq!(record.event(), Ok(Event::Opaque), "{key}");
    }
    record.content = None;
    assert_eq!(record.event(), Ok(Event::Withheld));
}

#[test]
fn a_payload_under_a_key_bars_writing_where_something_rests_on_it() {
    for (event_type, needed) in [
        (EventType::LedgerClosed, true),
        (EventType::TelemetryRecorded, false),
        (EventType(0x7777), true),
        (EventType(0x8777), false),
    ] {
        for (revision, data_key) in [(1, 0), (1, 7), (9, 0), (9, 7)] {
            let header = RecordHeader {
                event_type,
                revision,
                data_key,
                ..header()
            };
            let is_read = data_key == 0 && event_type.is_known(revision);
            assert_eq!(header.bars_writing(), needed && !is_read, "{header:?}");
        }
    }
}

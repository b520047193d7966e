// SPDX-License-Identifier: Apache-2.0
//! Frames: what is built is read, and no changed byte goes unnoticed.

use femtoclaw_ledger::events::{HEADER_LEN, HeaderError, flags};
use femtoclaw_ledger::integrity::{self, Chain};
use femtoclaw_ledger::journal::*;

use crate::fixtures::{LEDGER, frame, number, record, seq, time};

/// Byte ranges of the parts of a frame, as `docs/FORMAT.md` states them.
const TABLE: usize = 192;
const ENTRY: usize = 40;

fn example() -> Frame {
    let before = frame(Head::default(), 4).last;
    frame(before, 3)
}

#[test]
fn a_built_frame_reads_back_equal() {
    let built = example();
    let read = Frame::decode(built.bytes()).unwrap();
    assert_eq!(read, built);
    assert_eq!((read.first, read.count, read.last.count()), (seq(5), 3, 7));
    assert_eq!((read.first_time_ns, read.last.time_ns), (time(5), time(7)));
    assert_eq!((read.ledger, read.epoch, read.last.epoch), (LEDGER, 1, 1));
    read.verify().unwrap();
    let records: Vec<_> = read.records().map(Result::unwrap).collect();
    assert_eq!(records.iter().map(number).collect::<Vec<_>>(), [5, 6, 7]);
    for record in &records {
        assert_eq!(&read.record(record.header.seq).unwrap(), record);
    }
    assert_eq!(read.records_from(seq(7)).count(), 1);
    assert_eq!(read.records_from(seq(8)).count(), 0);
    assert!(matches!(
        read.record(seq(8)),
        Err(ReadFailure::Damaged {
            problem: FrameProblem::Missing,
            ..
        })
    ));
}

#[test]
fn the_builder_goes_on_in_the_same_buffers_with_the_same_bytes() {
    let mut builder = FrameBuilder::new(LEDGER, 1, Head::default());
    let mut after = Head::default();
    for round in 0..3_u64 {
        for number in after.count() + 1..=after.count() + 2 {
            assert_eq!(builder.push(&record(number), time(number)), seq(number));
        }
        assert_eq!(builder.records(), 2, "round {round}");
        let bytes = builder.bytes();
        let taken = builder.take();
        assert_eq!(taken, frame(after, 2));
        assert_eq!(taken.bytes().len(), bytes);
        assert_eq!((builder.records(), builder.head()), (0, taken.last));
        after = taken.last;
    }
}

#[test]
fn record_bytes_is_what_a_record_takes() {
    let one = record(1);
    let mut builder = FrameBuilder::new(LEDGER, 1, Head::default());
    let before = builder.bytes();
    builder.push(&one, 1);
    assert_eq!(
        builder.bytes() - before,
        FrameBuilder::record_bytes(one.payload.len())
    );
}

/// What reading a frame as a whole says about it.
fn judge(bytes: &[u8]) -> Result<Frame, String> {
    let frame = Frame::decode(bytes).map_err(|problem| problem.to_string())?;
    frame.verify().map_err(|failure| failure.to_string())?;
    Ok(frame)
}

#[test]
fn every_flipped_bit_is_detected() {
    let built = example();
    let mut bytes = built.bytes().to_vec();
    judge(&bytes).unwrap();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            judge(&bytes).expect_err(&format!("bit {bit} of byte {at}"));
            bytes[at] ^= 1 << bit;
        }
    }
}

#[test]
fn a_flipped_byte_of_a_record_is_found_in_that_record_alone() {
    let built = example();
    let mut bytes = built.bytes().to_vec();
    let body = TABLE + 3 * ENTRY;
    let length = (bytes.len() - body) / 3;
    for at in body..bytes.len() {
        bytes[at] ^= 0x5A;
        let frame = Frame::decode(&bytes).unwrap();
        let bad = seq(5 + ((at - body) / length) as u64);
        for record in 5..=7 {
            let read = frame.record(seq(record));
            assert_eq!(
                read.is_err(),
                seq(record) == bad,
                "byte {at}, record {record}"
            );
        }
        // The walk names it too, and goes on behind it.
        let bad_ones: Vec<_> = frame.records().filter_map(Result::err).collect();
        assert!(
            matches!(&bad_ones[..], [ReadFailure::Damaged { seq, .. }] if *seq == bad),
            "byte {at}: {bad_ones:?}"
        );
        let failure = frame.verify().unwrap_err();
        assert!(
            matches!(failure, ReadFailure::Damaged { seq, .. } if seq == bad),
            "byte {at}"
        );
        bytes[at] ^= 0x5A;
    }
}

#[test]
fn header_and_table_are_checked_before_any_record_is_read() {
    let built = example();
    let mut bytes = built.bytes().to_vec();
    for at in 10..TABLE + 3 * ENTRY {
        bytes[at] ^= 1;
        let expected = if at < TABLE {
            FrameProblem::HeaderChecksum
        } else {
            FrameProblem::TableChecksum
        };
        assert_eq!(Frame::decode(&bytes), Err(expected), "byte {at}");
        bytes[at] ^= 1;
    }
}

#[test]
fn every_shorter_and_longer_frame_is_detected() {
    let built = example();
    for length in 0..built.bytes().len() {
        judge(&built.bytes()[..length]).expect_err(&format!("cut to {length}"));
    }
    let mut longer = built.bytes().to_vec();
    longer.push(0);
    assert_eq!(Frame::decode(&longer), Err(FrameProblem::Length));
}

/// Sets the checksums of table, body and header to what the bytes ask for, as someone would who
/// forges a frame.
fn forge(bytes: &mut [u8]) {
    let body = TABLE + 3 * ENTRY;
    let sums = [(144, body..bytes.len()), (160, TABLE..body), (176, 0..176)];
    for (at, range) in sums {
        let sum = integrity::checksum(&bytes[range]);
        bytes[at..at + 16].copy_from_slice(&sum);
    }
}

#[test]
fn forged_checksums_do_not_hide_a_change() {
    let built = example();
    let body = TABLE + 3 * ENTRY;
    let mut untouched = built.bytes().to_vec();
    forge(&mut untouched);
    assert_eq!(untouched, built.bytes(), "forging nothing changes nothing");
    for at in (64..144).chain(TABLE..built.bytes().len()) {
        let mut bytes = built.bytes().to_vec();
        bytes[at] ^= 1;
        forge(&mut bytes);
        judge(&bytes).expect_err(&format!("byte {at} of {}, body at {body}", bytes.len()));
    }
}

#[test]
fn an_older_and_a_newer_frame_are_refused_by_their_version() {
    for found in [1_u16, 2, 4] {
        let mut bytes = example().bytes().to_vec();
        bytes[8..10].copy_from_slice(&found.to_le_bytes());
        assert_eq!(Frame::decode(&bytes), Err(FrameProblem::Version { found }));
    }
    let mut bytes = example().bytes().to_vec();
    bytes[12] = 1;
    forge(&mut bytes);
    assert_eq!(Frame::decode(&bytes), Err(FrameProblem::Flags { found: 1 }));
    assert_eq!(
        Frame::decode(b"not a frame, just text"),
        Err(FrameProblem::Magic)
    );
}

/// Makes every record hash anew, as someone would who rewrites history.
fn rechain(bytes: &mut [u8]) {
    let body = TABLE + 3 * ENTRY;
    let mut previous: [u8; 32] = bytes[80..112].try_into().unwrap();
    for entry in (TABLE..body).step_by(ENTRY) {
        let offset = u32::from_le_bytes(bytes[entry..entry + 4].try_into().unwrap()) as usize;
        let header = &bytes[body + offset..body + offset + HEADER_LEN];
        previous = Chain::default().record_hash(&previous, header);
        bytes[entry + 8..entry + 40].copy_from_slice(&previous);
    }
    bytes[112..144].copy_from_slice(&previous);
    forge(bytes);
}

#[test]
fn what_even_a_new_chain_does_not_hide() {
    let length = (example().bytes().len() - TABLE - 3 * ENTRY) / 3;
    let second = TABLE + 3 * ENTRY + length;
    // In the second record's header: seq, time, payload length, reserved bytes; then salt and payload.
    let cases = [
        (second + 16, FrameProblem::Seq { found: 7 }),
        (second + 25, FrameProblem::Time),
        (second + 156, FrameProblem::Table),
        (second + 220, FrameProblem::Header(HeaderError::Reserved)),
        (second + 221, FrameProblem::Header(HeaderError::Reserved)),
        (second + 222, FrameProblem::Header(HeaderError::Reserved)),
        (second + 223, FrameProblem::Header(HeaderError::Reserved)),
        (second + 160, FrameProblem::Commitment),
        (second + HEADER_LEN, FrameProblem::Commitment),
        (second + HEADER_LEN + 16, FrameProblem::Commitment),
    ];
    for (at, expected) in cases {
        let mut bytes = example().bytes().to_vec();
        bytes[at] ^= 1;
        rechain(&mut bytes);
        let failure = Frame::decode(&bytes).unwrap().verify().unwrap_err();
        let ReadFailure::Damaged { problem, .. } = failure else {
            panic!("{failure:?}");
        };
        assert_eq!(problem, expected, "byte {}", at - second);
    }
}

#[test]
fn flags_and_large_payloads_survive() {
    let mut large = record(1);
    large.flags = flags::TRUNCATED | flags::AFTER_THE_FACT;
    large.payload = vec![0xAB; 1 << 20];
    let large = crate::fixtures::sealed(large);
    let mut builder = FrameBuilder::new(LEDGER, 1, Head::default());
    builder.push(&large, 1);
    let frame = Frame::decode(builder.finish().bytes()).unwrap();
    let read = frame.record(seq(1)).unwrap();
    assert_eq!(
        (read.header.flags, read.payload()),
        (large.flags, Some(&*large.payload))
    );
    frame.verify().unwrap();
}

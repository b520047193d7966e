// SPDX-License-Identifier: Apache-2.0
//! The golden files: bytes that were written once and are read for ever.
//!
//! `UPDATE_GOLDEN=1 cargo test --test golden` writes them anew; for a format that has been
//! released that is never right.

#![cfg(feature = "engine")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod approval;
mod dump;
mod earlier;
mod json;
mod samples;
mod state;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use femtoclaw_ledger::directory::{DIRECTORY_FORMAT, Identity};
use femtoclaw_ledger::events::*;
use femtoclaw_ledger::integrity::Chain;
use femtoclaw_ledger::journal::{Frame, FrameBuilder, Head, NewRecord};
use serde_json::Value;

const LEDGER: LedgerId = LedgerId::from_bytes(*b"golden ledger v1");
const CREATED_NS: i64 = 1_767_225_600_000_000_000;
const RECORDS_PER_FRAME: usize = 14;
/// Where the first record of a full frame begins.
const BODY: usize = 192 + RECORDS_PER_FRAME * 40;

/// The golden files; written anew before the first test reads them, where that is wanted.
fn folder() -> PathBuf {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v3");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::remove_dir_all(&folder).ok();
            fs::create_dir_all(&folder).unwrap();
            for (name, bytes) in files() {
                fs::write(folder.join(name), bytes).unwrap();
            }
        }
        folder
    });
    FOLDER.clone()
}

/// 16 bytes that name what they are for and which record.
fn id(tag: u8, number: u64) -> [u8; 16] {
    ((u128::from(tag) << 120) | u128::from(number)).to_be_bytes()
}

/// A record in which every header field differs from its neighbours.
fn record(event: &Event, number: u64) -> NewRecord {
    let mut payload = Vec::new();
    event.encode_into(&mut payload);
    record_of(
        event.event_type().unwrap(),
        event.revision(),
        payload,
        number,
    )
}

fn record_of(event_type: EventType, revision: u16, payload: Vec<u8>, number: u64) -> NewRecord {
    let salt = id(0x5A, number);
    NewRecord {
        event_type,
        revision,
        flags: [0, flags::TRUNCATED, flags::AFTER_THE_FACT][number as usize % 3],
        outcome: Outcome::ALL[number as usize % Outcome::ALL.len()],
        stores: event_type.stores(),
        component: ComponentId(number as u32 * 1_000),
        stream: StreamId::from_bytes(id(0x51, number)),
        stream_version: number * 70_000,
        execution: ExecutionId::from_bytes(id(0xE0, number / 4)),
        parent: ParentId::from_bytes(id(0xF0, number / 8)),
        trace: TraceId::from_bytes(id(0x7A, number)),
        subject: SubjectId::from_bytes(id(0x5B, number / 3)),
        observed_difference_ns: number as i64 * -70_000_000_001,
        command: CommandId::from_bytes(id(0xC0, number / 2)),
        command_digest: [number as u8; 32],
        commit_index: (number % 2) as u16,
        commit_len: 2,
        salt,
        commitment: Chain::default().payload_commitment(&salt, &payload),
        payload,
    }
}

/// The golden journal, made anew.
fn journal() -> Vec<Frame> {
    let mut builder = FrameBuilder::new(LEDGER, 1, Head::default());
    let mut frames = Vec::new();
    // Equal times, as the records of a commit have.
    let time_ns = |number: u64| CREATED_NS + (number / 2) as i64 * 1_000_003;
    for (events, epoch) in samples::samples().chunks(RECORDS_PER_FRAME).zip(1_u64..) {
        // Every frame another epoch: a header field like any other.
        builder = FrameBuilder::new(LEDGER, epoch, builder.head());
        for event in events {
            let number = builder.head().count() + 1;
            builder.push(&record(event, number), time_ns(number));
        }
        frames.push(builder.take());
    }
    // The last one holds what earlier software wrote.
    let epoch = frames.len() as u64 + 1;
    builder = FrameBuilder::new(LEDGER, epoch, builder.head());
    for it in earlier::earlier() {
        let number = builder.head().count() + 1;
        let payload = it.payload.to_vec();
        let record = record_of(it.kind, it.revision, payload, number);
        builder.push(&record, time_ns(number));
    }
    frames.push(builder.take());
    frames
}

fn identity() -> Identity {
    Identity {
        format: DIRECTORY_FORMAT,
        ledger: LEDGER,
        created_ns: CREATED_NS,
    }
}

fn name(frame: &Frame) -> String {
    format!("frame-{:04}.bin", frame.first.get())
}

/// Every golden file, as this software writes it.
fn files() -> Vec<(String, Vec<u8>)> {
    let frames = journal();
    let lines: String = dump::dump(&identity(), &frames)
        .iter()
        .map(|line| format!("{line}\n"))
        .collect();
    let mut files: Vec<_> = frames
        .iter()
        .map(|frame| (name(frame), frame.bytes().to_vec()))
        .collect();
    files.push(("LEDGER".into(), identity().encode().into_bytes()));
    files.push(("dump.jsonl".into(), lines.into_bytes()));
    files
}

#[test]
fn this_software_writes_the_golden_bytes() {
    for (name, bytes) in &files() {
        let golden = fs::read(folder().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let same = golden.iter().zip(bytes).take_while(|(a, b)| a == b).count();
        assert!(golden == *bytes, "{name} differs from byte {same} on");
    }
    let made: BTreeSet<_> = files().into_iter().map(|(name, _)| name).collect();
    let found = fs::read_dir(folder()).unwrap();
    let found = found
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(made, found);
}

#[test]
fn this_software_reads_the_golden_bytes() {
    let mut head = Head::default();
    let mut events = Vec::new();
    for made in journal() {
        let bytes = fs::read(folder().join(name(&made))).unwrap();
        let frame = Frame::decode(&bytes).unwrap();
        frame.verify().unwrap();
        assert_eq!(
            (frame.first.get(), frame.previous),
            (head.count() + 1, head.hash)
        );
        events.extend(
            frame
                .records()
                .map(|record| record.unwrap().event().unwrap()),
        );
        head = frame.last;
    }
    let earlier = earlier::earlier().into_iter().map(|it| it.event);
    let expected: Vec<_> = samples::samples().into_iter().chain(earlier).collect();
    assert_eq!(events, expected);
    let types: BTreeSet<_> = events.iter().filter_map(Event::event_type).collect();
    assert_eq!(
        types,
        EventType::ALL.iter().copied().collect(),
        "every type, and no other"
    );
}

#[test]
fn another_language_reads_the_same() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/decode.py");
    let output = match Command::new("python3").arg(&script).arg(folder()).output() {
        Ok(output) => output,
        Err(error) => {
            eprintln!("SKIPPED: the second decoder did not run, python3 is not there: {error}");
            return;
        }
    };
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let theirs: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let ours = dump::dump(&identity(), &journal());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
}

type Damage = fn(&mut Vec<u8>);

#[test]
fn the_second_decoder_refuses_what_is_damaged() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/decode.py");
    let frame = &journal()[0];
    let cases: [(&str, Damage); 6] = [
        ("magic", |bytes| bytes[0] ^= 1),
        ("version", |bytes| bytes[8] = 2),
        ("length", |bytes| bytes.truncate(bytes.len() - 1)),
        ("sequence number", |bytes| bytes[BODY + 16] ^= 1),
        ("reserved", |bytes| bytes[BODY + 220] = 1),
        ("reserved", |bytes| bytes[BODY + 223] = 0x80),
    ];
    for (case, damage) in cases {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = frame.bytes().to_vec();
        damage(&mut bytes);
        fs::write(folder.path().join(name(frame)), bytes).unwrap();
        let Ok(output) = Command::new("python3")
            .arg(&script)
            .arg(folder.path())
            .output()
        else {
            eprintln!("SKIPPED: the second decoder did not run, python3 is not there");
            return;
        };
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && told.contains(case),
            "{case}: {told}"
        );
    }
}

/// `docs/FORMAT.md` names every event type with its number, and each of its fields.
#[test]
fn the_document_draws_every_wire_struct() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/FORMAT.md");
    let document = fs::read_to_string(path).unwrap();
    let newest = samples::samples().into_iter().map(|event| {
        let kind = event.event_type().unwrap();
        (kind, event.revision(), dump::payload(&event))
    });
    let earlier = earlier::earlier().into_iter();
    let earlier = earlier.map(|it| (it.kind, it.revision, it.fields));
    for (kind, revision, payload) in newest.chain(earlier) {
        let title = format!("`{:#06x}` {kind}, revision {revision}", kind.0);
        let (_, section) = document
            .split_once(&title)
            .unwrap_or_else(|| panic!("no {title}"));
        let section = section.split("\n\n").take(2).collect::<String>();
        let fields = payload.as_object().unwrap();
        for field in fields.keys() {
            assert!(section.contains(&format!("`{field}` ")), "{title}: {field}");
        }
        assert_eq!(
            section.matches('`').count(),
            fields.len() * 2,
            "{title}: another field"
        );
    }
}

// SPDX-License-Identifier: Apache-2.0
//! How what is read looks as JSON. `UPDATE_JSON=1 cargo test --test golden` writes the files anew.

use std::path::Path;

use femtoclaw_ledger::events::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{journal, samples};

/// Compares each value with its line of a golden file.
fn hold(name: &str, values: impl Iterator<Item = impl Serialize>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/json")
        .join(name);
    let lines: String = values
        .map(|value| serde_json::to_string(&value).unwrap() + "\n")
        .collect();
    if std::env::var_os("UPDATE_JSON").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &lines).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    for (line, golden) in lines.lines().zip(golden.lines()) {
        assert_eq!(line, golden);
    }
    assert_eq!(lines.lines().count(), golden.lines().count());
}

#[test]
fn records_are_json_of_words_times_and_hexadecimal_digits() {
    let frames = journal();
    let records = frames.iter().flat_map(|frame| frame.records());
    let records: Vec<_> = records.map(|record| record.unwrap()).collect();
    hold("records.jsonl", records.iter());
    for record in &records {
        let Value::Object(fields) = serde_json::to_value(record).unwrap() else {
            panic!("a record is an object");
        };
        no_number_lists(&fields["header"]);
        no_number_lists(&fields["event"]);
        assert_eq!(fields["event"]["type"], fields["header"]["event_type"]);
    }
}

fn no_number_lists(value: &Value) {
    match value {
        Value::Array(items) => assert!(!items.iter().any(Value::is_number), "{value}"),
        Value::Object(fields) => fields.values().for_each(no_number_lists),
        _ => {}
    }
}

#[test]
fn records_that_are_withheld_or_of_a_later_software_are_json_too() {
    let frames = journal();
    let mut record = frames[0].records().next().unwrap().unwrap();
    record.content = None;
    let withheld = serde_json::to_value(&record).unwrap();
    assert_eq!(
        (&withheld["event"], &withheld["payload"]),
        (&Value::Null, &Value::Null)
    );
    record.header.event_type = EventType(0x7777);
    record.header.flags = 1 << 9 | flags::TRUNCATED;
    record.header.outcome = Outcome::Later(77);
    record.header.stores = StoreMask::from_bits(0xC1);
    let payload = vec![0xFF, 0xFE];
    record.content = Some(Content {
        salt: [0x5A; 16],
        payload,
    });
    let later = serde_json::to_value(&record).unwrap();
    assert_eq!(later["event"], Value::Null);
    assert_eq!(later["payload"]["base64"], "//4=");
    let header = &later["header"];
    assert_eq!(header["event_type"], "0x7777");
    assert_eq!(header["flags"], serde_json::json!(["truncated", 512]));
    assert_eq!(header["outcome"], 77);
    assert_eq!(header["stores"], serde_json::json!(["execution_log", 192]));
    let content = serde_json::to_value(&record.content).unwrap();
    assert_eq!(content["salt"], "5a".repeat(16));
}

macro_rules! read_back {
    ($event:expr; $($name:ident)+) => {
        match $event {
            $(Event::$name(wire) => same(wire),)+
            other => panic!("no such event among the golden ones: {other:?}"),
        }
    };
}

fn same<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(wire: &T) {
    let json = serde_json::to_string(wire).unwrap();
    assert_eq!(&serde_json::from_str::<T>(&json).unwrap(), wire, "{json}");
    let mut binary = Vec::new();
    ciborium::into_writer(wire, &mut binary).unwrap();
    assert_eq!(
        &ciborium::from_reader::<T, _>(binary.as_slice()).unwrap(),
        wire
    );
}

#[test]
fn events_read_back_from_json_and_from_binary_formats() {
    for event in samples::samples() {
        read_back!(&event;
            ProtocolValidated AuthorizationDecided ExecutionStarted ExecutionCompleted
            ExecutionFailed ExecutionCancelled ExecutionResolved ExecutionInDoubt ExecutionAbandoned
            ApprovalRequested ApprovalGiven ApprovalRefused ApprovalExpired ApprovalConfirmed
            TransitionsRecorded AuditRecorded RefusalsRecorded ClockSkewed ComponentGranted
            ComponentRevoked LedgerOpened LedgerClosed HealthChanged CheckpointSigned
            CheckpointCosigned CheckpointWitnessed SigningKeyChanged ClockAccepted
            TelemetryRecorded TelemetryLost ActivityRecorded StorageFailed SnapshotTaken
            RecoveryReported ViewsSealed ConfigurationChanged RuntimeIdentified ModuleVersionSet ModuleRemoved
            CapabilityRegistered CapabilityEnabled CapabilityDisabled CapabilityChanged
            CapabilityUnregistered PositionSaved);
    }
}

#[test]
fn a_text_that_is_no_value_is_refused() {
    let whole = serde_json::to_value(SnapshotTakenV1 {
        state: 1,
        layout: 1,
        length: 1,
        digest: [1; 32],
    })
    .unwrap();
    let bad = [
        ("digest", "01"),
        ("digest", "zz"),
        ("state", "no such state"),
    ];
    assert!(serde_json::from_value::<SnapshotTakenV1>(whole.clone()).is_ok());
    for (field, value) in bad {
        let mut broken = whole.clone();
        broken[field] = value.into();
        let error = serde_json::from_value::<SnapshotTakenV1>(broken).unwrap_err();
        assert!(error.to_string().contains(value), "{error}");
    }
}

#[test]
fn debug_has_no_list_of_numbers() {
    let digits = |text: &str| text.chars().all(|it| it.is_ascii_digit());
    let numbers = |text: &str| {
        let mut words = text
            .split(", ")
            .map(|word| digits(word.trim_start_matches('[')));
        words
            .by_ref()
            .zip(text.split(", ").skip(1).map(digits))
            .any(|(one, next)| one && next)
    };
    assert!(numbers("[1, 2, 3]"));
    let frames = journal();
    for record in frames.iter().flat_map(|frame| frame.records()) {
        let text = format!("{:?}", record.unwrap());
        assert!(!numbers(&text), "{text}");
    }
}

// SPDX-License-Identifier: Apache-2.0
//! What a journal says, line by line: the same lines that `decode.py` prints.

use femtoclaw_ledger::directory::Identity;
use femtoclaw_ledger::events::{Event, Record};
use femtoclaw_ledger::journal::Frame;
use serde::Serialize;
use serde_json::{Value, json};

use crate::earlier;

/// The identity, then every frame followed by its records.
pub(crate) fn dump(identity: &Identity, frames: &[Frame]) -> Vec<Value> {
    let identity = json!({
        "line": "identity",
        "format": identity.format,
        "ledger": identity.ledger.to_string(),
        "created_ns": identity.created_ns,
    });
    let frames = frames.iter().flat_map(|frame| {
        let records = frame.records().map(|record| self::record(&record.unwrap()));
        std::iter::once(self::frame(frame)).chain(records)
    });
    std::iter::once(identity).chain(frames).collect()
}

fn frame(frame: &Frame) -> Value {
    json!({
        "line": "frame",
        "ledger": frame.ledger.to_string(),
        "epoch": frame.epoch,
        "first": frame.first.get(),
        "count": frame.count,
        "first_time_ns": frame.first_time_ns,
        "last_time_ns": frame.last.time_ns,
        "previous": hex(&frame.previous),
        "last_hash": hex(&frame.last.hash),
    })
}

fn record(record: &Record) -> Value {
    let header = &record.header;
    json!({
        "line": "record",
        "seq": header.seq.get(),
        "event": header.event_type.name(),
        "event_type": header.event_type.0,
        "revision": header.revision,
        "flags": header.flags,
        "codec": header.codec,
        "algorithm": header.algorithm,
        "outcome": header.outcome.code(),
        "stores": header.stores.bits(),
        "component": header.component.0,
        "time_ns": header.time_ns,
        "stream": header.stream.to_string(),
        "stream_version": header.stream_version,
        "execution": header.execution.to_string(),
        "parent": header.parent.to_string(),
        "trace": header.trace.to_string(),
        "command": header.command.to_string(),
        "command_digest": hex(&header.command_digest),
        "commit_index": header.commit_index,
        "commit_len": header.commit_len,
        "payload_len": header.payload_len,
        "payload_commitment": hex(&header.payload_commitment),
        "subject": header.subject.to_string(),
        "observed_difference_ns": header.observed_difference_ns,
        "data_key": header.data_key,
        "hash": hex(&record.hash),
        "salt": hex(&record.content.as_ref().unwrap().salt),
        "payload": earlier(record).unwrap_or_else(|| payload(&record.event().unwrap())),
    })
}

/// The fields of a revision that is not written any more, which reading would upcast.
fn earlier(record: &Record) -> Option<Value> {
    let header = &record.header;
    let found = earlier::earlier().into_iter().find(|it| {
        (it.kind, it.revision) == (header.event_type, header.revision)
            && Some(it.payload) == record.payload()
    });
    found.map(|it| it.fields)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

macro_rules! payload_of {
    ($event:expr; $($name:ident)+) => {
        match $event {
            $(Event::$name(wire) => fields(wire),)+
            other => panic!("no such event among the golden ones: {other:?}"),
        }
    };
}

/// The wire struct's fields, bytes as hexadecimal digits.
pub(crate) fn payload(event: &Event) -> Value {
    payload_of!(event;
        ProtocolValidated AuthorizationDecided ExecutionStarted ExecutionCompleted
        ExecutionFailed ExecutionCancelled ExecutionResolved ExecutionInDoubt ExecutionAbandoned
        ApprovalRequested ApprovalGiven ApprovalRefused ApprovalExpired ApprovalConfirmed TransitionsRecorded AuditRecorded
        RefusalsRecorded ClockSkewed ComponentGranted ComponentRevoked LedgerOpened LedgerClosed
        HealthChanged CheckpointSigned CheckpointCosigned CheckpointWitnessed SigningKeyChanged ClockAccepted TelemetryRecorded TelemetryLost ActivityRecorded StorageFailed
        SnapshotTaken RecoveryReported ViewsSealed
        ConfigurationChanged RuntimeIdentified ModuleVersionSet ModuleRemoved
        CapabilityRegistered CapabilityEnabled CapabilityDisabled CapabilityChanged
        CapabilityUnregistered PositionSaved)
}

/// Keys of times, which leave out for people that they are nanoseconds.
const TIMES: [&str; 6] = ["observed", "expected", "first", "last", "failed", "until"];
/// Keys of lists of anything but bytes.
const LISTS: [&str; 5] = [
    "on_behalf_of",
    "asked",
    "asked_roles",
    "approvers",
    "segments",
];

/// As a binary format has them.
fn fields(wire: &impl Serialize) -> Value {
    plain("", ciborium::Value::serialized(wire).unwrap())
}

fn plain(key: &str, value: ciborium::Value) -> Value {
    match value {
        ciborium::Value::Bytes(bytes) => hex(&bytes).into(),
        ciborium::Value::Array(items) if LISTS.contains(&key) => {
            items.into_iter().map(|item| plain("", item)).collect()
        }
        ciborium::Value::Array(bytes) => {
            let byte = |byte: ciborium::Value| byte.deserialized::<u8>().unwrap();
            hex(&bytes.into_iter().map(byte).collect::<Vec<_>>()).into()
        }
        ciborium::Value::Map(fields) => struct_of(fields),
        value => serde_json::to_value(value).unwrap(),
    }
}

fn struct_of(fields: Vec<(ciborium::Value, ciborium::Value)>) -> Value {
    // Elsewhere it is how many.
    let is_failure = fields.iter().any(|(key, _)| key.as_text() == Some("cause"));
    let fields = fields.into_iter().map(|(key, value)| {
        let mut key = key.into_text().unwrap();
        let value = plain(&key, value);
        if TIMES.contains(&key.as_str()) && (key != "failed" || is_failure) {
            key.push_str("_ns");
        }
        (key, value)
    });
    fields.collect::<serde_json::Map<_, _>>().into()
}

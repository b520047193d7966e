// SPDX-License-Identifier: Apache-2.0
//! The golden events of telemetry, configuration and runtime metadata; see `samples.rs`.

use femtoclaw_ledger::events::*;

use crate::samples::{DIGEST, long, text};

pub(crate) fn telemetry() -> Vec<Event> {
    vec![
        TelemetryRecordedV1 {
            kind: TelemetryKind::Error.code(),
            name: text("tool.timeout"),
            observed_ns: 1_699_999_999_000_000_000,
            attributes: br#"{"after_ms":5000}"#.to_vec(),
        }
        .into(),
        TelemetryRecordedV1 {
            kind: TelemetryKind::Other.code(),
            name: String::new(),
            observed_ns: 0,
            attributes: Vec::new(),
        }
        .into(),
        TelemetryLostV1 {
            first_ns: 5,
            last_ns: 9,
            count: 40_000,
        }
        .into(),
        TelemetryLostV1 {
            first_ns: -32_768,
            last_ns: 32_768,
            count: 1,
        }
        .into(),
        ActivityRecordedV1 {
            first_ns: 1_700_000_000_000_000_000,
            last_ns: 1_700_000_010_000_000_000,
            records: 6_000,
            commits: 2_000,
            frames: 31,
            bytes: 3_145_728,
            refused: 4,
        }
        .into(),
        ActivityRecordedV1 {
            first_ns: 0,
            last_ns: 0,
            records: 0,
            commits: 0,
            frames: 0,
            bytes: u64::MAX,
            refused: 0,
        }
        .into(),
        StorageFailedV1 {
            failed_ns: 1_700_000_000_000_000_000,
            cause: text("No space left"),
        }
        .into(),
        StorageFailedV1 {
            failed_ns: i64::MIN,
            cause: long(),
        }
        .into(),
        SnapshotTakenV1 {
            state: 1,
            layout: 1,
            length: 70_000,
            digest: [0xD1; 32],
        }
        .into(),
    ]
}

pub(crate) fn configuration() -> Vec<Event> {
    vec![
        ConfigurationChangedV1 {
            document: text("policy"),
            version: 2,
            configuration_version: 7,
            content: b"rules:\n  - allow: read_file\n".to_vec(),
            content_digest: DIGEST,
            author: text("alice"),
            reason: text("ticket 4711"),
            restored_version: 0,
        }
        .into(),
        ConfigurationChangedV1 {
            document: long(),
            version: 251,
            configuration_version: 65_536,
            content: Vec::new(),
            content_digest: [0; 32],
            author: String::new(),
            reason: String::new(),
            restored_version: 250,
        }
        .into(),
    ]
}

pub(crate) fn runtime() -> Vec<Event> {
    let runtime = RuntimeId::from_bytes([0xA1; 16]);
    vec![
        RuntimeIdentifiedV1 {
            runtime,
            version: text("3.2.1"),
        }
        .into(),
        RuntimeIdentifiedV1 {
            runtime: RuntimeId::NIL,
            version: String::new(),
        }
        .into(),
        ModuleVersionSetV1 {
            module: text("planner"),
            version: text("1.0.0-rc.1"),
        }
        .into(),
        ModuleVersionSetV1 {
            module: long(),
            version: String::new(),
        }
        .into(),
        ModuleRemovedV1 {
            module: text("planner"),
        }
        .into(),
        ModuleRemovedV1 {
            module: String::new(),
        }
        .into(),
        PositionSavedV1 {
            name: text("exporter"),
            seq: 42,
        }
        .into(),
        PositionSavedV1 {
            name: String::new(),
            seq: 0,
        }
        .into(),
    ]
}

pub(crate) fn registry() -> Vec<Event> {
    let capability = || text("read_file");
    vec![
        CapabilityRegisteredV1 {
            capability: capability(),
            version: text("1"),
            description: text("Reads a file"),
            parameters: br#"{"path":"string"}"#.to_vec(),
            registry_version: 1,
        }
        .into(),
        CapabilityRegisteredV1 {
            capability: long(),
            version: String::new(),
            description: String::new(),
            parameters: Vec::new(),
            registry_version: u64::MAX,
        }
        .into(),
        CapabilityEnabledV1 {
            capability: capability(),
            reason: text("reviewed"),
            registry_version: 2,
        }
        .into(),
        CapabilityEnabledV1 {
            capability: String::new(),
            reason: String::new(),
            registry_version: 0,
        }
        .into(),
    ]
}

pub(crate) fn registry_changes() -> Vec<Event> {
    let capability = || text("read_file");
    vec![
        CapabilityDisabledV1 {
            capability: capability(),
            reason: text("incident 12"),
            registry_version: 3,
        }
        .into(),
        CapabilityDisabledV1 {
            capability: String::new(),
            reason: long(),
            registry_version: 252,
        }
        .into(),
        CapabilityChangedV1 {
            capability: capability(),
            version: text("2"),
            description: text("Reads a file, or a part of it"),
            parameters: br#"{"path":"string","from":"integer"}"#.to_vec(),
            registry_version: 4,
        }
        .into(),
        CapabilityChangedV1 {
            capability: String::new(),
            version: String::new(),
            description: long(),
            parameters: vec![0; 251],
            registry_version: 253,
        }
        .into(),
        CapabilityUnregisteredV1 {
            capability: capability(),
            reason: text("replaced"),
            registry_version: 5,
        }
        .into(),
        CapabilityUnregisteredV1 {
            capability: String::new(),
            reason: String::new(),
            registry_version: 255,
        }
        .into(),
    ]
}

pub(crate) fn recovery() -> Vec<Event> {
    vec![
        RecoveryReportedV2 {
            anchored: 41,
            recovered: 47,
            log_files: 2,
            log_batches: 12,
            torn_bytes: 513,
            torn_offset: 70_000,
            torn_kept: text("wal-1-70000-0badcafe.torn"),
            anchor_slot_lost: true,
            anchor_renewed: String::new(),
            swept: 1,
            duration_ns: 1_250_000,
            subject_key_renewed: text("it is missing"),
        }
        .into(),
        RecoveryReportedV2 {
            anchored: 0,
            recovered: u64::MAX,
            log_files: 0,
            log_batches: 250,
            torn_bytes: 0,
            torn_offset: 0,
            torn_kept: String::new(),
            anchor_slot_lost: false,
            anchor_renewed: long(),
            swept: 251,
            duration_ns: 0,
            subject_key_renewed: String::new(),
        }
        .into(),
    ]
}

pub(crate) fn vouched() -> Vec<Event> {
    let segment = |view: &str, version, first_seq, last_seq, digest| VouchedSegment {
        view: text(view),
        version,
        first_seq,
        last_seq,
        digest,
    };
    let one = segment("indexes", 3, 1, 65_541, DIGEST);
    let widest = segment(&"z_9".repeat(21), u32::MAX, u64::MAX, u64::MAX, [0xFF; 32]);
    let events = [
        ViewsSealedV1 {
            segments: vec![one.clone()],
        },
        ViewsSealedV1 {
            segments: vec![one, segment("t", 0, 250, 251, [0; 32]), widest],
        },
    ];
    events.into_iter().map(Event::from).collect()
}

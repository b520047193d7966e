// SPDX-License-Identifier: Apache-2.0
//! Two events of every type: one as it comes, one at the edges of what its fields hold. Fixed for
//! ever: what is stored under `v3/` must be read by every later software.

use femtoclaw_ledger::events::*;

use crate::{approval, state};

pub(crate) const DIGEST: Hash = [0xD1; 32];
const ARGUMENTS: &[u8] = br#"{"path": "/etc/hosts", "n": 1.50}"#;

pub(crate) fn text(text: &str) -> String {
    text.to_owned()
}

/// More than 250 bytes, so that its length takes more than one byte.
pub(crate) fn long() -> String {
    "zwölf ".repeat(50)
}

pub(crate) fn samples() -> Vec<Event> {
    let all = [
        execution_log_a(),
        execution_log_b(),
        audit_log_a(),
        grants(),
        audit_log_b(),
    ];
    let rest = [
        state::telemetry(),
        state::configuration(),
        state::runtime(),
        state::registry(),
        state::registry_changes(),
        state::recovery(),
        checkpoints(),
        clock(),
        approval::approval(),
        state::vouched(),
    ];
    all.into_iter().chain(rest).flatten().collect()
}

fn execution_log_a() -> Vec<Event> {
    vec![
        ProtocolValidatedV1 {
            input: br#"{"tool_call":{"tool":"read_file","args":{}}}"#.to_vec(),
            input_len: 44,
            input_digest: DIGEST,
            accepted: true,
            problem: String::new(),
        }
        .into(),
        ProtocolValidatedV1 {
            input: vec![0, 0xFF, 0xC3, 0x28],
            input_len: 1 << 40,
            input_digest: [0; 32],
            accepted: false,
            problem: text("not UTF-8 at byte 1"),
        }
        .into(),
        AuthorizationDecidedV2 {
            capability: text("read_file"),
            arguments: ARGUMENTS.to_vec(),
            arguments_digest: DIGEST,
            decision: Decision::Authorized.code(),
            reason: String::new(),
            policy_version: text("2026-01"),
            policy_digest: [0xD2; 32],
            configuration_version: 250,
            registry_version: 251,
            on_behalf_of: Vec::new(),
            approval: None,
        }
        .into(),
        AuthorizationDecidedV2 {
            capability: text("Löschen"),
            arguments: Vec::new(),
            arguments_digest: [0xFF; 32],
            decision: Decision::DeniedArgumentInvalid.code(),
            reason: long(),
            policy_version: String::new(),
            policy_digest: [0; 32],
            configuration_version: 0,
            registry_version: u64::MAX,
            on_behalf_of: Vec::new(),
            approval: None,
        }
        .into(),
        ExecutionStartedV1 {
            capability: text("read_file"),
            arguments_digest: DIGEST,
            configuration_version: 65_535,
            registry_version: 65_536,
        }
        .into(),
        ExecutionStartedV1 {
            capability: String::new(),
            arguments_digest: [0; 32],
            configuration_version: u64::from(u32::MAX),
            registry_version: u64::from(u32::MAX) + 1,
        }
        .into(),
    ]
}

fn execution_log_b() -> Vec<Event> {
    vec![
        ExecutionCompletedV1 {
            result: br#"{"bytes": 221}"#.to_vec(),
            result_len: 14,
            result_digest: DIGEST,
        }
        .into(),
        ExecutionCompletedV1 {
            result: vec![b' '; 300],
            result_len: 70_000,
            result_digest: DIGEST,
        }
        .into(),
        ExecutionFailedV1 {
            code: text("exit_status"),
            message: text("exited with 2\n"),
            result: b"null".to_vec(),
            result_len: 4,
            result_digest: DIGEST,
        }
        .into(),
        ExecutionFailedV1 {
            code: String::new(),
            message: String::new(),
            result: Vec::new(),
            result_len: 0,
            result_digest: [0; 32],
        }
        .into(),
        ExecutionCancelledV1 {
            reason: text("the caller went away"),
        }
        .into(),
        ExecutionCancelledV1 {
            reason: String::new(),
        }
        .into(),
        ExecutionResolvedV1 {
            resolution: Resolution::Completed.code(),
            reason: text("found its output"),
            result: b"[]".to_vec(),
            result_len: 2,
            result_digest: DIGEST,
        }
        .into(),
        ExecutionResolvedV1 {
            resolution: Resolution::Lost.code(),
            reason: String::new(),
            result: Vec::new(),
            result_len: 0,
            result_digest: [0; 32],
        }
        .into(),
        ExecutionInDoubtV1 {
            cause: LeftCause::Dropped.code(),
        }
        .into(),
        ExecutionAbandonedV1 {
            cause: LeftCause::Dropped.code(),
        }
        .into(),
    ]
}

fn audit_log_a() -> Vec<Event> {
    let path = [
        State::InputReceived,
        State::ProtocolValidating,
        State::Error,
    ];
    vec![
        TransitionsRecordedV1 {
            machine: 1,
            path: path.map(State::code).to_vec(),
        }
        .into(),
        TransitionsRecordedV1 {
            machine: 0,
            path: Vec::new(),
        }
        .into(),
        AuditRecordedV1 {
            family: AuditFamily::BinaryVerification.code(),
            action: text("verify"),
            subject: text("/usr/bin/agent"),
            detail: br#"{"ok":true}"#.to_vec(),
        }
        .into(),
        AuditRecordedV1 {
            family: AuditFamily::OperatorAction.code(),
            action: String::new(),
            subject: long(),
            detail: Vec::new(),
        }
        .into(),
        RefusalsRecordedV1 {
            component: text("gateway"),
            reason: text("quota_exceeded"),
            count: 17,
            first_ns: 1_700_000_000_000_000_000,
            last_ns: 1_700_000_000_000_000_001,
            detail: text("nothing was written"),
        }
        .into(),
        RefusalsRecordedV1 {
            component: String::new(),
            reason: String::new(),
            count: u64::MAX,
            first_ns: i64::MIN,
            last_ns: i64::MAX,
            detail: String::new(),
        }
        .into(),
        ClockSkewedV1 {
            observed_ns: -1,
            expected_ns: 1,
            direction: 0,
        }
        .into(),
        ClockSkewedV1 {
            observed_ns: 125,
            expected_ns: -126,
            direction: 1,
        }
        .into(),
    ]
}

fn grants() -> Vec<Event> {
    vec![
        ComponentGrantedV3 {
            component: 1,
            name: text("runtime"),
            append: 31,
            read: 31,
            read_payloads: 31,
            finish_others: true,
            resolve_others: false,
            sign_checkpoints: true,
            approve: false,
            records_per_second: None,
            bytes_per_second: Some(u64::MAX),
        }
        .into(),
        ComponentGrantedV3 {
            component: u32::MAX,
            name: text("面板"),
            append: 0,
            read: 2,
            read_payloads: 0,
            finish_others: false,
            resolve_others: true,
            sign_checkpoints: false,
            approve: true,
            records_per_second: Some(250),
            bytes_per_second: None,
        }
        .into(),
    ]
}

fn audit_log_b() -> Vec<Event> {
    vec![
        ComponentRevokedV1 {
            component: 251,
            reason: text("retired"),
        }
        .into(),
        ComponentRevokedV1 {
            component: 250,
            reason: String::new(),
        }
        .into(),
        LedgerOpenedV1 {
            software: text("0.1.0"),
            head: 65_535,
            in_doubt: 2,
            abandoned: 1,
            clean: false,
            duration_ns: 1_234_567,
        }
        .into(),
        LedgerOpenedV1 {
            software: String::new(),
            head: 0,
            in_doubt: 0,
            abandoned: 0,
            clean: true,
            duration_ns: u64::MAX,
        }
        .into(),
        LedgerClosedV1 { running: 0 }.into(),
        LedgerClosedV1 { running: u64::MAX }.into(),
        CheckpointSignedV1 {
            size: 70_000,
            root: [0xC4; 32],
            note: b"ledger.example\n70000\n".to_vec(),
            copied: 2,
            failed: 300,
            problem: text("No space left"),
        }
        .into(),
        HealthChangedV1 {
            healthy: false,
            cause: text("disk reserve reached"),
        }
        .into(),
        HealthChangedV1 {
            healthy: true,
            cause: String::new(),
        }
        .into(),
    ]
}

/// What comes to checkpoints beside their being signed.
fn checkpoints() -> Vec<Event> {
    vec![
        CheckpointCosignedV1 {
            size: 70_000,
            root: [0xC5; 32],
            note: b"ledger.example\n70000\n".to_vec(),
            added: 2,
        }
        .into(),
        CheckpointWitnessedV1 {
            origin: text("log.example/其"),
            size: u64::MAX >> 1,
            root: [0xC6; 32],
            note: b"log.example\n3\n".to_vec(),
        }
        .into(),
        SigningKeyChangedV1 {
            old: text("ledger.example+a1b2c3d4"),
            new: text("ledger.example+00112233+AQ=="),
            author: text("operator"),
            reason: String::new(),
        }
        .into(),
    ]
}

/// A clock that is not believed, and then is.
fn clock() -> Vec<Event> {
    vec![
        ClockSkewedV1 {
            observed_ns: i64::MAX,
            expected_ns: 1_700_000_000_000_000_000,
            direction: ClockSkewedV1::DOUBTED,
        }
        .into(),
        ClockAcceptedV1 {
            observed_ns: 1_800_000_000_000_000_000,
            expected_ns: 1_700_000_000_000_000_000,
            reason: text("in store for three years"),
        }
        .into(),
        ClockAcceptedV1 {
            observed_ns: i64::MAX,
            expected_ns: i64::MIN,
            reason: long(),
        }
        .into(),
    ]
}

// SPDX-License-Identifier: Apache-2.0
//! The values that are read, as JSON and as `Debug`: one of each family. Events and records are in `tests/golden`.

use std::fmt::Debug;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::commands::{End, Receipt, Standing};
use crate::database::TornTail;
use crate::error::Fault;
use crate::events::{
    CommandId, ComponentId, ExecutionId, Hash, LedgerId, Outcome, Party, Seq, SubjectId,
};
use crate::integrity::evidence::{Closing, Stream};
use crate::integrity::merkle::TreeHash;
use crate::journal::{Finding, FindingKind, FoundInJournal, Head};
use crate::ledger::recover::recovery::Recovery;
use crate::ledger::{Closed, CopyStatus, Damaged, Health, Scrubbed, Summary, Unread};
use crate::projections::{
    Capability, DiffLine, DocumentVersion, ExecutionEntry, ExecutionStatus, Module, VersionInfo,
};

const DIGEST: Hash = [0xAB; 32];
const TIME_NS: i64 = 1_767_225_600_000_000_001;
const TIME: &str = "2026-01-01T00:00:00.000000001Z";

fn digits() -> String {
    "ab".repeat(32)
}

/// `value` is this JSON, and its `Debug` has no list of numbers.
fn reads(value: &(impl Serialize + Debug), expected: &Value) {
    assert_eq!(&serde_json::to_value(value).unwrap(), expected);
    let shown = format!("{value:?}");
    assert!(!shown.contains("171, 171"), "{shown}");
}

/// Of what views hold: it reads back, and a binary format holds numbers and bytes.
fn stored<T: Serialize + DeserializeOwned + Debug + PartialEq>(value: &T, expected: &Value) {
    reads(value, expected);
    assert_eq!(
        &serde_json::from_value::<T>(expected.clone()).unwrap(),
        value
    );
    let config = bincode::config::standard();
    let bytes = bincode::serde::encode_to_vec(value, config).unwrap();
    let (read, _) = bincode::serde::decode_from_slice::<T, _>(&bytes, config).unwrap();
    assert_eq!(&read, value);
    let text = String::from_utf8_lossy(&bytes);
    assert!(
        !text.contains("2026-01") && !text.contains("abab"),
        "{text}"
    );
}

fn head() -> (Head, Value) {
    let head = Head {
        seq: Seq::new(7),
        hash: DIGEST,
        time_ns: TIME_NS,
        epoch: 2,
    };
    let json = json!({"seq": 7, "hash": digits(), "time": TIME, "epoch": 2});
    (head, json)
}

#[test]
fn entries_of_views() {
    let entry = ExecutionEntry {
        execution: ExecutionId::from_bytes([0xCD; 16]),
        status: ExecutionStatus::InDoubt,
        capability: "mail.send".into(),
        decision: 1,
        resolution: 0,
        first_seq: 3,
        last_seq: 5,
        started_seq: 4,
        first_ns: TIME_NS,
        last_ns: 0,
        parent: Default::default(),
        trace: Default::default(),
        component: ComponentId(2),
        subject: SubjectId::from_bytes([0xEF; 16]),
        on_behalf_of: Some(vec![Party {
            issuer: "idp".into(),
            id: "7".into(),
        }]),
        configuration_version: 4,
        requested_seq: 3,
        until_ns: TIME_NS,
        approvals_given: 1,
        approvals_needed: 2,
    };
    let mut json = json!({
        "execution": "cd".repeat(16), "status": "in_doubt", "capability": "mail.send",
        "decision": "AUTHORIZED", "resolution": null, "first_seq": 3, "last_seq": 5,
        "started_seq": 4, "first": TIME, "last": "1970-01-01T00:00:00Z",
        "parent": "0".repeat(32), "trace": "0".repeat(32), "component": 2,
        "subject": "ef".repeat(16), "on_behalf_of": [{"issuer": "idp", "id": "7"}], "configuration_version": 4,
        "requested_seq": 3, "until": TIME, "approvals_given": 1, "approvals_needed": 2,
    });
    stored(&entry, &json);
    // Of a later software.
    json["decision"] = 99.into();
    let decision = 99;
    stored(&ExecutionEntry { decision, ..entry }, &json);

    let module = Module {
        name: "gate".into(),
        version: "1".into(),
        seq: 9,
        time_ns: TIME_NS,
    };
    stored(
        &module,
        &json!({"name": "gate", "version": "1", "seq": 9, "time": TIME}),
    );
    let capability = Capability {
        name: "mail.send".into(),
        version: "1".into(),
        description: String::new(),
        parameters: br#"{"to": 1.50}"#.to_vec(),
        enabled: true,
        registry_version: 1,
        seq: 9,
        time_ns: TIME_NS,
    };
    let json = json!({
        "name": "mail.send", "version": "1", "description": "", "parameters": "{\"to\": 1.50}",
        "enabled": true, "registry_version": 1, "seq": 9, "time": TIME,
    });
    stored(&capability, &json);
}

#[test]
fn documents_and_their_differences() {
    let info = VersionInfo {
        document: "policy".into(),
        version: 2,
        configuration_version: 5,
        content_digest: DIGEST,
        content_len: 2,
        author: "ann".into(),
        reason: "why".into(),
        restored_version: 0,
        seq: 8,
        time_ns: TIME_NS,
        component: ComponentId(1),
    };
    let mut json = json!({
        "document": "policy", "version": 2, "configuration_version": 5, "content_digest": digits(),
        "content_len": 2, "author": "ann", "reason": "why", "restored_version": 0, "seq": 8,
        "time": TIME, "component": 1,
    });
    stored(&info, &json);
    json["content"] = json!({"base64": "q6s="});
    let content = vec![0xAB, 0xAB];
    reads(&DocumentVersion { info, content }, &json);
    reads(
        &DiffLine::Added(b"x = 1\n".to_vec()),
        &json!({"added": "x = 1\n"}),
    );
}

#[test]
fn receipts_and_where_executions_stand() {
    let receipt = Receipt {
        ledger: LedgerId::from_bytes([1; 16]),
        command: CommandId::from_bytes([2; 16]),
        first: Seq::FIRST,
        last: Seq::FIRST.plus(1),
        time_ns: TIME_NS,
        duplicate: false,
    };
    let json = json!({
        "ledger": "01".repeat(16), "command": "02".repeat(16), "first": 1, "last": 2,
        "time": TIME, "duplicate": false,
    });
    reads(&receipt, &json);
    for standing in [Standing::InDoubt, Standing::Ended(End::Lost)] {
        reads(&standing, &json!(standing.to_string()));
    }
    reads(&Outcome::Denied, &json!("denied"));
}

#[test]
fn reports() {
    let (head, head_json) = head();
    reads(&head, &head_json);
    reads(
        &Closed { head, running: 1 },
        &json!({"head": head_json, "running": 1}),
    );
    let health = Health {
        healthy: true,
        cause: String::new(),
    };
    reads(&health, &json!({"healthy": true, "cause": ""}));
    let copy = CopyStatus {
        destination: "d".into(),
        size: 1,
        age: Duration::from_millis(1_500),
        problem: String::new(),
    };
    let json = json!({"destination": "d", "size": 1, "age_seconds": 1.5, "problem": ""});
    reads(&copy, &json);
    let damaged = Damaged {
        path: "t/\u{1}".into(),
        offset: Some(3),
        seq: None,
        what: "w".into(),
    };
    let damaged_json = json!({"path": "t/\u{1}", "offset": 3, "seq": null, "what": "w"});
    let unread = Unread {
        path: "u".into(),
        seq: Some(Seq::FIRST),
        fault: Fault::System,
        what: "w".into(),
    };
    let scrubbed = Scrubbed {
        damages: vec![damaged],
        unread: vec![unread],
        ..Scrubbed::default()
    };
    let json = json!({
        "verified_through": 0, "passes": 0, "bytes": 0, "damages": [damaged_json],
        "unread": [{"path": "u", "seq": 1, "fault": "refused", "what": "w"}], "engine_faults": [],
    });
    reads(&scrubbed, &json);
    let finding = Finding::new(FindingKind::AcknowledgedMissing, "gone").records(3, 4);
    let json = json!({
        "kind": "acknowledged_missing", "damage": true, "path": null, "offset": null, "first": 3,
        "last": 4, "problem": "gone",
    });
    reads(&finding, &json);
    let summary = Summary {
        epochs: [(1, 2)].into(),
        times_ns: Some(0..=TIME_NS),
        unfinished: [ExecutionId::from_bytes([0xCD; 16])].into(),
        ..Summary::default()
    };
    let json = json!({
        "records": 0, "frames": 0, "unreadable": 0, "epochs": {"1": 2}, "events": {}, "stores": {},
        "after_close": null, "times": {"first": "1970-01-01T00:00:00Z", "last": TIME},
        "unfinished": ["cd".repeat(16)], "unknown_event": null, "awaiting": [], "approved": [],
    });
    reads(&summary, &json);
}

#[cfg(unix)]
#[test]
fn a_recovery_with_a_path_that_is_no_text() {
    use std::os::unix::ffi::OsStringExt as _;
    let path = std::ffi::OsString::from_vec(vec![b'a', 0xFF]).into();
    let torn = TornTail {
        file: "0.jnl".into(),
        offset: 1,
        bytes: 2,
        kept: path,
    };
    let recovery = Recovery {
        found: FoundInJournal {
            torn: Some(torn),
            ..FoundInJournal::default()
        },
        duration: Duration::from_secs(2),
        ..Recovery::default()
    };
    let json = json!({
        "anchored": null, "recovered": null, "subject_key_renewed": null,
        "found": {
            "log_files": 0, "log_batches": 0, "log_gap": null,
            "torn": {"file": "0.jnl", "offset": 1, "bytes": 2, "kept": "a\u{FFFD}"},
        },
        "anchor_slot_lost": false, "anchor_renewed": null, "swept": [], "duration_seconds": 2.0,
    });
    reads(&recovery, &json);
}

#[test]
fn what_the_tree_and_evidence_say() {
    let root = TreeHash::from_bytes(DIGEST);
    reads(&root, &json!(root.to_string()));
    let closed_by = Closing::Completed;
    let stream = Stream::Complete {
        records: 6,
        closed_by,
    };
    let json = json!({"stream": "complete", "records": 6, "closed_by": "completed"});
    reads(&stream, &json);
    reads(
        &Stream::Open { records: 1 },
        &json!({"stream": "open", "records": 1}),
    );
}

// SPDX-License-Identifier: Apache-2.0
//! `femtoclaw-ledger inspect` names what waits for persons, and what they approved and nobody started.

use std::time::Duration;

use femtoclaw_ledger::clock::{Clock, SystemClock};
use femtoclaw_ledger::events::Party;
use femtoclaw_ledger::integrity::digest;
use femtoclaw_ledger::{
    Context, ExecutionId, Ledger, Options, Quota, Rights,
    execution_log::{Approval, ApprovalRequest},
};

use crate::program::run;

#[tokio::test]
async fn what_waits_for_persons_and_what_they_approved_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    let (ledger, root) = Ledger::open(&path, Options::default()).await.unwrap();
    let granted = root.grant("gate", Rights::all(), Quota::default()).await;
    let log = ledger.execution_log(&granted.unwrap()).unwrap();
    let until_ns = SystemClock::default().now_ns() + 3_600_000_000_000;
    let ann = Party {
        issuer: "https://id.example".to_owned(),
        id: "ann".to_owned(),
    };
    let ids = [1, 2, 3, 4, 5].map(|number| ExecutionId::from_bytes([number; 16]));
    for id in ids {
        let basis = ledger.in_force().basis();
        let request = ApprovalRequest::new("message", "always", until_ns, basis);
        let request = request.execution(id).ask(ann.clone()).shown("Send it?");
        log.request_approval(request).await.unwrap();
    }
    for id in [ids[1], ids[2], ids[4]] {
        let approval = Approval::new(ann.clone(), "passkey", digest(b"Send it?"));
        log.approve(id, Context::new(), approval).await.unwrap();
    }
    let started = log.start_approved(ids[2], Context::new()).await.unwrap();
    let running = started.running().unwrap();
    running
        .complete(Context::new(), b"1".to_vec())
        .await
        .unwrap();
    log.cancel(ids[3], Context::new(), "not needed")
        .await
        .unwrap();
    let started = log.start_approved(ids[4], Context::new()).await.unwrap();
    let _running = started.running().unwrap().detach();
    drop((ledger, log));
    root.close_at_once(Duration::from_secs(60)).await.unwrap();

    let path = path.to_str().unwrap();
    let (code, json, _) = run(&["inspect", path, "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(code, 0, "{json}");
    assert_eq!(
        (&json["awaiting"], &json["approved"]),
        (&1.into(), &1.into())
    );
    assert_eq!(json["asked_about"], serde_json::json!([ids[0].to_string()]));
    assert_eq!(json["not_started"], serde_json::json!([ids[1].to_string()]));
    assert_eq!(json["unfinished"], 1);
    let (_, text, _) = run(&["inspect", path]);
    let line = format!("{:<12} {}", "asked_about", ids[0]);
    assert!(text.lines().any(|found| found == line), "{text}");
}

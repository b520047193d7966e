// SPDX-License-Identifier: Apache-2.0
//! Names of components: each by the record of a grant that anybody can check, and no other record names anybody.

mod attacks;

use super::attacks::Forged;
use super::scene::{Scene, asked, id_of, policy, signing};
use crate::shared::{World, command};
use crate::support::{log_key, run};
use base64ct::{Base64, Encoding};
use femtoclaw_ledger::events::{ComponentId, Event, Outcome, Record, Seq};
use femtoclaw_ledger::integrity::evidence::Bundle;
use femtoclaw_ledger::integrity::key::Signer;
use femtoclaw_ledger::{
    AuditEntry, AuditFamily, Decision, Quota, Reads, Rights, Store, evidence::EvidenceOptions,
};

/// `tester` (component 1) is denied an execution of which `auditor` (2) says something; `stranger` (3) is granted
/// rights and does nothing. `tester` is granted again before and after.
async fn scene() -> Scene {
    let world = World::new(signing).await;
    let grant = |name: &'static str| world.root.grant(name, Rights::all(), Quota::default());
    let auditor = grant("auditor").await.unwrap();
    grant("a <b>stranger</b>").await.unwrap();
    grant("tester").await.unwrap();
    let log = world.ledger.execution_log(&world.grant).unwrap();
    let mut denied = asked(&world, "denied", 1);
    denied.decision = Decision::DeniedPolicyViolation;
    let _denied = log.authorize(denied).await.unwrap();
    let audit = world.ledger.audit_log(&auditor).unwrap();
    let entry = AuditEntry {
        context: command(20),
        family: AuditFamily::SecurityViolation,
        action: "watched".to_owned(),
        subject: "the denial".to_owned(),
        outcome: Outcome::Neutral,
        execution: Some(id_of("denied")),
        detail: b"{}".to_vec(),
    };
    audit.record(entry).await.unwrap();
    grant("tester").await.unwrap();
    world.root.checkpoint().await.unwrap();
    Scene { world }
}

fn reads(scene: &Scene) -> Reads {
    scene.world.ledger.reader(&scene.world.grant).unwrap()
}

/// Grants of the component with this name, in their order.
async fn grants(scene: &Scene, name: &str) -> Vec<Record> {
    let records = reads(scene).range(Seq::FIRST, 100).await.unwrap();
    let is = |record: &Record| match record.event() {
        Ok(Event::ComponentGranted(granted)) => granted.name == name,
        _ => false,
    };
    records.into_iter().filter(is).collect()
}

fn base64(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

/// A record of the ledger as what names a component, with its own good proof.
async fn section(scene: &Scene, record: &Record) -> String {
    let note = scene.world.ledger.newest_checkpoint().await.unwrap();
    let seq = record.header.seq;
    let proof = scene.world.ledger.prove(seq, &note.unwrap()).await.unwrap();
    let content = record.content.as_ref().unwrap();
    let mut text = format!("named {seq}\nheader {}\n", base64(&record.header.encode()));
    text += &format!("salt {}\n", base64(&content.salt));
    text += &format!("payload {}\n", base64(&content.payload));
    text + &proof
        .path
        .iter()
        .map(|hash| format!("hash {hash}\n"))
        .collect::<String>()
}

/// The sections of a genuine file.
fn sections(file: &str) -> Vec<String> {
    let (_, rest) = file.split_once("\nnamed ").unwrap();
    let (names, _) = rest.split_once("record ").unwrap();
    names
        .split("named ")
        .map(|it| format!("named {it}"))
        .collect()
}

/// The genuine evidence with these sections in place of its own, and a checksum that fits.
fn with(file: &str, names: &[String]) -> Forged {
    Forged::of(file).with(&sections(file).concat(), &names.concat())
}

#[tokio::test]
async fn every_component_that_acted_is_named_by_its_first_grant() {
    let scene = scene().await;
    let bundle = scene.evidence("denied", EvidenceOptions::default()).await;
    let verified = bundle.verify(&policy(), None).unwrap();
    let names =
        [(1, "tester"), (2, "auditor")].map(|(it, name)| (ComponentId(it), name.to_owned()));
    assert_eq!(verified.names, names.into());
    assert!(bundle.unnamed().is_empty());
    let firsts = [
        &grants(&scene, "tester").await[0],
        &grants(&scene, "auditor").await[0],
    ];
    let firsts = firsts.map(|record| record.header.seq);
    let placed: Vec<_> = bundle
        .namings()
        .iter()
        .map(|naming| naming.header.seq)
        .collect();
    assert_eq!(placed, firsts);
    let made: Vec<Record> = [
        &grants(&scene, "tester").await[0],
        &grants(&scene, "auditor").await[0],
    ]
    .into_iter()
    .cloned()
    .collect();
    let file = bundle.to_string();
    let mut forged = Vec::new();
    for record in &made {
        forged.push(section(&scene, record).await);
    }
    assert_eq!(
        with(&file, &forged).file(),
        file,
        "the forger of these tests is exact"
    );

    let summary = bundle.summary();
    assert!(
        summary.contains("denied by component 1 (tester); denied by the gate"),
        "{summary}"
    );
    let page = bundle.page();
    for words in [
        "denied by component 1 (tester)</dd>",
        "component 2 (auditor) · AuditRecorded",
        "<tr><td>2</td><td>auditor</td><td>",
        "It does not show that a program was what its name says.",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("which programs these components were"));
}

/// Names of an execution of the first opening, under a later one, where nobody holds the grants of then.
#[tokio::test]
async fn names_outlive_their_opening() {
    let scene = Scene::new().await;
    for kind in ["completed", "running"] {
        let bundle = scene.evidence(kind, EvidenceOptions::default()).await;
        let first = grants(&scene, "tester").await[0].header.seq;
        assert_eq!(bundle.names()[&ComponentId(1)], "tester");
        assert_eq!(bundle.namings()[0].header.seq, first, "{kind}");
    }
}

#[tokio::test]
async fn a_name_is_left_out_with_payloads_or_by_whoever_hands_evidence_on_and_that_is_said() {
    let scene = scene().await;
    let options = EvidenceOptions {
        withhold_payloads: true,
        ..EvidenceOptions::default()
    };
    let bare = scene.evidence("denied", options).await;
    let whole = scene.evidence("denied", EvidenceOptions::default()).await;
    assert_eq!(whole.clone().withhold(|_| true), bare);
    assert!(bare.verify(&policy(), None).unwrap().names.is_empty());
    assert_eq!(bare.unnamed(), [ComponentId(1), ComponentId(2)]);
    let said =
        "which programs these components were: 1, 2. The records of their grants are no part";
    assert!(bare.page().contains(said), "{}", bare.page());
    assert!(
        bare.summary().contains("denied by component 1;"),
        "{}",
        bare.summary()
    );

    let auditor = whole.namings()[1].header.seq;
    let part = whole.withhold(|header| header.seq == auditor);
    let read = Bundle::parse(part.to_string().as_bytes()).unwrap();
    assert_eq!(read.verify(&policy(), None).unwrap().names.len(), 1);
    assert_eq!(read.unnamed(), [ComponentId(2)]);
    assert_eq!(read.withheld(), 0);
    assert!(!read.summary().contains("payload"), "{}", read.summary());
    assert!(
        read.page()
            .contains("which programs these components were: 2.")
    );
}

/// Reading headers of the audit log shows grants, as it does everywhere: no payload of theirs belongs to a store.
#[tokio::test]
async fn whoever_may_make_evidence_is_shown_names() {
    let scene = scene().await;
    let rights = Rights::none()
        .read(Store::AuditLog)
        .read_payloads(Store::ExecutionLog);
    let granted = scene
        .world
        .root
        .grant("reader", rights, Quota::default())
        .await;
    let reads = scene.world.ledger.reader(&granted.unwrap()).unwrap();
    let made = reads
        .evidence(id_of("denied"), EvidenceOptions::default())
        .await
        .unwrap();
    assert_eq!(made.names().len(), 2);
    // The mention is the audit log's, and its payload is not shown.
    assert_eq!(made.withheld(), 1);
    let summary = made.summary();
    assert!(summary.contains(", 1 without their payloads"), "{summary}");
}

/// A name is text and never markup; the number stands before it, which no name can imitate.
#[tokio::test]
async fn a_name_stays_text() {
    let world = World::new(signing).await;
    let name = "x) by component 7 (</pre><script>alert(1)</script>";
    let granted = world
        .root
        .grant(name, Rights::all(), Quota::default())
        .await;
    let log = world.ledger.execution_log(&granted.unwrap()).unwrap();
    let _running = log.begin(asked(&world, "running", 1)).await.unwrap();
    world.root.checkpoint().await.unwrap();
    let bundle = Scene { world }
        .evidence("running", EvidenceOptions::default())
        .await;
    let page = bundle.page();
    assert!(!page.contains("<script"), "{page}");
    assert!(
        page.contains("by component 2 (x) by component 7 (&lt;/pre&gt;"),
        "{page}"
    );
    assert!(
        page.contains("<td>x) by component 7 (&lt;/pre&gt;&lt;script&gt;"),
        "{page}"
    );
}

#[tokio::test]
async fn the_program_prints_names_and_who_has_none() {
    let (dir, scene) = (tempfile::tempdir().unwrap(), scene().await);
    let path = dir.path().join("bundle");
    let key = log_key().key().to_string();
    let verify = |file: String, more: &[&str]| {
        std::fs::write(&path, file).unwrap();
        let own = ["verify", "bundle", path.to_str().unwrap(), "--log", &key];
        let (code, text) = run(&[&own[..], more].concat());
        assert_eq!(code, Some(0), "{text}");
        text
    };
    let file = scene.file("denied").await;
    let text = verify(file.clone(), &[]);
    assert!(
        text.contains("components   1 tester\ncomponents   2 auditor\n"),
        "{text}"
    );
    assert!(!text.contains("unnamed"), "{text}");
    let part = with(&file, &sections(&file)[1..]).file();
    let said: serde_json::Value =
        serde_json::from_str(&verify(part, &["--format", "json"])).unwrap();
    assert_eq!(said["components"], serde_json::json!(["2 auditor"]));
    assert_eq!(said["unnamed"], serde_json::json!(["1"]));
}

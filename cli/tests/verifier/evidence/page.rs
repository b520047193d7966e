// SPDX-License-Identifier: Apache-2.0
//! The page for people: what others wrote stays text, and a bundle always gives the same page.

use std::fs;

use super::scene::{Scene, asked, id_of, policy, signing};
use crate::shared::{World, command};
use femtoclaw_ledger::integrity::evidence::Bundle;
use femtoclaw_ledger::{Decision, Failure, evidence::EvidenceOptions, execution_log::Rejection};

/// Every event that an execution's records can be, and what others say of it.
const GOLDEN: [&str; 5] = ["completed", "failed", "cancelled", "resolved", "rejected"];

/// The tags of a page, without their contents.
fn tags(page: &str) -> Vec<&str> {
    let tags = page.split('<').skip(1);
    tags.map(|rest| rest.split(['>', ' ', '\n']).next().unwrap())
        .collect()
}

const KNOWN: [&str; 31] = [
    "!doctype", "html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "code",
    "dl", "dt", "dd", "ol", "ul", "li", "div", "b", "i", "pre", "span", "time", "table", "tr",
    "th", "td", "/html", "/head", "/body",
];

#[tokio::test]
async fn hostile_payloads_stay_text() {
    let world = World::new(signing).await;
    let log = world.ledger.execution_log(&world.grant).unwrap();
    let hostile = "</pre></dd><script>alert(1)</script><img src=x onerror=alert(1)>\u{202e}\u{0}\u{1b}]0;x\u{7}&lt;";
    let mut denied = asked(&world, "denied", 1);
    denied.capability = "a<script>\"'&".to_owned();
    denied.decision = Decision::DeniedCapabilityNotFound;
    denied.reason = hostile.to_owned();
    denied.arguments = serde_json::to_vec(&"<script>x</script>".repeat(50_000)).unwrap();
    denied.input = Some(b"\xff\xfe<svg onload=x>\x00\xc3".to_vec());
    let _denied = log.authorize(denied).await.unwrap();
    log.reject(Rejection {
        context: command(2),
        execution: Some(id_of("rejected")),
        input: vec![0x80; 100_000],
        problem: hostile.to_owned(),
    })
    .await
    .unwrap();
    let _running = log.begin(asked(&world, "failed", 3)).await.unwrap();
    let failure = Failure {
        code: "<b>".to_owned(),
        message: hostile.repeat(500),
        result: serde_json::to_vec(&hostile.repeat(10_000)).unwrap(),
    };
    log.fail(id_of("failed"), command(4), failure)
        .await
        .unwrap();
    world.root.checkpoint().await.unwrap();
    let scene = Scene { world };
    for kind in ["denied", "rejected", "failed"] {
        let bundle = scene.evidence(kind, EvidenceOptions::default()).await;
        bundle.verify(&policy(), None).unwrap();
        let page = bundle.page();
        assert!(page.len() < 1 << 20, "{kind}: {}", page.len());
        for tag in tags(&page) {
            let name = tag.strip_prefix('/').unwrap_or(tag);
            assert!(
                KNOWN.contains(&tag) || KNOWN.contains(&name),
                "{kind}: <{tag}>"
            );
        }
        let bad = |char: char| char.is_control() && char != '\n' || char == '\u{202e}';
        assert!(!page.contains(bad), "{kind}");
        // Nothing is fetched and nothing runs.
        for word in ["href=", "src=", "url(", "@import", "<script", " on"] {
            let found = page
                .match_indices(word)
                .filter(|(at, _)| in_tag(&page, *at));
            assert_eq!(found.count(), 0, "{kind}: {word}");
        }
        assert!(page.contains("default-src 'none'"));
    }
}

/// Whether a place lies within a tag.
fn in_tag(page: &str, at: usize) -> bool {
    page[..at].rfind('<') > page[..at].rfind('>')
}

#[tokio::test]
async fn the_page_tells_what_happened_in_order() {
    let scene = Scene::new().await;
    let page = scene
        .evidence("completed", EvidenceOptions::default())
        .await
        .page();
    let mut at = 0;
    for words in [
        "message: authorized by component 1 (tester); completed. 6 records and 2 by others about it, under the \
         checkpoint of ledger.example/audited at record ",
        "authorized by component 1 (tester)</dd>",
        "completed</dd>",
        "These 6 records",
        "Input received and validated",
        "2026-01-01T00:00:00.123456789Z",
        "AUTHORIZED",
        "for the test of completed",
        "{&quot;content&quot;:&quot;hi&quot;}",
        "Execution started",
        "INPUT_RECEIVED → PROTOCOL_VALIDATING",
        "2026-01-01T00:00:01.623456789Z",
        "{&quot;sent&quot;:true}",
        "MEMORY_COMMITTING → COMPLETED",
        "What others recorded about it",
        "the message",
        "Components</h2>",
        "ledger.example/audited",
        "femtoclaw-ledger verify bundle",
    ] {
        let found = page[at..].find(words);
        at += found.unwrap_or_else(|| panic!("{words:?} is not on the page, or not in order"));
    }
}

/// Bundles and pages that were handed out are read for ever: another page for the same bundle is another `PAGE_VERSION`.
/// With `EVIDENCE_GOLDEN` the files are made, where they are to be made for a new version.
#[tokio::test]
async fn bundles_and_pages_of_old_are_accepted() {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/verifier/evidence/golden"
    );
    if std::env::var_os("EVIDENCE_GOLDEN").is_some() {
        let scene = Scene::new().await;
        for kind in GOLDEN {
            let bundle = scene.evidence(kind, EvidenceOptions::default()).await;
            fs::write(format!("{folder}/{kind}.txt"), bundle.to_string()).unwrap();
            fs::write(format!("{folder}/{kind}.html"), bundle.page()).unwrap();
        }
    }
    for kind in GOLDEN {
        let file = fs::read(format!("{folder}/{kind}.txt")).unwrap();
        let page = fs::read(format!("{folder}/{kind}.html")).unwrap();
        let bundle = Bundle::parse(&file).unwrap();
        bundle.verify(&policy(), None).unwrap();
        assert_eq!(bundle.verify_page(&page), Ok(()), "{kind}");
    }
}

/// The page shows two things that stand in headers alone: whom a record is about, and a clock that was not followed.
#[tokio::test]
async fn the_page_shows_the_subject_and_a_clock_that_was_not_followed() {
    let world = World::new(signing).await;
    world.clock.set_now(1_767_225_600_123_456_789);
    let log = world.ledger.execution_log(&world.grant).unwrap();
    let mut failed = asked(&world, "failed", 1);
    failed.context = failed.context.subject("customer 4711");
    let _running = log.begin(failed).await.unwrap();
    // An hour back: the time stays, and what the clock said stands beside it.
    world.clock.set_now(1_767_222_000_123_456_789);
    let failure = Failure {
        code: "E_IO".to_owned(),
        message: "no route".to_owned(),
        result: Vec::new(),
    };
    log.fail(id_of("failed"), command(2), failure)
        .await
        .unwrap();
    world.root.checkpoint().await.unwrap();
    let reads = world.ledger.reader(&world.grant).unwrap();
    let subject = reads.subject_id("customer 4711").unwrap().to_string();
    let scene = Scene { world };
    let bundle = scene.evidence("failed", EvidenceOptions::default()).await;
    bundle.verify(&policy(), None).unwrap();
    let page = bundle.page();
    assert!(page.contains(&subject), "{page}");
    assert!(!page.contains("4711"), "the id itself is in no record");
    let (before, after) = page.split_once("Execution failed").unwrap();
    let told = "what the clock said</dt><dd>2025-12-31T23:00:00.123456789Z";
    assert!(after.contains(told) && !before.contains("what the clock said"));
    assert!(after.contains("<time>2026-01-01T00:00:00.123456789Z"));
}

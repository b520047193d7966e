// SPDX-License-Identifier: Apache-2.0
//! Attacks on names, by somebody who can write every byte of evidence and has every other record of the ledger.

use super::super::scene::{Scene, policy};
use super::{base64, grants, reads, scene, section, sections, with};
use crate::foreign;
use crate::support::log_key;
use femtoclaw_ledger::events::{EventType, Seq};
use femtoclaw_ledger::evidence::EvidenceOptions;
use femtoclaw_ledger::integrity::evidence::{Bundle, BundlePart, RECORDS_MAX};
use femtoclaw_ledger::integrity::key::Signer;

/// Sections that are not the genuine ones, most with good proofs.
struct Others {
    /// Of `tester`: granted again before it acted, and afterwards.
    again: String,
    late: String,
    /// Of a component that did nothing.
    stranger: String,
    /// No grants: the ledger's opening, and what the component decided.
    opening: String,
    decided: String,
    /// The first grant, with another proof and with another name.
    moved: String,
    renamed: String,
}

impl Others {
    async fn of(scene: &Scene, genuine: &str) -> Self {
        let granted = grants(scene, "tester").await;
        let stranger = &grants(scene, "a <b>stranger</b>").await[0];
        let at = |seq| async move { reads(scene).get(seq).await.unwrap().unwrap() };
        let opening = at(Seq::FIRST).await;
        assert_eq!(opening.header.event_type, EventType::LedgerOpened);
        let bundle = scene.evidence("denied", EvidenceOptions::default()).await;
        let decided = at(bundle.items()[0].header.seq).await;
        let stranger = section(scene, stranger).await;
        let moved = genuine.replace(line(genuine, "hash "), line(&stranger, "hash "));
        assert_ne!(moved, genuine);
        let payload = &granted[0].content.as_ref().unwrap().payload;
        let at = payload.windows(6).position(|name| name == b"tester");
        let mut other = payload.clone();
        other[at.unwrap()] = b'T';
        let other = format!("payload {}", base64(&other));
        Self {
            again: section(scene, &granted[1]).await,
            late: section(scene, &granted[2]).await,
            opening: section(scene, &opening).await,
            decided: section(scene, &decided).await,
            renamed: genuine.replace(line(genuine, "payload "), &other),
            stranger,
            moved,
        }
    }
}

fn line<'a>(section: &'a str, word: &str) -> &'a str {
    let mut lines = section.lines();
    lines.find(|line| line.starts_with(word)).unwrap()
}

#[tokio::test]
async fn only_a_grant_of_a_component_that_acted_afterwards_names_it() {
    let scene = scene().await;
    let file = scene.file("denied").await;
    let genuine = sections(&file);
    let [tester, auditor] = [&genuine[0], &genuine[1]];
    let others = Others::of(&scene, tester).await;
    let Others { again, late, .. } = &others;
    let (strange, unlike) = (
        "component 3, which has no record",
        "not the record of a grant",
    );
    let (late_by, twice) = (
        "component 1 its rights after record",
        "component 1 is named already",
    );
    for (names, part, words) in [
        (vec![tester, auditor, &others.stranger], "name", strange),
        (vec![&others.opening, tester], "name", unlike),
        (vec![tester, &others.decided], "name", unlike),
        (vec![late], "name", late_by),
        (vec![tester, tester], "name", twice),
        (vec![tester, again], "name", twice),
        (vec![auditor, tester], "name", "behind a later one"),
        (
            vec![&others.moved],
            "proof",
            "do not lead to the signed root",
        ),
        (
            vec![&others.renamed],
            "payload",
            "not what the header commits to",
        ),
    ] {
        let names: Vec<_> = names.into_iter().cloned().collect();
        let (refused, text) = with(&file, &names).refusal();
        assert_eq!(refused.name(), part, "{words}: {text}");
        assert!(text.contains(words), "{words}: {text}");
        assert!(refused.record().is_some());
    }
    // A later grant says the same name, and none is needed.
    for (names, named) in [(vec![others.again], 1), (Vec::new(), 0)] {
        let file = with(&file, &names).file();
        let bundle = Bundle::parse(file.as_bytes()).unwrap();
        let verified = bundle.verify(&policy(), None).unwrap();
        assert_eq!(verified.names.len(), named);
        assert_eq!(bundle.unnamed().len(), 2 - named);
    }
}

#[tokio::test]
async fn names_are_no_more_than_records_can_be() {
    let scene = scene().await;
    let file = scene.file("denied").await;
    let tester = sections(&file)[0].clone();
    let repeated = |count| with(&file, &vec![tester.clone(); count]).file();
    let many = repeated(RECORDS_MAX + 1);
    let refused = Bundle::parse(many.as_bytes()).unwrap_err();
    assert_eq!(refused.part(), Some(BundlePart::Named(RECORDS_MAX + 1)));
    let full = Bundle::parse(repeated(RECORDS_MAX).as_bytes()).unwrap();
    let refused = full.verify(&policy(), None).unwrap_err();
    assert_eq!(refused.part.name(), "name");
    assert!(full.page().len() < 1 << 20);
    // Without its payload it would name nobody, so that is no spelling of it.
    let start = tester.find("salt ").unwrap();
    let end = tester.find("hash ").unwrap();
    let withheld = format!("{}withheld\n{}", &tester[..start], &tester[end..]);
    let refused = Bundle::parse(with(&file, &[withheld]).file().as_bytes()).unwrap_err();
    assert_eq!(refused.part().unwrap().name(), "payload");
}

/// By the program in Go, which shares no code with ours.
#[tokio::test]
async fn foreign_checks_hold_names_against_grants() {
    let (dir, scene) = (tempfile::tempdir().unwrap(), scene().await);
    std::fs::write(dir.path().join("log.vkey"), log_key().key().to_string()).unwrap();
    std::fs::write(dir.path().join("witnesses.vkey"), "").unwrap();
    std::fs::create_dir(dir.path().join("bundles")).unwrap();
    let file = scene.file("denied").await;
    let genuine = sections(&file);
    let tester = &genuine[0];
    let others = Others::of(&scene, tester).await;
    let twice = vec![tester.clone(), tester.clone()];
    for (names, words) in [
        (
            genuine.clone(),
            Ok("3 payloads, component 1 is \"tester\", component 2 is \"auditor\"\n"),
        ),
        (Vec::new(), Ok("3 payloads\n")),
        (
            vec![others.stranger],
            Err("component 3 has a name and no record"),
        ),
        (vec![others.opening], Err("record 1 is no grant")),
        (vec![others.late], Err("is of component 1, which record")),
        (twice, Err("must not stand here")),
        (vec![others.renamed], Err("not what the header commits to")),
    ] {
        std::fs::write(
            dir.path().join("bundles/denied"),
            with(&file, &names).file(),
        )
        .unwrap();
        let Some((accepted, said)) = foreign::verdict(dir.path()) else {
            return;
        };
        assert_eq!(accepted, words.is_ok(), "{said}");
        let words = words.unwrap_or_else(|words| words);
        assert!(said.contains(words), "{words}: {said}");
    }
}

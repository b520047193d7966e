// SPDX-License-Identifier: Apache-2.0
//! Salvage: what verifies goes on, in a new ledger, and nothing of the old one is touched.

use std::fs;
use std::path::Path;

use femtoclaw_ledger::events::{Event, EventType};
use femtoclaw_ledger::journal::{FRAME_HEADER_LEN, Finding, FindingKind, Frame};
use femtoclaw_ledger::{
    Context, Ledger, Options, Quota, Record, Rights, Seq,
    execution_log::{Resolution, Resolve},
    read_only::ReadOnlyOptions,
    salvage::{SalvageOptions, SalvageProgress, Salvaged},
};

use crate::child::{child_command, child_path};
use crate::damage::in_a_table;
use crate::scene::{Scene, WAIT, find, flip, in_log, in_tables, needle, request, state};

fn records(path: &Path) -> Vec<Record> {
    let opened = Ledger::open_read_only(path, ReadOnlyOptions::default()).unwrap();
    assert_eq!(opened.findings(), [], "{}", path.display());
    opened.range(Seq::FIRST).map(Result::unwrap).collect()
}

/// The frames that were set aside, in order, each as its manifest line says.
fn aside(path: &Path) -> Vec<(serde_json::Value, Vec<u8>)> {
    let directory = path.join("quarantine/salvage");
    let Ok(manifest) = fs::read_to_string(directory.join("manifest.jsonl")) else {
        return Vec::new();
    };
    let lines = manifest
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let kept = lines.map(|line: serde_json::Value| {
        let bytes = fs::read(directory.join(line["file"].as_str().unwrap())).unwrap();
        (line, bytes)
    });
    kept.collect()
}

/// Salvages, and looks at everything that has to be so whatever was damaged.
async fn salvaged(scene: &Scene) -> Salvaged {
    let before = state(&scene.path);
    let to = scene.to();
    let done = Ledger::salvage(&scene.path, &to, &SalvageOptions::default()).unwrap();
    assert!(state(&scene.path) == before, "the source was changed");
    let kept = records(&to);
    let (told, kept) = kept.split_last().unwrap();
    let original = scene.opened();
    assert_eq!(kept.len() as u64, done.through.count());
    for record in kept {
        assert_eq!(
            Some(record),
            original.get(record.header.seq).unwrap().as_ref()
        );
    }
    assert_eq!(told.hash, done.head.hash);
    let Event::RecoveryReported(report) = told.event().unwrap() else {
        panic!("{told:?}")
    };
    assert_eq!(report.recovered, done.through.count());
    // What the source was found to be is in the new ledger's own record, for whoever reads that later.
    let lost_slot = |it: &Finding| it.kind == FindingKind::AnchorSlot;
    assert_eq!(report.log_files, scene.logs().len() as u64);
    assert!(report.log_batches > 0, "{report:?}");
    assert_eq!(report.anchor_slot_lost, done.findings.iter().any(lost_slot));
    assert!(
        report.anchor_renewed.starts_with("salvaged: "),
        "{report:?}"
    );
    let summary = original.summary().unwrap();
    assert!(done.head.epoch > *summary.epochs.keys().last().unwrap());
    let again = Ledger::salvage(&scene.path, &to, &SalvageOptions::default()).unwrap_err();
    assert_eq!(again.code(), "target_exists");
    goes_on(&to, done.head.count()).await;
    done
}

/// It opens as any other, takes records, and verifies afterwards.
async fn goes_on(path: &Path, head: u64) {
    let (ledger, root) = Ledger::open(path, Options::default()).await.unwrap();
    assert!(!ledger.recovery().unwrap().is_notable());
    let grant = root.grant("tester", Rights::all(), Quota::default());
    let grant = grant.await.unwrap();
    let log = ledger.execution_log(&grant).unwrap();
    let begun = log.begin(request(&ledger, 9_999, 10)).await.unwrap();
    log.complete(begun.execution(), Default::default(), b"1".to_vec())
        .await
        .unwrap();
    // Its views are made of the journal first.
    ledger.at_least(ledger.head().seq).await.unwrap();
    for left in log.in_doubt().await.unwrap() {
        let verdict = Resolve {
            resolution: Resolution::Lost,
            reason: "its end was not salvaged".to_owned(),
            result: Vec::new(),
        };
        let resolved = log.resolve(left.execution, Context::new(), verdict);
        resolved.await.unwrap();
    }
    root.close(WAIT).await.unwrap();
    let records = records(path);
    assert!(records.len() as u64 > head + 4);
}

#[tokio::test]
async fn a_whole_ledger_is_salvaged_as_a_whole() {
    for scene in [in_log(), in_tables()] {
        let head = scene.opened().head();
        let done = salvaged(&scene).await;
        assert_eq!((done.through, done.aside), (head, 0));
        assert!(done.is_complete() && done.checkpoints.len() >= 2);
        assert_eq!(done.anchored, head.seq);
    }
    let scene = in_log();
    scene.tear();
    let head = scene.opened().head();
    let done = salvaged(&scene).await;
    assert_eq!((done.through, done.first_lost), (head, None));
    // The key of subjects is the same, where there is one; else the new ledger says so.
    let key = |path: &Path| fs::read(path.join("SUBJECTS")).unwrap();
    assert_eq!(key(&scene.to()), key(&scene.path));
    fs::remove_file(scene.path.join("SUBJECTS")).unwrap();
    let bare = scene.to().with_file_name("bare");
    Ledger::salvage(&scene.path, &bare, &SalvageOptions::default()).unwrap();
    let refused = Ledger::open(&bare, Options::default()).await.unwrap_err();
    assert_eq!(refused.code(), "subject_key");
}

#[tokio::test]
async fn a_flip_in_the_log_parts_what_goes_on_from_what_is_set_aside() {
    let scene = in_log();
    let bad = scene.decided(11).header.seq.get();
    let log = &scene.logs()[0];
    flip(log, find(log, &needle(11)).unwrap());
    let done = salvaged(&scene).await;
    let (first, why) = (done.first_lost.unwrap(), done.because.clone());
    assert!(
        first <= bad && bad < first + 5 && why.contains("not verify"),
        "{first} {why}"
    );
    assert_eq!(done.through.count() + 1, first);
    let kept = aside(&scene.to());
    assert_eq!(kept.len() as u64, done.aside);
    // All that follows, the damaged frame with it: every other record as it was.
    let mut next = first;
    for (line, bytes) in &kept {
        let frame = Frame::decode(bytes).unwrap();
        assert_eq!(frame.first.get(), next, "{line}");
        assert_eq!(line["first"], next);
        assert_eq!(line["verifies"], frame.verify().is_ok());
        for record in frame.records() {
            match record {
                Ok(record) if next <= scene.made.head() => {
                    assert_eq!(record, scene.made.records[next as usize - 1]);
                }
                Ok(_) => {}
                Err(error) => assert_eq!(next, bad, "{error}"),
            }
            next += 1;
        }
    }
    assert!(next > scene.made.head());
    let holds: Vec<_> = done.checkpoints.iter().map(|it| it.holds).collect();
    assert!(holds[0] && !holds[1], "{:?}", done.checkpoints);
}

#[tokio::test]
async fn a_table_that_is_damaged_or_gone_ends_the_history_before_it() {
    for gone in [false, true] {
        let scene = in_tables();
        let (number, table) = in_a_table(&scene);
        let bad = scene.decided(number).header.seq.get();
        match gone {
            true => fs::remove_file(&table).unwrap(),
            false => flip(&table, find(&table, &needle(number)).unwrap()),
        }
        let done = salvaged(&scene).await;
        assert!(done.through.count() < bad && done.aside > 0);
        let why = done.because;
        let expected = if gone { "missing" } else { "not verify" };
        assert!(why.contains(expected), "{why}");
        let last = aside(&scene.to()).pop().unwrap();
        assert!(last.0["last"].as_u64().unwrap() >= scene.made.head());
    }
}

#[tokio::test]
async fn an_anchor_that_is_missing_ahead_or_of_another_history() {
    let scene = in_log();
    fs::remove_file(scene.path.join("ANCHOR")).unwrap();
    let head = scene.opened().head();
    let done = salvaged(&scene).await;
    assert_eq!((done.through, done.anchored, done.aside), (head, None, 0));
    let scene = in_log();
    let bytes = scene.written();
    fs::write(&scene.logs()[0], &bytes[..bytes.len() - 20]).unwrap();
    let done = salvaged(&scene).await;
    let anchored = done.anchored.unwrap();
    assert!(anchored.get() > done.through.count() && !done.is_complete());
    assert!(done.because.contains("acknowledged"));
    // The last frame is there, and damaged: it is not missing.
    let scene = in_log();
    let log = &scene.logs()[0];
    let last = scene.written().windows(8).rposition(|it| it == b"FCLFRAME");
    flip(log, last.unwrap() + FRAME_HEADER_LEN + 100);
    let done = salvaged(&scene).await;
    assert!(done.anchored > done.through.seq && !done.is_complete());
    assert!(done.because.contains("not verify"), "{}", done.because);
    // The anchor of a ledger with the same id and other records.
    let scene = in_log();
    let claim = *scene.opened().anchored().unwrap();
    let head = femtoclaw_ledger::Head {
        seq: claim.seq,
        hash: [9; 32],
        ..Default::default()
    };
    let anchor = scene.path.join("ANCHOR");
    femtoclaw_ledger::journal::Anchor::create(&anchor, claim.ledger, &head, 1).unwrap();
    assert_eq!(Scene::found(&scene.opened()), ["other_history"]);
    let refused = Ledger::salvage(&scene.path, scene.to(), &SalvageOptions::default());
    assert_eq!(refused.unwrap_err().code(), "other_history");
    assert!(!scene.to().exists());
    let options = SalvageOptions {
        disregard_anchor: true,
        ..SalvageOptions::default()
    };
    let done = Ledger::salvage(&scene.path, scene.to(), &options).unwrap();
    assert_eq!(done.through.seq, claim.seq);
}

#[tokio::test]
async fn what_cannot_be_salvaged_leaves_nothing() {
    let scene = in_log();
    let salvage = |to: &Path| Ledger::salvage(&scene.path, to, &SalvageOptions::default());
    let before = state(&scene.path);
    let inside = salvage(&scene.path.join("quarantine")).unwrap_err();
    assert_eq!(inside.code(), "target_in_source");
    fs::create_dir(scene.to()).unwrap();
    assert_eq!(salvage(&scene.to()).unwrap_err().code(), "target_exists");
    fs::remove_dir(scene.to()).unwrap();
    assert!(state(&scene.path) == before);
    // Record 1 is gone, and with it all that rests on it.
    let log = &scene.logs()[0];
    flip(log, find(log, "FCLFRAME").unwrap() + 30);
    assert_eq!(salvage(&scene.to()).unwrap_err().code(), "nothing");
    let left = fs::read_dir(scene.directory.path()).unwrap().count();
    assert_eq!(left, 1, "the source alone");
    let missing = Ledger::salvage("/nowhere", scene.to(), &SalvageOptions::default());
    assert_eq!(missing.unwrap_err().code(), "not_a_ledger");
}

/// A process that is gone at any step leaves nothing that opens, and the next salvage takes its place.
#[tokio::test]
async fn a_salvage_that_is_killed_leaves_no_ledger() {
    if let Some(path) = child_path() {
        let step: usize = std::env::var("KILLED_AT").unwrap().parse().unwrap();
        let steps = std::sync::atomic::AtomicUsize::new(0);
        let killed = move |_: SalvageProgress| {
            if steps.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == step {
                std::process::abort();
            }
        };
        let options = SalvageOptions {
            progress: Some(Box::new(killed)),
            ..SalvageOptions::default()
        };
        Ledger::salvage(path.join("ledger"), path.join("new"), &options).unwrap();
        return;
    }
    let scene = in_log();
    let log = &scene.logs()[0];
    flip(log, find(log, &needle(30)).unwrap());
    let (mut killed, mut step) = (0, 0);
    loop {
        let test = "salvage::a_salvage_that_is_killed_leaves_no_ledger";
        let mut child = child_command(test, scene.directory.path());
        let output = child.env("KILLED_AT", step.to_string()).output().unwrap();
        if output.status.success() {
            break;
        }
        killed += 1;
        assert!(!scene.to().exists(), "at step {step}");
        let creating = scene.directory.path().join("new.creating");
        let opened = Ledger::open(&creating, Options::default()).await;
        // Before the copy is begun there is nothing, and an empty directory is a new ledger to be.
        match opened {
            Ok(_) => assert!(step == 0, "at step {step}"),
            Err(error) => assert_eq!(error.code(), "not_a_ledger", "at step {step}"),
        }
        if step == 0 {
            drop(fs::remove_dir_all(&creating));
        }
        // The beginning, the middle and all that comes after the copying.
        step += if (2..=60).contains(&step) { 20 } else { 1 };
    }
    assert!(killed > 6, "{killed}");
    assert_eq!(
        aside(&scene.to()).len() as u64,
        fs::read_dir(scene.to().join("quarantine/salvage"))
            .unwrap()
            .count() as u64
            - 1
    );
    let salvaged = records(&scene.to());
    assert_eq!(
        salvaged.last().unwrap().header.event_type,
        EventType::RecoveryReported
    );
}

// SPDX-License-Identifier: Apache-2.0
//! A ledger without records: its directory was made, and its first frame never written. No path names a
//! record 0 or any other that there is not.

use std::sync::Arc;

use femtoclaw_ledger::clock::SystemClock;
use femtoclaw_ledger::journal::{
    Anchor, Anchored, Anchoring, FjallJournal, Journal, JournalOptions, MemoryJournal, Reader,
    Writer,
};
use femtoclaw_ledger::salvage::SalvageOptions;
use femtoclaw_ledger::{Head, Ledger, Options, Seq, verify::VerifyOptions};

use crate::fixtures::{LEDGER, frame};
use crate::scene::{Scene, WAIT, in_log};

/// What people and programs are shown of it.
#[track_caller]
fn shows_none(head: Head) {
    assert_eq!(
        (head.seq, head.count(), head.next_seq()),
        (None, 0, Seq::FIRST)
    );
    assert_eq!(head.to_string(), "no record");
    assert!(!head.contains(Seq::FIRST));
    let json = serde_json::to_value(head).unwrap();
    assert!(
        json["seq"].is_null() && format!("{head:?}").contains("seq: None"),
        "{json} {head:?}"
    );
}

#[test]
fn a_journal_without_records_has_no_newest_one() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("journal");
    let stored = FjallJournal::open(&path, &JournalOptions::default()).unwrap();
    let anchor = place.path().join("ANCHOR");
    Anchor::create(&anchor, LEDGER, &Head::default(), 0).unwrap();
    let claim = *Anchor::open(&anchor).unwrap().claim();
    assert_eq!((claim.seq, claim.count()), (None, 0));
    let opened = Anchor::open(&anchor).unwrap();
    let anchored = Anchored::open(stored, opened, Anchoring::Pipelined).unwrap();
    let journals: [Arc<dyn Journal>; 2] = [Arc::new(MemoryJournal::new()), Arc::new(anchored)];
    for journal in journals {
        shows_none(journal.head().unwrap());
        assert!(journal.frame_at(Seq::FIRST).unwrap().is_none());
        assert_eq!(journal.frames(Seq::FIRST).count(), 0);
        let writer =
            Writer::start(Arc::clone(&journal), Arc::new(SystemClock::default()), None).unwrap();
        let handle = writer.handle();
        shows_none(handle.head());
        shows_none(*handle.watch_head().borrow());
        let reader = Reader::new(Arc::clone(&journal), &handle);
        shows_none(reader.head());
        assert!(reader.get(Seq::FIRST).unwrap().is_none());
        assert_eq!(reader.first_since(i64::MIN).unwrap(), None);
        assert_eq!(reader.range(Seq::FIRST).count(), 0);
        let behind = frame(frame(Head::default(), 2).last, 1);
        let refused = journal
            .append(&behind, &behind.last)
            .unwrap_err()
            .to_string();
        assert!(
            refused.ends_with("follows record 3, the head is no record"),
            "{refused}"
        );
        writer.join();
        journal.close();
    }
}

#[tokio::test]
async fn a_ledger_without_records_names_none_on_any_path() {
    let scene: Scene = in_log();
    scene.empty();
    let opened = scene.opened();
    assert!(opened.findings().is_empty(), "{:?}", opened.findings());
    shows_none(opened.head());
    shows_none(opened.verified());
    assert_eq!(opened.anchored().unwrap().seq, None);
    assert_eq!(opened.summary().unwrap().records, 0);
    assert_eq!(opened.get(Seq::FIRST).unwrap(), None);
    assert_eq!(opened.range(Seq::FIRST).count(), 0);
    drop(opened);
    let nothing = Ledger::salvage(&scene.path, scene.to(), &SalvageOptions::default());
    assert_eq!(nothing.unwrap_err().code(), "nothing");
    // Opened, it begins with record 1, and the report says that there was none.
    let (ledger, root) = Ledger::open(&scene.path, Options::default()).await.unwrap();
    let recovery = ledger.recovery().unwrap();
    assert_eq!((recovery.anchored, recovery.recovered), (None, None));
    let head = ledger.head();
    assert_eq!(head.seq, ledger.watch_head().borrow().seq);
    assert!(head.contains(Seq::FIRST) && head.count() > 0);
    ledger.at_least(head.seq).await.unwrap();
    ledger.at_least(None).await.unwrap();
    let verified = ledger
        .verify(VerifyOptions::default(), |_| {})
        .await
        .unwrap();
    assert!(verified.is_sound() && verified.head.seq >= head.seq);
    let closed = root.close(WAIT).await.unwrap();
    assert!(closed.head.seq > head.seq);
}

/// What was acknowledged is gone, and with it every record: the error names what there is no more, and no
/// record 0 in its place.
#[tokio::test]
async fn a_journal_that_lost_all_of_its_records_names_no_last_one() {
    let scene = in_log();
    let anchor = std::fs::read(scene.path.join("ANCHOR")).unwrap();
    let claimed = scene.opened().anchored().unwrap().seq.unwrap();
    scene.empty();
    std::fs::write(scene.path.join("ANCHOR"), anchor).unwrap();
    let told: Vec<_> = scene
        .opened()
        .findings()
        .iter()
        .map(ToString::to_string)
        .collect();
    let claims = format!(
        "the anchor claims record {}, and there are no records",
        claimed
    );
    assert!(
        told.iter().any(|finding| finding.contains(&claims)),
        "{told:?}"
    );
    let refused = Ledger::open(&scene.path, Options::default())
        .await
        .map(|_| ());
    let told = refused.unwrap_err().to_string();
    let end = format!("the anchor holds record {}, the journal none", claimed);
    assert!(told.ends_with(&end), "{told}");
}

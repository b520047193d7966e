// SPDX-License-Identifier: Apache-2.0
//! The kinds of events that are saved with the states: an opening that begins behind a record learns of it all the same.

use super::*;
use crate::error::OpenError;
use crate::events::EventType;
use crate::ledger::recover::{caller_gone::Dropped, kinds};

const LATER: EventType = EventType(0x7777);

impl World {
    fn kinds(&self, is_gapless: bool) -> Result<Kinds, OpenError> {
        let root = self.directory.path();
        kinds::known(&self.journal, root, is_gapless, &Dropped::default())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn saved_kinds_and_the_tail_give_what_the_whole_journal_gives() {
    let world = World::busy().await;
    let whole = world.kinds(false).unwrap();
    assert_eq!(whole.through, world.ledger.head().count());
    assert_eq!(world.kinds(true).unwrap(), whole);
    // As an opening that begins with them has them, and its sequencer behind it.
    let open = world.ledger.0.core.shared.kinds.through(whole.through);
    assert_eq!(open, whole);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_before_what_was_saved_counts() {
    let mut world = World::busy().await;
    let third = Seq::FIRST.plus(2);
    let shared = &world.ledger.0.core.shared;
    shared.kinds.sequenced(LATER, 1, third);
    world.ledger.0.snapshots.take().await;
    // It is in no record that an opening reads.
    assert!(world.kinds(false).is_ok());
    let named = |error: &OpenError| matches!(error, OpenError::UnknownEvent { seq, event_type: LATER, revision: 1, encrypted: false } if *seq == third);
    let refused = world.kinds(true).unwrap_err();
    assert!(named(&refused), "{refused}");
    // What nobody vouches for says nothing, for or against: the journal is read instead.
    let newest = world.files().swap_remove(0);
    let good = fs::read(&newest).unwrap();
    for older in world.files().split_off(1) {
        fs::remove_file(older).unwrap();
    }
    for at in [0, 8, 24, 25, 33, 41, 50] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&newest, bad).unwrap();
        assert!(world.kinds(true).is_ok(), "byte {at}");
    }
    fs::write(&newest, &good).unwrap();
    world.root.close(Duration::ZERO).await.unwrap();
    world.journal = world.journal.reopen();
    let before = world.journal.head().unwrap();
    let journal = Arc::new(world.journal.clone());
    let opened = Ledger::open_on(journal, world.directory.path(), Options::default()).await;
    let refused = opened.err().unwrap();
    assert!(named(&refused), "{refused}");
    assert_eq!(world.journal.head().unwrap(), before);
}

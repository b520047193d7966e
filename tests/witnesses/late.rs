// SPDX-License-Identifier: Apache-2.0
//! Destinations and witnesses that were away get the newest checkpoint once they are back.

use femtoclaw_ledger::witness::TransportAnswer;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use femtoclaw_ledger::clock::ManualClock;
use femtoclaw_ledger::events::{Event, EventType};
use femtoclaw_ledger::integrity::key::{Signer, VerifierKey};
use femtoclaw_ledger::integrity::note::Note;
use femtoclaw_ledger::{
    Ledger, Options,
    checkpoint::{CheckpointDirectory, CheckpointOptions, Destination},
    witness::{Witness, WitnessDestination, WitnessTransport},
};

use crate::shared::{WAIT, everything};
use crate::{Opened, Place, key, policy, witness_key};

/// Whether both are there.
#[derive(Default)]
struct Line(AtomicBool);

impl Line {
    fn there(&self) -> io::Result<()> {
        match self.0.load(Ordering::Acquire) {
            true => Ok(()),
            false => Err(io::Error::other("the line is down")),
        }
    }
}

struct FarDirectory(Arc<Line>, CheckpointDirectory);

impl Destination for FarDirectory {
    fn name(&self) -> &str {
        self.1.name()
    }

    fn put(&self, checkpoint: &Note) -> io::Result<()> {
        self.0.there()?;
        self.1.put(checkpoint)
    }

    fn kept(&self, keys: &[VerifierKey]) -> io::Result<Vec<Note>> {
        self.1.kept(keys)
    }
}

struct FarWitness(Arc<Line>, Witness);

impl WitnessTransport for FarWitness {
    fn send(&self, body: &[u8]) -> io::Result<TransportAnswer> {
        self.0.there()?;
        self.1.send(body)
    }
}

/// A log whose witness and whose directory are at the other end of the line.
async fn log(place: &Place, line: &Arc<Line>, clock: &Arc<ManualClock>, one: Witness) -> Opened {
    let far = FarWitness(Arc::clone(line), one);
    let far = WitnessDestination::new(witness_key(1).key().clone(), Arc::new(far));
    let kept = CheckpointDirectory::new(place.path("kept"));
    let kept = FarDirectory(Arc::clone(line), kept);
    let mut signing = CheckpointOptions::new(Arc::new(key(1)), vec![Arc::new(far), Arc::new(kept)]);
    signing.every_records = 0;
    signing.every = Duration::ZERO;
    let options = Options {
        checkpoints: Some(signing),
        clock: clock.clone(),
        ..Options::default()
    };
    let (ledger, root) = Ledger::open(place.path("log"), options).await.unwrap();
    let grant = everything(&root).await;
    Opened {
        ledger,
        root,
        grant,
    }
}

impl Opened {
    /// As [`Opened::events`], once they are enough: nobody waits for the ledger's own records, so they are looked
    /// for after each commit.
    pub(crate) async fn events_until(
        &self,
        event_type: EventType,
        enough: impl Fn(&[Event]) -> bool,
    ) -> Vec<Event> {
        let mut head = self.ledger.watch_head();
        loop {
            head.borrow_and_update();
            let found = self.events(event_type).await;
            if enough(&found) {
                return found;
            }
            let moved = tokio::time::timeout(WAIT, head.changed()).await;
            moved.expect("a record").unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_copied_is_copied_and_cosigned_later() {
    let place = Place::new();
    let witnessing = Opened::new(&place.path("w1"), None).await;
    let (line, clock) = (
        Arc::new(Line::default()),
        Arc::new(ManualClock::new(1_767_225_600_000_000_000)),
    );
    let log = log(&place, &line, &clock, witnessing.witness(1).await).await;
    let alone = log.root.checkpoint().await.unwrap();
    assert!(policy(1).check(&alone, None).is_err());
    let told = log.ledger.checkpoint_copies();
    assert!(
        told.iter()
            .all(|copy| copy.problem.contains("the line is down"))
    );
    assert!(!place.path("kept").exists());

    line.0.store(true, Ordering::Release);
    let behind = || {
        let copies = log.ledger.checkpoint_copies();
        copies.iter().any(|copy| !copy.problem.is_empty())
    };
    for _ in 0..600 {
        if !behind() {
            break;
        }
        // What was tried and failed is left alone for ten seconds.
        clock.advance(Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(!behind(), "{:?}", log.ledger.checkpoint_copies());
    let cosigned = log
        .events_until(EventType::CheckpointCosigned, |all| !all.is_empty())
        .await;
    let [Event::CheckpointCosigned(it)] = cosigned.as_slice() else {
        panic!("{cosigned:?}");
    };
    assert_eq!(it.added, 1);
    let newest = log.ledger.newest_checkpoint().await.unwrap().unwrap();
    assert_eq!(newest.text(), alone.text());
    assert_eq!(it.note, newest.to_string().into_bytes());
    assert!(policy(1).check(&newest, None).is_ok());
    // The copy has it too: witnesses are asked before copies go out.
    let entry = std::fs::read_dir(place.path("kept")).unwrap().next();
    let copied = std::fs::read(entry.unwrap().unwrap().path()).unwrap();
    assert_eq!(Note::parse(&copied).unwrap(), newest);
    log.close().await;
    witnessing.close().await;
}

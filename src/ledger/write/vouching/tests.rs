// SPDX-License-Identifier: Apache-2.0
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::path::Path;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::Duration;

use super::*;
use crate::clock::SystemClock;
use crate::events::{EventType, LedgerId, Record, SnapshotTakenV1, TelemetryLostV1};
use crate::held::{FailedSync, HeldMemory};
use crate::integrity::Chain;
use crate::journal::{FrameBuilder, Head, Journal, MemoryJournal, NewRecord, Writer};
use crate::ledger::{Ledger, Options, Root};

const SOON: Duration = Duration::from_secs(20);

fn segment(number: u64) -> SealedSegment {
    SealedSegment {
        view: format!("view_{number}"),
        version: 3,
        first_seq: 1,
        last_seq: 1,
        digest: [number as u8; 32],
    }
}

/// Hands it in; the receiver is told the number, or gone where there will be none.
fn vouch(voucher: &dyn Voucher, segment: SealedSegment) -> Receiver<u64> {
    let (sender, told) = channel();
    voucher.vouch(segment, Box::new(move |seq| sender.send(seq).unwrap()));
    told
}

/// A journal of one record a frame: number 11 is the ledger's own and states segments of records 1 to 10.
struct Stated {
    reader: Reader,
    writer: Writer,
    segment: SealedSegment,
}

const OWN: u64 = 11;

impl Stated {
    fn new() -> Self {
        let segment = SealedSegment {
            last_seq: 10,
            ..segment(1)
        };
        let ahead = SealedSegment {
            last_seq: OWN,
            ..segment.clone()
        };
        let segments = vec![
            stated(super::tests::segment(2)),
            stated(segment.clone()),
            stated(ahead),
        ];
        let event = Event::from(ViewsSealedV1 { segments });
        let lost = Event::from(TelemetryLostV1 {
            first_ns: 5,
            last_ns: 6,
            count: 1,
        });
        let taken = Event::from(SnapshotTakenV1 {
            state: 1,
            layout: 1,
            length: 1,
            digest: segment.digest,
        });
        let own = NewRecord::of(&event);
        let mut records = vec![NewRecord::of(&lost); 10];
        records.push(own.clone());
        records.push(NewRecord {
            component: ComponentId(7),
            ..own.clone()
        });
        records.push(NewRecord {
            event_type: EventType::SnapshotTaken,
            ..own.clone()
        });
        records.push(NewRecord::of(&taken));
        records.push(NewRecord::new(EventType::ViewsSealed, 1, vec![0]));
        records.push(NewRecord::new(
            EventType::ViewsSealed,
            2,
            own.payload.clone(),
        ));
        for record in &mut records {
            record.commitment = Chain::default().payload_commitment(&record.salt, &record.payload);
        }
        // Of other bytes than its commitment says.
        records.push(NewRecord {
            commitment: [0; 32],
            ..own
        });
        Self::of(&records, segment)
    }

    fn of(records: &[NewRecord], segment: SealedSegment) -> Self {
        let journal = Arc::new(MemoryJournal::new());
        let ledger = LedgerId::from_bytes([7; 16]);
        let mut builder = FrameBuilder::new(ledger, 1, Head::default());
        for record in records {
            let after = builder.head();
            builder.push(record, 1_000);
            journal.append(&builder.take(), &after).unwrap();
        }
        let clock = Arc::new(SystemClock::default());
        let writer = Writer::start(journal.clone(), clock, None).unwrap();
        Self {
            reader: Reader::new(journal, &writer.handle()),
            writer,
            segment,
        }
    }

    fn has_vouched(&self, seq: u64, segment: &SealedSegment) -> Result<bool, String> {
        let vouching = Vouching::new(self.reader.clone());
        vouching.voucher().has_vouched(seq, segment)
    }
}

#[test]
fn a_record_of_the_ledgers_own_vouches_for_exactly_what_it_states() {
    let journal = Stated::new();
    let segment = journal.segment.clone();
    let says = |seq, segment: &SealedSegment| journal.has_vouched(seq, segment).unwrap();
    assert!(says(OWN, &segment));
    type Change = fn(&mut SealedSegment);
    let changes: [Change; 7] = [
        |it| it.view = "view_2".to_owned(),
        |it| it.view.clear(),
        |it| it.version += 1,
        |it| it.first_seq += 1,
        |it| it.last_seq -= 1,
        |it| it.digest[31] ^= 1,
        // It is stated, of records that the record itself does not follow.
        |it| it.last_seq = OWN,
    ];
    for (number, change) in changes.iter().enumerate() {
        let mut other = segment.clone();
        change(&mut other);
        assert!(!says(OWN, &other), "{number}");
    }
    drop(journal.reader);
    journal.writer.join();
}

#[test]
fn no_other_record_vouches() {
    let journal = Stated::new();
    let says = |seq| journal.has_vouched(seq, &journal.segment);
    // None, those that it is made of, a component's, three of another type or that do not decode, of a later
    // revision, beyond the head.
    for seq in [0, 1, 10, 12, 13, 14, 15, 16, 18, 1 << 40, u64::MAX] {
        assert_eq!(says(seq), Ok(false), "{seq}");
    }
    // Who cannot read it does not know.
    let problem = says(17).unwrap_err();
    assert!(problem.contains("record 17"), "{problem}");
    drop(journal.reader);
    journal.writer.join();
}

struct World {
    _directory: tempfile::TempDir,
    journal: HeldMemory,
    ledger: Ledger,
    root: Root,
}

impl World {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let journal = HeldMemory::in_memory();
        let (ledger, root) = open(&journal, directory.path()).await;
        Self {
            _directory: directory,
            journal,
            ledger,
            root,
        }
    }

    fn vouching(&self) -> &Vouching {
        &self.ledger.0.vouching
    }

    fn vouch(&self, numbers: std::ops::Range<u64>) -> Vec<Receiver<u64>> {
        let voucher = self.vouching().voucher();
        numbers.map(|it| vouch(&*voucher, segment(it))).collect()
    }

    fn records(&self) -> Vec<Record> {
        records(&self.ledger.0.core.reader)
    }
}

async fn open(journal: &HeldMemory, path: &Path) -> (Ledger, Root) {
    let options = Options {
        activity_interval: Duration::from_millis(10),
        ..Options::default()
    };
    let journal = Arc::new(journal.clone());
    Ledger::open_on(journal, path, options).await.unwrap()
}

fn records(reader: &Reader) -> Vec<Record> {
    reader.range(Seq::FIRST).map(Result::unwrap).collect()
}

/// The numbers of segments that each record states, in order.
fn stated_in(records: &[Record]) -> Vec<(u64, Vec<u8>)> {
    let sealed = records.iter().filter_map(|record| {
        let Ok(Event::ViewsSealed(sealed)) = record.event() else {
            return None;
        };
        assert_eq!(record.header.component, ComponentId::LEDGER);
        // Those of the ledger's own views are of no interest here.
        let ours = |it: &&VouchedSegment| it.view.starts_with("view_");
        let ours = sealed.segments.iter().filter(ours);
        let numbers: Vec<u8> = ours.map(|it| it.digest[0]).collect();
        (!numbers.is_empty()).then_some((record.header.seq.get(), numbers))
    });
    sealed.collect()
}

fn soon(told: &Receiver<u64>) -> u64 {
    told.recv_timeout(SOON).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_while_a_record_is_on_its_way_goes_into_the_next() {
    let world = World::new().await;
    world.journal.hold();
    let told = world.vouch(0..131);
    assert!(matches!(told[0].try_recv(), Err(TryRecvError::Empty)));
    world.journal.release();
    let seqs: Vec<u64> = told.iter().map(soon).collect();
    let expected = [0..1, 1..65, 65..129, 129..131];
    let stated = stated_in(&world.records());
    let found: Vec<_> = stated.iter().map(|(_, numbers)| numbers.clone()).collect();
    assert_eq!(found, expected.clone().map(Vec::from_iter));
    for ((seq, _), numbers) in stated.iter().zip(expected) {
        for number in numbers {
            assert_eq!(seqs[number as usize], *seq);
            let voucher = world.vouching().voucher();
            let vouched = voucher.has_vouched(*seq, &segment(number.into()));
            assert_eq!(vouched, Ok(true));
        }
    }
    world.root.close(SOON).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_ledger_vouches_for_nothing_and_a_record_leads_to_no_other() {
    let world = World::new().await;
    let quiet = Duration::from_millis(150);
    tokio::time::sleep(quiet).await;
    assert_eq!(stated_in(&world.records()), []);
    let told = world.vouch(5..6);
    let seq = soon(&told[0]);
    tokio::time::timeout(SOON, world.vouching().settled())
        .await
        .unwrap();
    tokio::time::sleep(quiet).await;
    assert_eq!(stated_in(&world.records()), [(seq, vec![5])]);
    assert_eq!(world.ledger.head().count(), seq);
    world.root.close(SOON).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_finds_no_room_or_is_none_goes_without() {
    let world = World::new().await;
    world.journal.hold();
    let max = WAITING_MAX as u64;
    let told = world.vouch(0..max + 2);
    let (late, held) = told.split_last().unwrap();
    assert_eq!(late.try_recv(), Err(TryRecvError::Disconnected));
    assert!(
        held.iter()
            .all(|it| it.try_recv() == Err(TryRecvError::Empty))
    );
    world.journal.release();
    held.iter().for_each(|it| assert!(soon(it) > 0));
    let none = SealedSegment {
        view: "../view".to_owned(),
        ..segment(1)
    };
    let none = vouch(&*world.vouching().voucher(), none);
    assert_eq!(none.try_recv(), Err(TryRecvError::Disconnected));
    world.root.close(SOON).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_ledger_vouches_for_nothing() {
    let world = World::new().await;
    world.journal.hold();
    let told = world.vouch(0..3);
    assert!(world.journal.wait_until_held(SOON));
    world.journal.fail_next(FailedSync::NotPersisted);
    world.journal.release();
    for told in &told {
        assert!(told.recv_timeout(SOON).is_err());
    }
    tokio::time::timeout(SOON, world.vouching().settled())
        .await
        .unwrap();
    for told in world.vouch(0..1) {
        assert_eq!(told.try_recv(), Err(TryRecvError::Disconnected));
    }
    world.root.close(SOON).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_waits_for_what_was_handed_in_and_ends_with_its_own_words() {
    let world = World::new().await;
    world.journal.hold();
    let told = world.vouch(0..130);
    let closing = tokio::spawn({
        let root = world.root.clone();
        async move { root.close(SOON).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.journal.release();
    closing.await.unwrap().unwrap();
    let seqs: Vec<u64> = told.iter().map(soon).collect();
    let late = world.vouch(0..1);
    assert_eq!(late[0].try_recv(), Err(TryRecvError::Disconnected));
    let frames = world.journal.reopen().frames(Seq::FIRST);
    let records: Vec<Record> = frames
        .flat_map(|frame| frame.unwrap().records().collect::<Vec<_>>())
        .map(Result::unwrap)
        .collect();
    assert_eq!(stated_in(&records).len(), 4);
    let last = records.last().unwrap();
    assert_eq!(last.header.event_type, EventType::LedgerClosed);
    let transitions = EventType::TransitionsRecorded;
    let shutdown = records
        .iter()
        .rfind(|it| it.header.event_type == transitions);
    let shutdown = shutdown.map_or(last.header.seq.get(), |it| it.header.seq.get());
    assert!(
        seqs.iter().all(|seq| *seq < shutdown),
        "{seqs:?} {shutdown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_handed_in_before_the_actors_run_is_vouched_for_when_they_do() {
    let world = World::new().await;
    let core = &world.ledger.0.core;
    let early = || {
        let vouching = Vouching::new(core.reader.clone());
        let told = vouch(&*vouching.voucher(), segment(9));
        (vouching, told)
    };
    let (vouching, told) = early();
    assert_eq!(told.try_recv(), Err(TryRecvError::Empty));
    vouching.start(&core.shared);
    let seq = soon(&told);
    assert_eq!(stated_in(&world.records()), [(seq, vec![9])]);
    // An opening that is refused leaves nobody waiting.
    let (vouching, told) = early();
    drop(vouching);
    assert_eq!(told.try_recv(), Err(TryRecvError::Disconnected));
    world.root.close(SOON).await.unwrap();
}

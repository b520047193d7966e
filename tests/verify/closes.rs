// SPDX-License-Identifier: Apache-2.0
//! Records behind a close, in a history that is flawless otherwise.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::clock::ManualClock;
use femtoclaw_ledger::events::{Event, EventType, LedgerClosedV1, Record};
use femtoclaw_ledger::journal::{Frame, FrameBuilder, Head, Journal, NewRecord};
use femtoclaw_ledger::{Context, Ledger, Options, Seq};

use crate::records::{Spoilt, with_payload};
use crate::scene::until;
use crate::shared::{everything, observation};

/// Where the forged close is.
const CLOSED: u64 = 10;

/// The record as a close, as far as its payload goes.
fn closing(record: &Record) -> NewRecord {
    let event = Event::from(LedgerClosedV1 { running: 0 });
    let mut payload = Vec::new();
    event.encode_into(&mut payload);
    let kind = EventType::LedgerClosed;
    NewRecord {
        event_type: kind,
        revision: event.revision(),
        stores: kind.stores(),
        ..with_payload(record, payload)
    }
}

/// The same history with one record as a close, chain and commitments made anew.
fn rewritten(journal: &Spoilt) -> BTreeMap<u64, Frame> {
    let (mut made, mut head) = (BTreeMap::new(), Head::default());
    for frame in journal.inner.frames(Seq::FIRST).map(Result::unwrap) {
        let mut builder = FrameBuilder::new(frame.ledger, frame.epoch, head);
        for record in frame.records().map(Result::unwrap) {
            let payload = record.content.as_ref().unwrap().payload.clone();
            let new = match record.header.seq.get() {
                CLOSED => closing(&record),
                _ => with_payload(&record, payload),
            };
            builder.push(&new, record.header.time_ns);
        }
        let frame = builder.finish();
        head = frame.last;
        made.insert(frame.first.get(), frame);
    }
    made
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_scrub_tells_of_records_behind_a_close() {
    let (journal, directory) = (Spoilt::default(), tempfile::tempdir().unwrap());
    let clock = Arc::new(ManualClock::new(1_000_000_000));
    let options = Options {
        clock: Arc::clone(&clock) as _,
        scrub_bytes_per_second: 1 << 40,
        scrub_pause: Duration::from_secs(3_600),
        ..Options::default()
    };
    let given: Arc<dyn Journal> = Arc::new(journal.clone());
    let opened = Ledger::open_on(given, directory.path(), options).await;
    let (ledger, root) = opened.unwrap();
    let telemetry = ledger.telemetry(&everything(&root).await).unwrap();
    while ledger.head().count() < 2 * CLOSED {
        let beat = observation(Context::new(), "beat");
        telemetry.record(beat).await.unwrap();
    }
    let made = rewritten(&journal);
    *journal.spoil.lock().unwrap() = Some(Box::new(move |frame| {
        let other = made.get(&frame.first.get());
        Ok(other.unwrap_or(frame).clone())
    }));
    until("a pass ends", || {
        clock.advance(Duration::from_millis(10));
        ledger.scrubbed().passes >= 1
    })
    .await;
    let found = ledger.scrubbed().damages;
    let told = found.iter().find(|it| it.seq == Seq::new(CLOSED + 1));
    let told = told.unwrap_or_else(|| panic!("{found:?}")).to_string();
    assert!(told.contains("lies behind record 10"), "{told}");
    assert!(!ledger.health().healthy);
    // All digests are right: nothing else of that history is found.
    assert!(
        found.iter().all(|it| it.seq > Seq::new(CLOSED)),
        "{found:?}"
    );
}

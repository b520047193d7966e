// SPDX-License-Identifier: Apache-2.0
//! The writer: nobody is answered before the sync, everybody in order, and what a failure means.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use femtoclaw_ledger::clock::ManualClock;
use femtoclaw_ledger::journal::*;

use crate::fixtures::{LEDGER, frame, record, seq, time};
use crate::held::{FailedSync, HeldJournal, HeldMemory};

const SOON: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(20);

type Given = (u64, Result<u64, Sealed>);

/// A writer over memory; every answer is noted with its number.
struct Scene {
    journal: HeldMemory,
    writer: Writer,
    builder: FrameBuilder,
    given: Receiver<Given>,
    note: Arc<dyn Fn(Given) + Send + Sync>,
}

impl Scene {
    fn new() -> Self {
        let journal = HeldMemory::in_memory();
        let (sender, given) = channel();
        let sender = Mutex::new(sender);
        let clock = Arc::new(ManualClock::new(0));
        Self {
            writer: Writer::start(Arc::new(journal.clone()), clock, None).unwrap(),
            journal,
            builder: FrameBuilder::new(LEDGER, 1, Head::default()),
            given,
            note: Arc::new(move |given| sender.lock().unwrap().send(given).unwrap()),
        }
    }

    fn answer(&self, number: u64) -> Box<dyn WriterAnswer> {
        let note = Arc::clone(&self.note);
        Box::new(move |outcome: Result<&Head, &Sealed>| {
            note((
                number,
                outcome.map(|head| head.count()).map_err(Clone::clone),
            ))
        })
    }

    /// The next frame, with this many records.
    fn frame(&mut self, records: u64) -> Frame {
        for _ in 0..records {
            let number = self.builder.head().count() + 1;
            self.builder.push(&record(number), time(number));
        }
        self.builder.take()
    }

    fn submit(&mut self, records: u64, answers: std::ops::Range<u64>) {
        let frame = (records > 0).then(|| self.frame(records));
        let answers = answers.map(|number| self.answer(number)).collect();
        self.writer.handle().submit(Work { frame, answers });
    }

    fn next(&self) -> Given {
        self.given.recv_timeout(LONG).unwrap()
    }

    fn nothing_yet(&self) {
        assert!(
            self.given.recv_timeout(SOON).is_err(),
            "answered before the sync"
        );
    }

    fn end(self) -> HeldMemory {
        self.writer.join();
        assert!(self.given.try_recv().is_err(), "an answer too many");
        self.journal
    }
}

#[test]
fn answers_come_in_order_after_the_sync_and_carry_the_head() {
    let mut scene = Scene::new();
    // Few and many, with and without a frame: on the spot and by the other thread.
    let sizes = [1, 40, 3, 500, 0, 1, 17, 16, 200];
    let mut next = 0;
    let mut expected = Vec::new();
    for (round, size) in sizes.into_iter().cycle().take(90).enumerate() {
        let records = u64::from(round % 3 != 2);
        scene.submit(records, next..next + size);
        let head = scene.builder.head().count();
        expected.extend((next..next + size).map(|number| (number, Ok(head))));
        next += size;
    }
    let given: Vec<Given> = (0..next).map(|_| scene.next()).collect();
    assert_eq!(given, expected);
    let head = scene.builder.head();
    assert_eq!(scene.writer.handle().head(), head);
    assert_eq!(scene.end().head().unwrap(), head);
}

#[test]
fn while_the_sync_is_held_nobody_is_answered_and_nothing_is_shown() {
    let mut scene = Scene::new();
    scene.journal.hold();
    scene.submit(2, 0..2);
    assert!(scene.journal.wait_until_held(LONG));
    // A refusal and a duplicate: no records, yet they wait for what they rest on.
    scene.submit(0, 2..3);
    scene.submit(1, 3..4);
    scene.nothing_yet();
    assert_eq!(scene.writer.handle().head(), Head::default());
    assert_eq!(scene.journal.head().unwrap(), Head::default());
    assert!(!scene.writer.handle().is_idle());
    scene.journal.release();
    let given: Vec<Given> = (0..4).map(|_| scene.next()).collect();
    assert_eq!(given, [(0, Ok(2)), (1, Ok(2)), (2, Ok(2)), (3, Ok(3))]);
    scene.end();
}

#[test]
fn a_failed_sync_seals() {
    for how in [FailedSync::Persisted, FailedSync::NotPersisted] {
        let mut scene = Scene::new();
        scene.submit(1, 0..1);
        assert_eq!(scene.next(), (0, Ok(1)));
        scene.journal.hold();
        scene.journal.fail_next(how);
        scene.submit(2, 1..3);
        assert!(scene.journal.wait_until_held(LONG));
        scene.submit(0, 3..4);
        scene.submit(1, 4..5);
        scene.nothing_yet();
        scene.journal.release();
        for number in 1..5 {
            let (given, outcome) = scene.next();
            let sealed = outcome.unwrap_err();
            // Only for the frame that failed is the outcome unknown; later ones were never tried.
            assert_eq!((given, sealed.outcome_unknown), (number, number < 3));
            assert!(sealed.cause.contains("sync failed"), "{}", sealed.cause);
            let uncertain: Vec<u64> = (1..6).filter(|n| sealed.is_uncertain(seq(*n))).collect();
            assert_eq!(uncertain, [2, 3]);
        }
        scene.submit(1, 5..6);
        assert!(!scene.next().1.unwrap_err().outcome_unknown);
        let handle = scene.writer.handle();
        assert!(handle.watch_sealed().borrow().is_some());
        assert_eq!(handle.head().count(), 1);
        // Behind the failure nothing is shown; the next opening tells what became of it.
        let journal = scene.end();
        assert_eq!(journal.head().unwrap().count(), 1);
        let persisted = if how == FailedSync::Persisted { 3 } else { 1 };
        assert_eq!(journal.reopen().head().unwrap().count(), persisted);
        // A writer that has ended answers where it is asked.
        let answered = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&answered);
        handle.submit(Work {
            frame: None,
            answers: vec![Box::new(move |outcome: Result<&Head, &Sealed>| {
                assert!(outcome.is_err());
                count.fetch_add(1, Ordering::SeqCst);
            })],
        });
        assert_eq!(answered.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn a_refused_frame_seals_and_was_not_written() {
    let mut scene = Scene::new();
    scene.submit(1, 0..1);
    assert_eq!(scene.next(), (0, Ok(1)));
    // Another writer takes over behind this one's back.
    let other = scene.journal.reopen();
    let head = other.head().unwrap();
    other
        .append(&crate::fixtures::frame_in(2, head, 1), &head)
        .unwrap();
    scene.submit(1, 1..2);
    let sealed = scene.next().1.unwrap_err();
    assert!(!sealed.outcome_unknown);
    assert_eq!(sealed.uncertain, None);
    assert!(
        sealed.cause.contains("epoch 1 has ended"),
        "{}",
        sealed.cause
    );
    scene.end();
}

#[test]
fn the_next_frame_fills_while_the_last_one_syncs() {
    let mut scene = Scene::new();
    let handle = scene.writer.handle();
    assert!(handle.is_idle());
    let (sender, woken) = channel();
    handle.on_idle(Box::new(move || sender.send(()).unwrap()));
    scene.journal.hold();
    scene.submit(1, 0..1);
    assert!(!handle.is_idle());
    assert!(scene.journal.wait_until_held(LONG));
    // Meanwhile the sequencer fills; it is told once the writer can take more.
    let next = scene.frame(3);
    assert!(woken.recv_timeout(SOON).is_err());
    scene.journal.release();
    woken.recv_timeout(LONG).unwrap();
    assert!(handle.is_idle());
    let answer = scene.answer(1);
    handle.submit(Work {
        frame: Some(next),
        answers: vec![answer],
    });
    assert_eq!([scene.next(), scene.next()], [(0, Ok(1)), (1, Ok(4))]);
    // It was not asked again: nobody is woken for nothing.
    assert!(woken.recv_timeout(SOON).is_err());
    scene.end();
}

#[test]
fn stopping_answers_everything_that_was_queued() {
    let mut scene = Scene::new();
    scene.journal.hold();
    for number in 0..5 {
        scene.submit(1, number..number + 1);
    }
    scene.writer.handle().stop();
    scene.journal.release();
    for number in 0..5 {
        assert_eq!(scene.next(), (number, Ok(number + 1)));
    }
    scene.end();
}

#[test]
fn an_answer_that_panics_seals_and_keeps_nobody_else_from_theirs() {
    let mut scene = Scene::new();
    let frame = scene.frame(1);
    let answers = vec![scene.answer(0), panicking(), scene.answer(1)];
    scene.writer.handle().submit(Work {
        frame: Some(frame),
        answers,
    });
    assert_eq!([scene.next(), scene.next()], [(0, Ok(1)), (1, Ok(1))]);
    let mut sealed = scene.writer.handle().watch_sealed();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let cause = runtime.block_on(async {
        let sealed = sealed.wait_for(Option::is_some);
        let sealed = tokio::time::timeout(Duration::from_secs(60), sealed).await;
        let sealed = sealed.expect("it seals in time").unwrap().clone();
        sealed.unwrap().cause
    });
    assert!(cause.contains("panicked"), "{cause}");
    scene.submit(1, 2..3);
    assert!(!scene.next().1.unwrap_err().outcome_unknown);
    scene.end();
}

#[test]
fn the_observer_sees_every_append_with_its_outcome() {
    let journal = HeldMemory::in_memory();
    let clock = Arc::new(ManualClock::new(0));
    let (sender, seen) = channel();
    let observer: Observer = Box::new(move |appended| {
        let outcome = appended.outcome.map_err(AppendFailure::code);
        sender
            .send((appended.frame.count, appended.duration, outcome))
            .unwrap();
    });
    let writer = Writer::start(
        Arc::new(journal.clone()),
        Arc::clone(&clock) as _,
        Some(observer),
    )
    .unwrap();
    journal.hold();
    let first = frame(Head::default(), 3);
    let after = first.last;
    writer.handle().submit(Work {
        frame: Some(first),
        answers: Vec::new(),
    });
    assert!(journal.wait_until_held(LONG));
    clock.advance(Duration::from_millis(7));
    journal.release();
    assert_eq!(
        seen.recv_timeout(LONG).unwrap(),
        (3, Duration::from_millis(7), Ok(()))
    );
    journal.fail_next(FailedSync::NotPersisted);
    writer.handle().submit(Work {
        frame: Some(frame(after, 1)),
        answers: Vec::new(),
    });
    let failed = (1, Duration::ZERO, Err("outcome_unknown"));
    assert_eq!(seen.recv_timeout(LONG).unwrap(), failed);
    writer.join();
}

#[test]
fn the_same_over_the_journal_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    let open = || FjallJournal::open(&path, &JournalOptions::default()).unwrap();
    let journal = Arc::new(HeldJournal::new(open()));
    let clock = Arc::new(ManualClock::new(0));
    let writer = Writer::start(Arc::clone(&journal) as _, clock, None).unwrap();
    let (sender, given) = channel();
    let submit = |frame: Frame| {
        let sender = sender.clone();
        let note = move |outcome: Result<&Head, &Sealed>| {
            sender
                .send(
                    outcome
                        .map(|head| head.count())
                        .map_err(|sealed| sealed.outcome_unknown),
                )
                .unwrap();
        };
        writer.handle().submit(Work {
            frame: Some(frame),
            answers: vec![Box::new(note)],
        });
        given.recv_timeout(LONG).unwrap()
    };
    let one = frame(Head::default(), 2);
    let two = frame(one.last, 2);
    assert_eq!(submit(one.clone()), Ok(2));
    journal.fail_next(FailedSync::Persisted);
    assert_eq!(submit(two.clone()), Err(true));
    assert_eq!(submit(two), Err(false));
    assert_eq!(journal.head().unwrap(), one.last);
    assert_eq!(journal.frames(seq(1)).count(), 1);
    assert_eq!(journal.frame_at(seq(3)), Ok(None));
    writer.join();
    journal.close();
    assert_eq!(open().head().unwrap().count(), 4);
}

fn panicking() -> Box<dyn WriterAnswer> {
    Box::new(|outcome: Result<&Head, &Sealed>| assert!(outcome.is_err(), "on purpose"))
}

/// Whatever ends the thread: nobody waits for it, and nothing is accepted in silence.
#[test]
fn a_writer_that_panics_seals_and_leaves_nobody_waiting() {
    let journal = HeldMemory::in_memory();
    let clock = Arc::new(ManualClock::new(0));
    let observer: Observer = Box::new(|_| panic!("as the test wants"));
    let writer = Writer::start(Arc::new(journal.clone()), clock, Some(observer)).unwrap();
    let (handle, mut sealed) = (writer.handle(), writer.handle().watch_sealed());
    journal.hold();
    let (sender, told) = channel();
    let answer = |number: u8| -> Box<dyn WriterAnswer> {
        let sender = sender.clone();
        Box::new(move |outcome: Result<&Head, &Sealed>| {
            sender.send((number, outcome.is_ok())).unwrap()
        })
    };
    handle.submit(Work {
        frame: Some(frame(Head::default(), 1)),
        answers: vec![answer(1)],
    });
    assert!(journal.wait_until_held(LONG));
    handle.submit(Work {
        frame: None,
        answers: vec![answer(2)],
    });
    journal.release();
    // The first one's answer is dropped: it was appended, and nobody could say so.
    assert_eq!(told.recv_timeout(LONG).unwrap(), (2, false));
    assert!(sealed.borrow_and_update().is_some());
    handle.submit(Work {
        frame: None,
        answers: vec![answer(3)],
    });
    assert_eq!(told.recv_timeout(LONG).unwrap(), (3, false));
    writer.join();
}

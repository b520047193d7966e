// SPDX-License-Identifier: Apache-2.0
//! A callback by itself: calls, hangs, panics.

use std::sync::mpsc;
use std::time::Duration;

use super::seat::bounded;
use super::*;

const BUDGET: Duration = Duration::from_secs(1);

/// A panic whose cargo panics where it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            std::panic::panic_any(Self);
        }
    }
}

#[test]
fn a_panic_is_told_until_the_callback_works_again() {
    let callbacks = Callbacks::unwatched();
    let seat = callbacks.seat(CallbackKind::Space, "", BUDGET);
    assert_eq!(seat.call(|| 3), Ok(3));
    assert_eq!(callbacks.complaint(), None);
    let told = seat.call(|| -> u8 { panic!("as {} wanted", "a test") });
    assert_eq!(told.unwrap_err(), "it panicked: as a test wanted");
    let complaint = callbacks.complaint().unwrap();
    assert_eq!(complaint, "space: it panicked: as a test wanted");
    seat.call(|| ()).unwrap();
    assert!(
        callbacks.complaint().is_some(),
        "whether it is well, the caller says"
    );
    seat.well();
    assert_eq!(callbacks.complaint(), None);
    let told = seat.call(|| std::panic::panic_any(Bomb));
    assert_eq!(told, Err::<(), _>("it panicked: no message".to_owned()));
    drop(seat);
    assert_eq!(
        callbacks.complaint(),
        None,
        "nobody is left who could be wrong"
    );
}

#[test]
fn texts_are_bounded_and_of_one_line() {
    let text = bounded(&format!("one\ntwo\u{1b}[2J{}", "x".repeat(100_000)));
    assert!(text.starts_with("one two [2J"));
    assert_eq!(text.chars().count(), 513);
}

/// Looks are counted, not time: the call is over its budget at the tenth look, and not before.
#[test]
fn a_call_that_does_not_come_back_is_noticed_and_one_call_is_not_taken_for_the_next() {
    let callbacks = Callbacks::unwatched();
    let seat = callbacks.seat(CallbackKind::Projection, "mine", BUDGET);
    for _ in 0..100 {
        seat.call(|| assert_eq!(seat.look(LOOK), None)).unwrap();
    }
    assert_eq!(seat.look(LOOK), None);
    let (entered, wait) = (mpsc::channel(), mpsc::channel::<()>());
    std::thread::scope(|scope| {
        let seat = &seat;
        let (entered, at) = entered;
        let (go, held) = wait;
        scope.spawn(move || {
            seat.call(|| {
                entered.send(()).unwrap();
                held.recv().unwrap();
            })
        });
        at.recv().unwrap();
        // The first look takes note of the call.
        for _ in 0..10 {
            assert_eq!(seat.look(LOOK), None);
        }
        assert_eq!(seat.look(LOOK), Some(BUDGET));
        let complaint = callbacks.complaint().unwrap();
        assert_eq!(complaint, "projection mine: it has not come back for 1.0 s");
        // Other calls of the same one do not hide it.
        seat.call(|| ()).unwrap();
        assert!(seat.look(LOOK).is_some());
        go.send(()).unwrap();
    });
    assert_eq!(seat.look(LOOK), None);
    assert_eq!(callbacks.complaint(), None);
}

#[test]
fn a_vital_callback_seals_with_its_first_cause_also_before_there_is_anything_to_seal() {
    let callbacks = Callbacks::unwatched();
    let clock = callbacks.seat(CallbackKind::Clock, "", BUDGET);
    clock.call(|| -> u8 { panic!("first") }).unwrap_err();
    clock.call(|| -> u8 { panic!("second") }).unwrap_err();
    assert!(clock.is_out());
    let (to, sealed) = mpsc::channel();
    callbacks.seal_with(move |cause| to.send(cause.to_owned()).unwrap());
    assert_eq!(sealed.try_recv().unwrap(), "clock: it panicked: first");
}

#[test]
fn a_call_on_a_thread_of_its_own_is_one_at_a_time_and_is_not_waited_for_longer_than_its_budget() {
    let callbacks = Callbacks::unwatched();
    let seat = callbacks.seat(CallbackKind::Destination, "far", Duration::from_millis(20));
    let (go, held) = mpsc::channel::<()>();
    let told = seat.within(move || held.recv()).unwrap_err();
    assert_eq!(told, "it has not come back within 20ms");
    let told = seat.within(|| ()).unwrap_err();
    assert_eq!(told, "it has not come back from an earlier call");
    go.send(()).unwrap();
    while seat.within(|| ()).is_err() {
        std::thread::yield_now();
    }
    assert!(callbacks.complaint().is_some());
    seat.well();
    assert_eq!(callbacks.complaint(), None);
}

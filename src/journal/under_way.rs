// SPDX-License-Identifier: Apache-2.0
//! The append under way, and since when.

use std::ops::RangeInclusive;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use super::Frame;
use super::reply_thread::WriterAnswer;
use crate::events::Seq;
use crate::locks::whole;

/// The append under way: whoever takes it out answers for it.
#[derive(Default)]
pub(super) struct AppendUnderWay {
    /// Lock: the writer's thread as an append begins and ends, and the watchdog for one look; nothing is called under
    /// it.
    state: Mutex<UnderWayState>,
    begun: Condvar,
}

#[derive(Default)]
struct UnderWayState {
    append: Option<Append>,
    /// Appends begun so far.
    count: u64,
    /// The watchdog has nothing to look at, and waits for the next append.
    is_awaited: bool,
    /// There will be no more.
    over: bool,
}

struct Append {
    looked_ns: u64,
    waited_ns: u64,
    uncertain: RangeInclusive<Seq>,
    answers: Vec<Box<dyn WriterAnswer>>,
}

/// An append that was given up.
pub(super) struct Hung {
    pub(super) cause: Arc<str>,
    pub(super) uncertain: RangeInclusive<Seq>,
    pub(super) answers: Vec<Box<dyn WriterAnswer>>,
}

impl AppendUnderWay {
    fn lock(&self) -> MutexGuard<'_, UnderWayState> {
        whole(self.state.lock())
    }

    pub(super) fn begin(&self, since_ns: u64, frame: &Frame, answers: Vec<Box<dyn WriterAnswer>>) {
        let last = frame.last_seq();
        self.lock().append = Some(Append {
            looked_ns: since_ns,
            waited_ns: 0,
            uncertain: frame.first..=last,
            answers,
        });
        self.noted();
    }

    /// One more has begun: who waits for it looks.
    fn noted(&self) {
        let mut state = self.lock();
        state.count += 1;
        if std::mem::take(&mut state.is_awaited) {
            self.begun.notify_all();
        }
    }

    /// Nothing is appended any more: who waits for it goes.
    pub(super) fn over(&self) {
        self.lock().over = true;
        self.begun.notify_all();
    }

    /// Returns where an append is under way or came since so many; how many there were by then, `None` where there
    /// will be no more.
    pub(super) fn wait(&self, seen: u64) -> Option<u64> {
        let nothing = |state: &mut UnderWayState| {
            state.is_awaited = state.append.is_none() && state.count == seen && !state.over;
            state.is_awaited
        };
        let state = whole(self.begun.wait_while(self.lock(), nothing));
        (!state.over).then_some(state.count)
    }

    /// `None` where it was given up meanwhile.
    pub(super) fn end(&self) -> Option<Vec<Box<dyn WriterAnswer>>> {
        self.lock().append.take().map(|append| append.answers)
    }

    /// A look, `pause` after the one before as far as that was up to us.
    pub(super) fn give_up(&self, now_ns: u64, after: Duration, pause: Duration) -> Option<Hung> {
        let append = &mut self.lock().append;
        let under_way = append.as_mut()?;
        let passed = now_ns.saturating_sub(under_way.looked_ns);
        let most = u64::try_from(pause.as_nanos().saturating_mul(2)).unwrap_or(u64::MAX);
        under_way.looked_ns = under_way.looked_ns.max(now_ns);
        under_way.waited_ns = under_way.waited_ns.saturating_add(passed.min(most));
        if u128::from(under_way.waited_ns) < after.as_nanos() {
            return None;
        }
        let append = append.take()?;
        Some(Hung {
            cause: format!("a commit hangs, given up after {after:?}").into(),
            uncertain: append.uncertain,
            answers: append.answers,
        })
    }

    /// The append under way, where its thread is gone.
    pub(super) fn abandoned(&self, cause: &str) -> Option<Hung> {
        let append = self.lock().append.take()?;
        Some(Hung {
            cause: cause.into(),
            uncertain: append.uncertain,
            answers: append.answers,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_secs(8);
    const PAUSE: Duration = Duration::from_secs(1);

    fn under_way(since_ns: u64) -> AppendUnderWay {
        let under_way = AppendUnderWay::default();
        under_way.lock().append = Some(Append {
            looked_ns: since_ns,
            waited_ns: 0,
            uncertain: Seq::FIRST..=Seq::FIRST,
            answers: Vec::new(),
        });
        under_way
    }

    fn looks(under_way: &AppendUnderWay, at_s: impl IntoIterator<Item = u64>) -> Option<u64> {
        let mut at_s = at_s.into_iter();
        at_s.find(|at| {
            let now_ns = at * 1_000_000_000;
            under_way.give_up(now_ns, AFTER, PAUSE).is_some()
        })
    }

    #[test]
    fn a_commit_that_hangs_is_given_up_when_its_time_is_over() {
        assert_eq!(looks(&under_way(0), 1..100), Some(8));
    }

    #[test]
    fn a_watchdog_waits_until_something_is_appended() {
        let (woken, wakes) = std::sync::mpsc::channel();
        let appends = Arc::new(AppendUnderWay::default());
        let theirs = Arc::clone(&appends);
        let watchdog = std::thread::spawn(move || {
            let mut seen = 0;
            while let Some(count) = theirs.wait(seen) {
                seen = count;
                // Taken out, it is over.
                theirs.end();
                woken.send(count).unwrap();
            }
        });
        let soon = Duration::from_millis(200);
        assert!(wakes.recv_timeout(soon).is_err(), "nothing was appended");
        for count in 1..=3 {
            appends.lock().append = under_way(0).lock().append.take();
            appends.noted();
            assert_eq!(wakes.recv_timeout(AFTER), Ok(count));
        }
        assert!(
            wakes.recv_timeout(soon).is_err(),
            "nothing more was appended"
        );
        appends.over();
        watchdog.join().unwrap();
    }

    /// A stopped process, a sleeping machine: the commit was not looked at, and nobody could have.
    #[test]
    fn time_in_which_nothing_ran_is_not_counted() {
        let stopped = under_way(0);
        assert_eq!(looks(&stopped, [1, 601, 602, 603, 604]), None);
        // Two at most were the gap's: 1 + 2 + 3 are six seconds by now.
        assert_eq!(looks(&stopped, 605..700), Some(606));
        // A clock that goes back counts nothing.
        let back = under_way(10_000_000_000);
        assert_eq!(looks(&back, [5, 6, 7, 8, 9, 10]), None);
    }
}

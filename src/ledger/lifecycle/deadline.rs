// SPDX-License-Identifier: Apache-2.0
//! One deadline for all the steps of a piece of work. It can only come nearer.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::clock;

/// No deadline is nearer than this (0.5 s): with less, nothing could be made durable.
pub(in crate::ledger) const LEAST: Duration = Duration::from_millis(500);
/// At most so much of it (2 s) is kept for making durable what there is, and for letting go.
const KEPT_MAX: Duration = Duration::from_secs(2);

/// Until when others are waited for, and until when all is to be done.
#[derive(Debug, Clone, Copy)]
struct Moments {
    patience: Instant,
    end: Instant,
}

/// By the runtime's clock.
pub(in crate::ledger) struct Deadline(watch::Sender<Moments>);

/// Which of its two moments.
#[derive(Debug, Clone, Copy)]
pub(in crate::ledger) enum Until {
    /// Half of the time before the end, at most 2 s, is left then.
    Patience,
    End,
}

fn moments(timeout: Duration, patience: Duration) -> Moments {
    let end = timeout.max(LEAST);
    let kept = (end / 2).min(KEPT_MAX);
    Moments {
        patience: clock::runtime_after(patience.min(end - kept)),
        end: clock::runtime_after(end),
    }
}

impl Deadline {
    /// Everything in `timeout`; others are waited for no longer than `patience`.
    pub(in crate::ledger) fn new(timeout: Duration, patience: Duration) -> Self {
        Self(watch::Sender::new(moments(timeout, patience)))
    }

    /// It comes nearer where this is nearer; it never goes away.
    pub(in crate::ledger) fn shorten(&self, timeout: Duration, patience: Duration) {
        let new = moments(timeout, patience);
        self.0.send_modify(|now| {
            now.patience = now.patience.min(new.patience);
            now.end = now.end.min(new.end);
        });
    }

    /// Waits until it has come.
    async fn passed(&self, until: Until) {
        let mut moments = self.0.subscribe();
        loop {
            let Moments { patience, end } = *moments.borrow_and_update();
            let at = match until {
                Until::Patience => patience,
                Until::End => end,
            };
            tokio::select! {
                () = tokio::time::sleep_until(at) => return,
                // The sender is here: it does not end before this does.
                _ = moments.changed() => {}
            }
        }
    }

    /// What comes of `work`; `None` where the deadline comes first.
    pub(in crate::ledger) async fn within<F: Future>(
        &self,
        until: Until,
        work: F,
    ) -> Option<F::Output> {
        tokio::select! {
            biased;
            outcome = work => Some(outcome),
            () = self.passed(until) => None,
        }
    }

    /// Half of the time that is left from now on, at most `most`.
    pub(in crate::ledger) fn half_left(&self, most: Duration) -> Duration {
        let now = clock::runtime_after(Duration::ZERO);
        (self.0.borrow().end.saturating_duration_since(now) / 2).min(most)
    }

    /// As [`Deadline::within`] half of the time that is left, at most `most`: the rest is for what comes after.
    pub(in crate::ledger) async fn within_half<F: Future>(
        &self,
        most: Duration,
        work: F,
    ) -> Option<F::Output> {
        let begun = clock::runtime_after(Duration::ZERO);
        let mut moments = self.0.subscribe();
        let passed = async {
            loop {
                let end = moments.borrow_and_update().end;
                let left = end.saturating_duration_since(begun);
                tokio::select! {
                    () = tokio::time::sleep_until(begun + (left / 2).min(most)) => return,
                    // The sender is here: it does not end before this does.
                    _ = moments.changed() => {}
                }
            }
        };
        tokio::select! {
            biased;
            outcome = work => Some(outcome),
            () = passed => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    async fn waited(deadline: &Deadline, until: Until) -> Duration {
        let start = clock::runtime_after(Duration::ZERO);
        let waited = deadline.within(until, std::future::pending::<()>()).await;
        assert_eq!(waited, None);
        clock::runtime_after(Duration::ZERO) - start
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_is_one_for_all_steps_and_only_comes_nearer() {
        let deadline = Deadline::new(10 * SECOND, 10 * SECOND);
        let first = waited(&deadline, Until::Patience).await;
        let rest = waited(&deadline, Until::End).await;
        assert_eq!((first.as_secs(), (first + rest).as_secs()), (8, 10));
        // Past: what is ready is taken all the same, and nothing is waited for.
        let ready = deadline.within(Until::End, std::future::ready(1)).await;
        assert_eq!(ready, Some(1));
        assert!(waited(&deadline, Until::End).await < SECOND / 10);

        let deadline = Deadline::new(100 * SECOND, Duration::ZERO);
        assert!(waited(&deadline, Until::Patience).await < SECOND / 10);
        let hurry = async {
            tokio::time::sleep(3 * SECOND).await;
            deadline.shorten(200 * SECOND, 200 * SECOND);
            tokio::time::sleep(SECOND).await;
            deadline.shorten(Duration::ZERO, Duration::ZERO);
        };
        let (waited, ()) = tokio::join!(waited(&deadline, Until::End), hurry);
        assert_eq!(waited.as_millis() / 100, 45);
    }

    #[tokio::test(start_paused = true)]
    async fn half_of_what_is_left_is_for_what_comes_after() {
        async fn half(deadline: &Deadline, most: Duration) -> Duration {
            let start = clock::runtime_after(Duration::ZERO);
            let waited = deadline.within_half(most, std::future::pending::<()>());
            assert_eq!(waited.await, None);
            clock::runtime_after(Duration::ZERO) - start
        }
        let deadline = Deadline::new(8 * SECOND, 8 * SECOND);
        assert_eq!(deadline.half_left(SECOND), SECOND);
        assert_eq!(deadline.half_left(9 * SECOND).as_secs(), 4);
        assert_eq!(half(&deadline, SECOND).await.as_secs(), 1);
        assert_eq!(half(&deadline, 9 * SECOND).await.as_millis() / 100, 35);
        // An end that is hurried hurries this.
        let hurry = async {
            tokio::time::sleep(SECOND).await;
            deadline.shorten(Duration::ZERO, Duration::ZERO);
        };
        let (halved, ()) = tokio::join!(half(&deadline, 9 * SECOND), hurry);
        assert_eq!(halved.as_millis() / 100, 10);
        let late = waited(&deadline, Until::End).await;
        assert_eq!(late.as_millis() / 100, 5);
        // Past: what is ready is taken all the same.
        assert_eq!(deadline.half_left(SECOND), Duration::ZERO);
        let ready = deadline.within_half(SECOND, std::future::ready(1));
        assert_eq!(ready.await, Some(1));
        assert!(half(&deadline, SECOND).await < SECOND / 10);
    }

    #[tokio::test(start_paused = true)]
    async fn no_duration_is_too_long() {
        let deadline = Deadline::new(Duration::MAX, Duration::MAX);
        deadline.shorten(Duration::MAX, Duration::MAX);
        let ready = deadline.within(Until::End, std::future::ready(())).await;
        assert!(ready.is_some());
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Tasks that run as long as the ledger is open: one that panics is told and started again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::vitals::{VitalPart, Vitals};

/// Before it is started again: what panics at once must not keep a core busy.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs what `run` gives, again after each panic, until it returns. Its end is told from the first
/// moment on, also where the runtime drops it before its first poll.
pub(in crate::ledger) fn kept<F>(
    vitals: &Vitals,
    part: VitalPart,
    mut run: impl FnMut() -> F + Send + 'static,
) -> impl Future<Output = ()> + Send + 'static
where
    F: Future<Output = ()> + Send + 'static,
{
    let vitals = vitals.clone();
    let mut vital = vitals.start(part);
    async move {
        while !caught(run()).await {
            vital.panicked();
            tokio::time::sleep(PAUSE).await;
            vital = vitals.start(part);
        }
        vital.done();
    }
}

/// False where it panicked.
async fn caught(work: impl Future<Output = ()>) -> bool {
    let mut work = pin!(work);
    std::future::poll_fn(|context| {
        let poll = AssertUnwindSafe(|| work.as_mut().poll(context));
        match catch_unwind(poll) {
            Ok(poll) => poll.map(|()| true),
            Err(_) => Poll::Ready(false),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_is_told_and_started_again() {
        let vitals = Vitals::default();
        let (told, runs) = (vitals.clone(), std::cell::Cell::new(0));
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let task = kept(&vitals, VitalPart::Ticks, move || {
            runs.set(runs.get() + 1);
            let (run, sender) = (runs.get(), sender.clone());
            async move {
                sender.send(run).unwrap();
                assert_eq!(run, 2, "as the test wants");
            }
        });
        assert_eq!(vitals.alive(), [VitalPart::Ticks]);
        let task = tokio::spawn(task);
        assert_eq!(receiver.recv().await, Some(1));
        tokio::task::yield_now().await;
        assert_eq!(told.complaint().unwrap(), "ticks panicked");
        assert_eq!(receiver.recv().await, Some(2));
        task.await.unwrap();
        assert_eq!((told.complaint(), told.alive()), (None, Vec::new()));
    }

    #[test]
    fn the_end_of_the_runtime_is_told_before_the_first_poll() {
        let vitals = Vitals::default();
        drop(kept(&vitals, VitalPart::Ticks, std::future::pending));
        assert!(vitals.complaint().unwrap().contains("runtime"));
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Who sends: callers that wait for their answer, or a thread that sends what is due.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::payload::{Payloads, Random};
use crate::rival::{Caller, Outcomes};

/// Steps that are due and not answered: beyond them arrivals are counted as refused, not sent.
const OUTSTANDING_MAX: u64 = 100_000;
/// The arrivals' thread sleeps no shorter.
const ARRIVALS_EVERY: Duration = Duration::from_micros(200);
const SHARDS: u64 = 8;

#[derive(Default)]
struct Shard {
    latencies: Vec<u64>,
    refused: BTreeMap<String, u64>,
}

/// What callers tell, taken once a second.
#[derive(Default)]
pub(super) struct Told {
    shards: [Mutex<Shard>; SHARDS as usize],
    pub(super) outstanding: AtomicU64,
    pub(super) over: AtomicBool,
}

fn locked(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Told {
    fn tell(&self, number: u64, outcomes: Outcomes) {
        let Some(shard) = self.shards.get((number % SHARDS) as usize) else {
            return;
        };
        let mut shard = locked(shard);
        shard
            .latencies
            .extend(outcomes.latencies.iter().take(outcomes.answered));
        if let Some(code) = outcomes.refused {
            *shard.refused.entry(code).or_insert(0) += 1;
        }
    }

    pub(super) fn take(&self) -> (Vec<u64>, BTreeMap<String, u64>) {
        let (mut latencies, mut refused) = (Vec::new(), BTreeMap::new());
        for shard in &self.shards {
            let shard = std::mem::take(&mut *locked(shard));
            latencies.extend(shard.latencies);
            for (code, count) in shard.refused {
                *refused.entry(code).or_insert(0) += count;
            }
        }
        latencies.sort_unstable();
        (latencies, refused)
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

/// Ends the load, whatever way the run ends.
pub(super) struct Ends<'a>(pub(super) &'a Told);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}

pub(super) fn closed(
    caller: &Caller,
    payloads: &Arc<Payloads>,
    told: &Arc<Told>,
    callers: usize,
    runtime: &Runtime,
) {
    for first in 0..callers as u64 {
        let (caller, payloads, told) = (caller.clone(), Arc::clone(payloads), Arc::clone(told));
        runtime.spawn(async move {
            let mut number = first;
            while !told.is_over() {
                let outcomes = caller.step(payloads.get(number), Instant::now()).await;
                let refused = outcomes.refused.is_some();
                told.tell(number, outcomes);
                number += 1;
                if refused {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        });
    }
}

/// A thread that sends what is due: distances are exponential, so that arrivals come as those of many who know
/// nothing of each other.
pub(super) fn open_loop(
    caller: Caller,
    payloads: Arc<Payloads>,
    told: Arc<Told>,
    steps_per_second: f64,
    runtime: &Runtime,
) {
    let handle = runtime.handle().clone();
    std::thread::spawn(move || {
        let (mut random, mut due, mut number) =
            (Random(0x1234_5678_9ABC_DEF1), Instant::now(), 0_u64);
        while !told.is_over() {
            let now = Instant::now();
            while due <= now {
                send(&handle, &caller, &payloads, &told, due, number);
                number += 1;
                due += Duration::from_secs_f64(-random.fraction().ln() / steps_per_second);
            }
            std::thread::sleep(due.saturating_duration_since(now).max(ARRIVALS_EVERY));
        }
    });
}

fn send(
    handle: &tokio::runtime::Handle,
    caller: &Caller,
    payloads: &Arc<Payloads>,
    told: &Arc<Told>,
    due: Instant,
    number: u64,
) {
    if told.outstanding.fetch_add(1, Ordering::Relaxed) >= OUTSTANDING_MAX {
        told.outstanding.fetch_sub(1, Ordering::Relaxed);
        let refused = Some("not_sent".to_owned());
        return told.tell(
            number,
            Outcomes {
                refused,
                ..Outcomes::default()
            },
        );
    }
    let (caller, payloads, told) = (caller.clone(), Arc::clone(payloads), Arc::clone(told));
    handle.spawn(async move {
        let outcomes = caller.step(payloads.get(number), due).await;
        told.outstanding.fetch_sub(1, Ordering::Relaxed);
        told.tell(number, outcomes);
    });
}

#[cfg(test)]
mod tests {
    use super::super::sums::Sums;
    use super::*;
    use crate::rival::{Store, System};
    use crate::scratch::Scratch;
    use crate::worker;

    #[test]
    fn latency_counts_from_when_a_command_was_due() {
        let runtime = worker::runtime().unwrap();
        let scratch = Scratch::new(&std::env::temp_dir()).unwrap();
        let store = Store::open(System::FileGrowing, scratch.path(), &runtime).unwrap();
        let (told, payloads) = (Arc::new(Told::default()), Arc::new(Payloads::new(64)));
        let due = Instant::now().checked_sub(Duration::from_secs(2)).unwrap();
        let caller = store.caller().unwrap();
        send(runtime.handle(), &caller, &payloads, &told, due, 0);
        while told.outstanding.load(Ordering::Relaxed) > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(20));
        let mut sums = Sums::default();
        sums.add(&told, &caller);
        assert_eq!(
            (sums.total(|it| it.acknowledged), sums.total(|it| it.slow)),
            (1, 1)
        );
        assert!(sums.seconds[0].p50_ns >= 2_000_000_000);
        drop(caller);
        store.close(&runtime).unwrap();
    }

    #[test]
    fn what_is_too_much_is_counted_and_not_sent() {
        let runtime = worker::runtime().unwrap();
        let scratch = Scratch::new(&std::env::temp_dir()).unwrap();
        let store = Store::open(System::FileGrowing, scratch.path(), &runtime).unwrap();
        let (told, payloads) = (Arc::new(Told::default()), Arc::new(Payloads::new(64)));
        told.outstanding.store(OUTSTANDING_MAX, Ordering::Relaxed);
        send(
            runtime.handle(),
            &store.caller().unwrap(),
            &payloads,
            &told,
            Instant::now(),
            0,
        );
        let (latencies, refused) = told.take();
        assert!(latencies.is_empty());
        assert_eq!(refused.get("not_sent"), Some(&1));
        store.close(&runtime).unwrap();
    }
}

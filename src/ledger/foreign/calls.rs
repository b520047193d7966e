//! Calls into the embedder's code: what runs, what failed, and for how long that is to be seen.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::clock::Clock;
use crate::error::AppendError;
use crate::metrics;

/// Bytes of a callback's name that are kept.
const NAME_BYTES_MAX: usize = 256;

/// A callback's name, asked for once: it may panic as everything else of it.
pub(super) fn name_of(name: impl FnOnce() -> String) -> Arc<str> {
    let given = catch_unwind(AssertUnwindSafe(name)).unwrap_or_else(|_| "without a name".into());
    let printable = given.chars().filter(|char| !char.is_control());
    printable.take(NAME_BYTES_MAX).collect::<String>().into()
}

/// One call that has not come back.
struct UnderWay {
    callback: &'static str,
    name: Arc<str>,
    since_ns: u64,
    /// Nobody waits for it any more.
    given_up: bool,
}

#[derive(Default)]
struct State {
    next: u64,
    under_way: BTreeMap<u64, UnderWay>,
    /// Callbacks whose last call failed.
    failing: BTreeSet<(&'static str, Arc<str>)>,
}

/// Every call into the embedder's code, for health and metrics. The lock is held for a look-up, and
/// never while a callback runs.
pub(super) struct Calls {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// A call that takes longer is a complaint.
    budget: Duration,
}

/// A call that runs; it is over when this is dropped.
pub(super) struct Call {
    calls: Arc<Calls>,
    number: u64,
}

impl Drop for Call {
    fn drop(&mut self) {
        self.calls.lock().under_way.remove(&self.number);
    }
}

impl Calls {
    pub(super) fn new(clock: Arc<dyn Clock>, budget: Duration) -> Arc<Self> {
        let state = Mutex::default();
        Arc::new(Self {
            clock,
            state,
            budget,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(self: &Arc<Self>, callback: &'static str, name: &Arc<str>) -> Call {
        let since_ns = self.clock.monotonic_ns();
        let mut state = self.lock();
        state.next += 1;
        let number = state.next;
        let (name, given_up) = (Arc::clone(name), false);
        state.under_way.insert(
            number,
            UnderWay {
                callback,
                name,
                since_ns,
                given_up,
            },
        );
        drop(state);
        let calls = Arc::clone(self);
        Call { calls, number }
    }

    /// Whoever waited for the call has stopped.
    fn give_up(&self, number: u64) {
        if let Some(call) = self.lock().under_way.get_mut(&number) {
            call.given_up = true;
        }
    }

    /// A call has come back; `failed` says how it went wrong, in the words of the metric.
    pub(super) fn ended(
        &self,
        callback: &'static str,
        name: &Arc<str>,
        failed: Option<&'static str>,
    ) {
        let key = (callback, Arc::clone(name));
        let Some(how) = failed else {
            let mut state = self.lock();
            if !state.failing.is_empty() && state.failing.remove(&key) {
                tracing::info!(callback, %name, "a callback works again");
            }
            return;
        };
        metrics::CALLBACK_FAILURES
            .counter(&[callback, how])
            .increment(1);
        if self.lock().failing.insert(key) {
            tracing::error!(callback, %name, how, "a callback fails");
        }
    }

    /// Runs `work` on a thread of its own, for at most the budget. No thread of the runtime waits for
    /// it, and no runtime for the thread: one that hangs is left behind with what it holds, `room`
    /// among it. A caller that stops waiting stops nothing.
    ///
    /// # Errors
    /// `CallbackTimedOut`, `CallbackFailed` where it panicked, `Busy` where there is no thread.
    pub(super) async fn on_a_thread<R: Send + 'static>(
        self: &Arc<Self>,
        callback: &'static str,
        name: &Arc<str>,
        command: &'static str,
        room: OwnedSemaphorePermit,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, AppendError> {
        let call = self.begin(callback, name);
        let number = call.number;
        let (reply, answer) = oneshot::channel();
        let runtime = tokio::runtime::Handle::current();
        let run = move || {
            let entered = runtime.enter();
            let outcome = catch_unwind(AssertUnwindSafe(work));
            drop((entered, call, room));
            drop(reply.send(outcome));
        };
        let thread = std::thread::Builder::new().name(format!("ledger-{callback}"));
        if thread.spawn(run).is_err() {
            let (what, limit) = ("threads", 0);
            return Err(AppendError::Busy { what, limit });
        }
        match tokio::time::timeout(self.budget, answer).await {
            Ok(Ok(Ok(outcome))) => Ok(outcome),
            Ok(_) => {
                self.ended(callback, name, Some("panicked"));
                Err(AppendError::CallbackFailed {
                    callback,
                    name: name.to_string(),
                    command,
                    problem: "it panicked".to_owned(),
                })
            }
            Err(_) => {
                self.give_up(number);
                metrics::CALLBACK_FAILURES
                    .counter(&[callback, "hung"])
                    .increment(1);
                tracing::error!(callback, %name, "a callback does not answer");
                Err(AppendError::CallbackTimedOut {
                    callback,
                    name: name.to_string(),
                    budget: self.budget,
                })
            }
        }
    }

    pub(super) fn complaint(&self) -> Option<String> {
        let budget = u64::try_from(self.budget.as_nanos()).unwrap_or(u64::MAX);
        let state = self.lock();
        if state.under_way.is_empty() && state.failing.is_empty() {
            return None;
        }
        let now = self.clock.monotonic_ns();
        let late = |call: &&UnderWay| call.given_up || now.saturating_sub(call.since_ns) > budget;
        let late = state.under_way.values().find(late);
        let late = late.map(|call| format!("the {} {} does not answer", call.callback, call.name));
        let failing = state.failing.first();
        late.or_else(|| failing.map(|(callback, name)| format!("the {callback} {name} fails")))
    }
}

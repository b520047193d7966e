// SPDX-License-Identifier: Apache-2.0
//! The embedder's code: whoever is called is contained, watched and told of, in one place.
//!
//! A panic ends in the call that it comes from; the cause stays in `health()` and in the metrics until
//! the same callback has worked again. A call that does not come back is noticed by a thread that
//! calls nobody: it counts its own looks and reads no clock, so that neither a hanging clock nor a
//! process that was stopped for a while is taken for a callback that hangs.

use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use ::metrics::Gauge;
use tokio::sync::watch;

use crate::locks::whole;
use crate::metrics;
use crate::pace::Pace;

mod apart;
mod guards;
mod kind;
mod listener;
mod seat;

pub(crate) use apart::StartedCall;
pub(crate) use guards::{ContainedClock, ContainedEntropy, ContainedSigner};
pub(crate) use kind::CallbackKind;
use kind::{LOOK, VitalCallback};
pub(crate) use listener::Listening;
pub(crate) use seat::{How, Seat, Steps, panic_text};

/// Every callback of one opening. Clones are the same.
#[derive(Clone)]
pub(crate) struct Callbacks(Arc<CallbacksInner>);

/// How often calls are looked at where nothing happens and none was under way: a call that begins then and does not
/// come back is noticed so much later.
const SELDOM: Duration = Duration::from_secs(5);

struct CallbacksInner {
    pace: Pace,
    /// Lock: who registers a callback and the thread that looks at calls, for a copy of the list; no callback is
    /// called under it.
    seats: Mutex<Vec<Weak<Seat>>>,
    in_trouble: Vec<(CallbackKind, Gauge)>,
    vital: Arc<VitalCallback>,
}

impl Callbacks {
    /// A registry that nobody watches: panics are contained, hangs are not noticed.
    pub(crate) fn unwatched() -> Self {
        let gauge =
            |kind: CallbackKind| (kind, metrics::CALLBACKS_IN_TROUBLE.gauge(&[kind.word()]));
        Self(Arc::new(CallbacksInner {
            pace: Pace::default(),
            seats: Mutex::default(),
            in_trouble: CallbackKind::ALL.into_iter().map(gauge).collect(),
            vital: Arc::new(VitalCallback {
                seal: OnceLock::new(),
                failed: OnceLock::new(),
                hangs: watch::Sender::new(false),
            }),
        }))
    }

    /// A registry with a thread that looks at calls under way. A call of clock or entropy that
    /// takes longer than `hang_after` seals.
    pub(crate) fn watched(hang_after: Duration) -> std::io::Result<Self> {
        let callbacks = Self::unwatched();
        let (inner, pace) = (Arc::downgrade(&callbacks.0), callbacks.pace().clone());
        let run = move || run(&inner, &pace, hang_after);
        let builder = std::thread::Builder::new().name("ledger-callback".into());
        // It ends by itself, soon after the ledger.
        builder.spawn(run)?;
        Ok(callbacks)
    }

    /// How often is looked at what may happen.
    pub(crate) fn pace(&self) -> &Pace {
        &self.0.pace
    }

    /// Registers a callback. One call of it may take `budget`; what takes longer is told of.
    pub(crate) fn seat(&self, kind: CallbackKind, name: &str, budget: Duration) -> Arc<Seat> {
        let vital = kind.is_vital().then(|| Arc::clone(&self.0.vital));
        self.seated(Seat::new(kind, name, budget, vital))
    }

    fn seated(&self, seat: Seat) -> Arc<Seat> {
        let seat = Arc::new(seat);
        let mut seats = self.0.seats();
        seats.retain(|seat| seat.strong_count() > 0);
        seats.push(Arc::downgrade(&seat));
        seat
    }

    /// As [`Callbacks::seat`], for a callback that says what it is called.
    pub(crate) fn named(
        &self,
        kind: CallbackKind,
        name: impl FnOnce() -> String,
        budget: Duration,
    ) -> Arc<Seat> {
        let asked = self.seat(kind, "", budget);
        let name = asked.call(name);
        let name = name.unwrap_or_else(|_| "without a name".to_owned());
        self.seat(kind, &name, budget)
    }

    /// How appends are stopped where the clock or the entropy fails; at once where it has.
    pub(crate) fn seal_with(&self, seal: impl Fn(&str) + Send + Sync + 'static) {
        let vital = &self.0.vital;
        // Set once for each opening.
        let _first = vital.seal.set(Box::new(seal)).is_ok();
        if let (Some(seal), Some(cause)) = (vital.seal.get(), vital.failed.get()) {
            seal(cause);
        }
    }

    /// Comes back once a call of clock or entropy has been given up: then what went through it may
    /// never be answered. Cancel safe.
    pub(crate) async fn gone(&self) {
        let mut hangs = self.0.vital.hangs.subscribe();
        if hangs.wait_for(|hangs| *hangs).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// What is wrong with one of them, where something is. Calls nobody.
    pub(crate) fn complaint(&self) -> Option<String> {
        self.0.living().iter().find_map(|seat| seat.complaint())
    }
}

impl CallbacksInner {
    fn seats(&self) -> std::sync::MutexGuard<'_, Vec<Weak<Seat>>> {
        whole(self.seats.lock())
    }

    fn living(&self) -> Vec<Arc<Seat>> {
        self.seats().iter().filter_map(Weak::upgrade).collect()
    }

    /// True where none is under way.
    fn look(&self, hang_after: Duration) -> bool {
        let seats = self.living();
        let mut calm = true;
        for seat in &seats {
            let took = seat.look(LOOK);
            calm &= !seat.is_called();
            let Some(took) = took else {
                continue;
            };
            if took >= hang_after && seat.give_up() {
                self.vital.fail(format!(
                    "{}: it has not come back for {took:?}",
                    seat.title()
                ));
                self.vital.hangs.send_replace(true);
            }
        }
        for (kind, gauge) in &self.in_trouble {
            let troubled = |seat: &&Arc<Seat>| seat.kind() == *kind && seat.complaint().is_some();
            gauge.set(seats.iter().filter(troubled).count() as f64);
        }
        calm
    }
}

impl Drop for CallbacksInner {
    fn drop(&mut self) {
        // The thread that looks has nothing more to look at, and ends.
        self.pace.stir();
    }
}

fn run(inner: &Weak<CallbacksInner>, pace: &Pace, hang_after: Duration) {
    let mut calm = false;
    loop {
        // Each look at a call under way counts as so much time.
        match calm {
            true => pace.pause(LOOK, SELDOM),
            false => std::thread::sleep(LOOK),
        }
        match inner.upgrade() {
            Some(inner) => calm = inner.look(hang_after),
            None => return,
        }
    }
}

#[cfg(test)]
mod tests;

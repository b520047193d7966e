// SPDX-License-Identifier: Apache-2.0
//! What runs beside the commands: emitted observations on their way to the store, and the
//! ledger's own counted records once an interval.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use crate::access::Grant;
use crate::admission::part;
use crate::commands::Command;
use crate::metrics;
use crate::projections::View;
use crate::vitals::VitalPart;

use super::emit_buffer::{Emitted, Load, observed};
use super::restarted_task::kept;
use crate::ledger::phase::SERVING;
use crate::ledger::read::views::ViewSet;
use crate::ledger::write::submit::Core;

/// How often the interval is looked at; the interval itself runs on the injected clock.
const TICK: Duration = Duration::from_millis(100);
/// How often where nothing happens.
const SELDOM: Duration = Duration::from_secs(3);
/// Ticks without anything after which nothing happens.
const QUIET_TICKS: u32 = 20;
/// Records after which claims that the indexes hold leave memory: walking them costs their number.
const FORGET_STEP: u64 = 4_096;

/// Work beside the commands, that a feature registers.
pub(crate) trait Job: Send + Sync + 'static {
    /// Looks whether there is something to do, by the monotonic clock, and does it elsewhere: it must not block.
    fn tick(&self, now_ns: u64);
}

/// All jobs of one ledger.
pub(in crate::ledger) type Jobs = Arc<[Box<dyn Job>]>;

pub(in crate::ledger) struct Background {
    emitted: Arc<Emitted>,
    tasks: Vec<tokio::task::AbortHandle>,
}

impl Background {
    pub(in crate::ledger) fn start(
        core: &Arc<Core>,
        set: &ViewSet,
        interval: Duration,
        jobs: Jobs,
    ) -> Self {
        let limits = &core.shared.limits;
        let emitted = Arc::new(Emitted {
            buffer: Mutex::default(),
            filled: Notify::new(),
            emptied: Notify::new(),
            most: Load {
                records: limits.emit_records_max,
                bytes: limits.emit_bytes_max,
            },
            part: Load {
                records: part(limits.emit_records_max),
                bytes: part(limits.emit_bytes_max),
            },
        });
        let vitals = &core.shared.vitals;
        let left = Left {
            core: Arc::clone(core),
            emitted: Arc::clone(&emitted),
        };
        let pump = kept(vitals, VitalPart::Emitting, move || {
            pump(Arc::clone(&left.core), Arc::clone(&left.emitted))
        });
        let (weak, set) = (Arc::downgrade(core), set.clone());
        let tick = move || tick(weak.clone(), set.clone(), interval, Arc::clone(&jobs));
        let ticks = tokio::spawn(kept(vitals, VitalPart::Ticks, tick));
        let pump = tokio::spawn(pump);
        Self {
            emitted,
            tasks: vec![pump.abort_handle(), ticks.abort_handle()],
        }
    }

    /// False where the buffer is full, or the component's part of it: the observation is lost. The first one of a
    /// component may be larger than its part.
    pub(in crate::ledger) fn emit(&self, grant: &Grant, command: Command) -> bool {
        let (size, component) = (command.size(), grant.0.component);
        let Emitted { most, part, .. } = &*self.emitted;
        let mut buffer = self.emitted.lock();
        let own = buffer.parts.get(&component);
        let fits = buffer.load.takes(size, *most) && own.is_none_or(|own| own.takes(size, *part));
        if !fits || buffer.closed {
            return false;
        }
        buffer.load.add(size);
        buffer.parts.entry(component).or_default().add(size);
        buffer.waiting.push_back((grant.clone(), command, size));
        drop(buffer);
        self.emitted.filled.notify_one();
        true
    }

    /// Observations that are not stored are given up: their times are given, to be counted as lost.
    pub(in crate::ledger) fn give_up(&self) -> Vec<i64> {
        self.emitted.give_up()
    }

    /// Nothing more comes in; waits until what is in is stored.
    pub(in crate::ledger) async fn drain(&self) {
        self.emitted.lock().closed = true;
        loop {
            let emptied = self.emitted.emptied.notified();
            {
                let buffer = self.emitted.lock();
                if buffer.waiting.is_empty() && !buffer.busy {
                    return;
                }
            }
            self.emitted.filled.notify_one();
            // The tick is a second chance: a wake-up may fall between the look and the wait.
            let _timely = tokio::time::timeout(TICK, emptied).await.is_ok();
        }
    }

    pub(in crate::ledger) fn stop(&self) {
        self.tasks.iter().for_each(tokio::task::AbortHandle::abort);
    }

    /// Whether nothing of it runs any more.
    #[cfg(test)]
    pub(in crate::ledger) fn is_stopped(&self) -> bool {
        let mut tasks = self.tasks.iter();
        tasks.all(tokio::task::AbortHandle::is_finished)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What may be stored of the group. What may not is counted as lost, and so is what a close has
/// given up in the meantime.
async fn redacted(core: &Core, emitted: &Emitted, commands: Vec<Command>) -> Vec<Command> {
    let observed: Vec<_> = commands.iter().filter_map(observed).collect();
    emitted.lock().redacting.clone_from(&observed);
    let redacted = core.foreign.redact_emitted(commands).await;
    // A close that did not wait has counted them.
    if std::mem::take(&mut emitted.lock().redacting).is_empty() {
        return Vec::new();
    }
    let redacted = redacted.unwrap_or_else(|error| {
        tracing::warn!(
            error = error.recorded(),
            "emitted observations were not redacted"
        );
        observed.iter().map(|_| None).collect()
    });
    for (_, observed_ns) in redacted
        .iter()
        .zip(observed)
        .filter(|(kept, _)| kept.is_none())
    {
        core.shared.self_records.lost(observed_ns);
    }
    redacted.into_iter().flatten().collect()
}

/// Observations on their way: lost where they do not arrive, and counted then, whatever the reason.
struct EmittedUnderWay<'a> {
    core: &'a Core,
    observed: Vec<i64>,
}

impl Drop for EmittedUnderWay<'_> {
    fn drop(&mut self) {
        for observed_ns in self.observed.drain(..) {
            self.core.shared.self_records.lost(observed_ns);
        }
    }
}

/// What is left when nobody takes it to the store any more: counted as lost, and nothing more comes
/// in.
struct Left {
    core: Arc<Core>,
    emitted: Arc<Emitted>,
}

impl Drop for Left {
    fn drop(&mut self) {
        for observed_ns in self.emitted.give_up() {
            self.core.shared.self_records.lost(observed_ns);
        }
    }
}

async fn pump(core: Arc<Core>, emitted: Arc<Emitted>) {
    loop {
        let group = emitted.take();
        if group.is_empty() {
            emitted.emptied.notify_waiters();
            emitted.filled.notified().await;
            continue;
        }
        let Some((grant, _)) = group.first() else {
            continue;
        };
        let grant = grant.clone();
        let commands = group.into_iter().map(|(_, command)| command).collect();
        let commands = redacted(&core, &emitted, commands).await;
        let mut under_way = EmittedUnderWay {
            core: &core,
            observed: commands.iter().filter_map(observed).collect(),
        };
        // Telemetry fails open: what cannot be stored is lost, and the loss is what is recorded.
        match core.emit_group(&grant, commands).await {
            Ok(_) => under_way.observed.clear(),
            Err(refusal) => tracing::warn!(
                error = refusal.error.recorded(),
                "emitted observations were not stored"
            ),
        }
        drop(under_way);
        if core.randomness().is_ok() {
            core.shared.self_records.flush_lost();
        }
    }
}

/// What happened last, and how many ticks ago.
#[derive(Default)]
struct Quiet {
    head: u64,
    ticks: u32,
}

impl Quiet {
    /// Looks whether anything has happened since the last tick, or is under way.
    fn look(&mut self, core: &Core, set: &ViewSet) {
        let (before, head) = (self.head, core.reader.head().count());
        self.head = head;
        // A view that reads no further catches up with nothing.
        let catches_up = |view: &View| view.position() < head && view.status().halted.is_none();
        let happens = head != before
            || core.phase.now() != SERVING
            || core.clock.is_doubted()
            || core.reserve.complaint().is_some()
            || set.all.iter().any(catches_up);
        self.ticks = if happens {
            0
        } else {
            self.ticks.saturating_add(1)
        };
        match self.ticks {
            0 => core.callbacks.pace().stir(),
            1..QUIET_TICKS => {}
            _ => core.callbacks.pace().calm(),
        }
    }
}

async fn tick(core: Weak<Core>, set: ViewSet, interval: Duration, jobs: Jobs) {
    let interval = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
    let mut last = core
        .upgrade()
        .map_or(0, |core| core.shared.clock.monotonic_ns());
    let pace = core.upgrade().map(|core| core.callbacks.pace().clone());
    let Some(pace) = pace else { return };
    let mut healthy = true;
    let mut forgotten = 0;
    let mut quiet = Quiet::default();
    loop {
        let was_calm = pace.is_calm();
        pace.rest(TICK, SELDOM).await;
        let Some(core) = core.upgrade() else { return };
        if was_calm && !pace.is_calm() {
            quiet = Quiet::default();
        }
        quiet.look(&core, &set);
        gauges(&core, &set);
        let position = core.shared.past.position();
        if position >= forgotten + FORGET_STEP {
            forgotten = position;
            core.shared.past.forgotten(position);
            core.shared.claims.forget_through(position);
        }
        if core.clock.is_doubted() {
            core.shared.self_records.look_at_clock();
        }
        let now = core.shared.clock.monotonic_ns();
        // Counts can wait for random bytes: for as long as there are none they would use up those of what has begun.
        if now.saturating_sub(last) >= interval && core.randomness().is_ok() {
            last = now;
            core.shared.self_records.flush();
        }
        jobs.iter().for_each(|job| job.tick(now));
        let halted = set.all.iter().find_map(|view| view.status().halted);
        if healthy == halted.is_some() {
            healthy = halted.is_none();
            let cause = halted.unwrap_or_else(|| "views are served again".to_owned());
            let event = crate::events::HealthChangedV1 { healthy, cause };
            drop(core.shared.self_records.write(&event.into()));
        }
    }
}

fn gauges(core: &Core, set: &ViewSet) {
    let meters = &core.shared.meters;
    meters
        .pending_records
        .set(core.gate.pending_records() as f64);
    meters.pending_bytes.set(core.gate.pending_bytes() as f64);
    meters.running.set(core.gate.running() as f64);
    let awaiting = core.shared.awaiting.count();
    metrics::AWAITING_EXECUTIONS.gauge(&[]).set(awaiting as f64);
    let in_doubt = core.shared.in_doubt.load(Ordering::Acquire);
    metrics::IN_DOUBT_EXECUTIONS.gauge(&[]).set(in_doubt as f64);
    let head = core.reader.head().count();
    for view in &set.all {
        let position = view.position();
        metrics::VIEW_POSITION
            .gauge(&[view.name()])
            .set(position as f64);
        let lag = head.saturating_sub(position);
        metrics::VIEW_LAG_RECORDS
            .gauge(&[view.name()])
            .set(lag as f64);
    }
    metrics::ENGINE_JOURNAL_BYTES
        .gauge(&[])
        .set(core.reader.size_bytes() as f64);
    metrics::ENGINE_WAL_FILES
        .gauge(&[])
        .set(core.reader.wal_files() as f64);
    let bytes: u64 = set.all.iter().filter_map(View::disk_bytes).sum();
    metrics::ENGINE_VIEWS_BYTES.gauge(&[]).set(bytes as f64);
}

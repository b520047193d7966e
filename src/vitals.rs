// SPDX-License-Identifier: Apache-2.0
//! What runs for a ledger as long as it is open, and whether it still does.
//!
//! Every thread and task holds a [`Vital`]. It is dropped with it, whether that returned, panicked or
//! went with its runtime: so an end that nobody asked for is told at once, without a look from
//! outside. Health, a metric and the log tell of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::locks::whole;
use crate::metrics;

/// What runs. Bounded: it is the value of a metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum VitalPart {
    Writer,
    Watchdog,
    Sequencer,
    ExecutionLog,
    AuditLog,
    Telemetry,
    Configuration,
    RuntimeMetadata,
    Emitting,
    Ticks,
    Space,
    Scrub,
    Snapshots,
    Checkpoints,
}

impl VitalPart {
    /// A stable word.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Writer => "writer",
            Self::Watchdog => "watchdog",
            Self::Sequencer => "sequencer",
            Self::ExecutionLog => "execution_log",
            Self::AuditLog => "audit_log",
            Self::Telemetry => "telemetry",
            Self::Configuration => "configuration",
            Self::RuntimeMetadata => "runtime_metadata",
            Self::Emitting => "emitting",
            Self::Ticks => "ticks",
            Self::Space => "space",
            Self::Scrub => "scrub",
            Self::Snapshots => "snapshots",
            Self::Checkpoints => "checkpoints",
        }
    }
}

const PANICKED: &str = "panicked";

#[derive(Default)]
struct VitalsState {
    /// Held by something that runs.
    alive: BTreeMap<VitalPart, usize>,
    /// Ended without being asked to, and how.
    ended: BTreeMap<VitalPart, &'static str>,
}

#[derive(Default)]
struct VitalsShared {
    /// Lock: what starts or ends, and health, for one entry; nothing is called under it.
    state: Mutex<VitalsState>,
    /// Ends are asked for from here on.
    closing: AtomicBool,
}

/// The parts of one opening. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Vitals(Arc<VitalsShared>);

impl std::fmt::Debug for Vitals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Vitals").field(&self.alive()).finish()
    }
}

impl Vitals {
    fn state(&self) -> MutexGuard<'_, VitalsState> {
        whole(self.0.state.lock())
    }

    /// To be held by what runs from now on, and dropped with it. What was ended and is started again
    /// is well again.
    pub(crate) fn start(&self, part: VitalPart) -> Vital {
        let mut state = self.state();
        *state.alive.entry(part).or_default() += 1;
        state.ended.remove(&part);
        Vital {
            part,
            vitals: self.clone(),
            done: false,
        }
    }

    /// Ends are asked for from here on.
    pub(crate) fn close(&self) {
        self.0.closing.store(true, Ordering::Release);
    }

    /// Whether ends are asked for.
    pub(crate) fn is_closing(&self) -> bool {
        self.0.closing.load(Ordering::Acquire)
    }

    /// What runs.
    pub(crate) fn alive(&self) -> Vec<VitalPart> {
        self.state().alive.keys().copied().collect()
    }

    /// The first of these that ended without being asked to.
    pub(crate) fn ended(&self, parts: &[VitalPart]) -> Option<VitalPart> {
        let state = self.state();
        let mut parts = parts.iter().copied();
        parts.find(|part| state.ended.contains_key(part))
    }

    /// What is wrong, where something is.
    pub(crate) fn complaint(&self) -> Option<String> {
        let state = self.state();
        let (part, how) = state.ended.first_key_value()?;
        Some(format!("{} {how}", part.name()))
    }
}

/// Tells when what holds it ends.
pub(crate) struct Vital {
    part: VitalPart,
    vitals: Vitals,
    done: bool,
}

impl Vital {
    /// It panicked, and was caught: told until it is started again.
    pub(crate) fn panicked(self) {
        let mut state = self.vitals.state();
        state.ended.insert(self.part, PANICKED);
    }

    /// It has done its work: this end is as it should be.
    pub(crate) fn done(mut self) {
        self.done = true;
    }
}

impl Drop for Vital {
    fn drop(&mut self) {
        let Self { part, vitals, done } = self;
        let expected = *done || vitals.is_closing();
        let how = if std::thread::panicking() {
            PANICKED
        } else {
            "has ended, or its runtime has"
        };
        let mut state = vitals.state();
        if let Some(alive) = state.alive.get_mut(part) {
            *alive -= 1;
            if *alive == 0 {
                state.alive.remove(part);
            }
        }
        if expected && !std::thread::panicking() {
            return;
        }
        state.ended.entry(*part).or_insert(how);
        drop(state);
        let part = part.name();
        tracing::error!(part, how, "a part of the ledger does not run any more");
        metrics::PARTS_ENDED.counter(&[part]).increment(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_unless_it_was_asked_for() {
        let vitals = Vitals::default();
        let (writer, scrub) = (
            vitals.start(VitalPart::Writer),
            vitals.start(VitalPart::Scrub),
        );
        assert_eq!(vitals.alive(), [VitalPart::Writer, VitalPart::Scrub]);
        scrub.done();
        assert_eq!(
            (vitals.alive(), vitals.complaint()),
            (vec![VitalPart::Writer], None)
        );
        drop(writer);
        assert_eq!(
            vitals.ended(&[VitalPart::Scrub, VitalPart::Writer]),
            Some(VitalPart::Writer)
        );
        assert!(vitals.complaint().unwrap().contains("writer has ended"));
        // Started again, it is well again.
        let again = vitals.start(VitalPart::Writer);
        assert_eq!(vitals.complaint(), None);
        vitals.close();
        drop(again);
        assert_eq!(vitals.complaint(), None);
    }

    #[test]
    fn a_panic_is_told_as_one() {
        let vitals = Vitals::default();
        let vital = vitals.start(VitalPart::Ticks);
        let ended = std::thread::spawn(move || {
            let _vital = vital;
            panic!("as the test wants");
        });
        assert!(ended.join().is_err());
        assert_eq!(vitals.complaint().unwrap(), "ticks panicked");
    }

    #[test]
    fn every_part_is_a_label_of_the_metric() {
        let [label] = metrics::PARTS_ENDED.labels else {
            panic!("one label")
        };
        let labels = label.values;
        let source = include_str!("vitals.rs");
        let names = source.split("Self::").skip(1);
        let names = names.filter_map(|it| it.split_once(" => \"")?.1.split_once('"'));
        assert!(names.map(|(name, _)| name).eq(labels.iter().copied()));
    }
}

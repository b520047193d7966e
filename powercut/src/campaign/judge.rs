// SPDX-License-Identifier: Apache-2.0
//! What was promised is held against what was found.

use super::child::Told;
use super::life::{Life, Violation};

/// What was promised and not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Broken {
    /// Acknowledged and not there.
    Lost,
    /// There, but not whole, not once, not what was sent, or not readable.
    Damaged,
    /// It did not open.
    Refused,
    /// Views are not what their records make.
    Views,
    /// No answer, or a death of its own.
    Hung,
    /// Bytes that nothing had changed were called damaged, or set aside.
    #[serde(rename = "false_damage")]
    FalseDamage,
}

impl Life {
    /// Holds what this run found against what was acknowledged before it. False where a promise was
    /// broken: what comes after would tell the same again.
    pub(crate) fn judge(&mut self, told: &Told, was_cut: bool, hung: bool) -> bool {
        let mut violations = Vec::new();
        let mut broken = |broken, detail: String| violations.push(Violation { broken, detail });
        match &told.refused {
            Some(cause) if !was_cut => broken(Broken::Refused, cause.clone()),
            _ => {}
        }
        // A cut in the middle of the check makes it fail; the next one tells.
        let complete = told.checked && (told.ready || !was_cut);
        if complete {
            let lost: Vec<_> = self
                .acks
                .iter()
                .filter(|(id, place)| told.found.get(*id) != Some(place))
                .collect();
            if told.bad.is_empty()
                && let Some(first) = lost.first()
            {
                let (lost, of) = (lost.len(), self.acks.len());
                broken(
                    Broken::Lost,
                    format!("{lost} of {of} acknowledged, first {first:?}"),
                );
            }
            if told.bad.is_empty()
                && let Some(missing) = told.missing.first()
            {
                broken(
                    Broken::Lost,
                    format!("{} not looked up: {missing}", told.missing.len()),
                );
            }
            told.bad
                .first()
                .into_iter()
                .for_each(|bad| broken(Broken::Damaged, bad.clone()));
            told.views
                .first()
                .into_iter()
                .for_each(|views| broken(Broken::Views, views.clone()));
        }
        if let Some(what) = told.false_damage.first() {
            broken(Broken::FalseDamage, what.clone());
        }
        // Whatever befell the disk: who calls gets an answer.
        if let Some(panicked) = told.panicked.first() {
            broken(Broken::Hung, format!("a caller: {panicked}"));
        }
        if hung {
            let detail = format!(
                "opened {}, ready {}: {:?}",
                told.opened,
                told.ready,
                told.other.last()
            );
            broken(Broken::Hung, detail);
        }
        let kept = violations.is_empty();
        for violation in &violations {
            if self.verbose {
                println!("  {violation:?}");
            }
        }
        match self.cuts.last_mut() {
            Some(cut) => cut.violations.extend(violations),
            None => self.uncut.extend(violations),
        }
        kept
    }
}

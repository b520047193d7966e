// SPDX-License-Identifier: Apache-2.0
//! How a ledger is, told without asking a disk.

use super::scrub::Scrubbed;
use crate::ledger::open_ledger::Ledger;
use crate::ledger::phase::{CLOSED, FINISHING, SHUT};
use crate::projections::View;

/// How a ledger is.
///
/// Example: [`operation`](crate::operation).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Health {
    /// True where appends and views work.
    pub healthy: bool,
    /// What is wrong; empty when healthy.
    pub cause: String,
}

impl Ledger {
    /// What the scrub has done since this opening. Asks no disk.
    #[must_use]
    pub fn scrubbed(&self) -> Scrubbed {
        self.0.scrub.scrubbed()
    }

    /// Whether appends and views work. Deterministic: asks no disk. (Runbook §8)
    #[must_use]
    pub fn health(&self) -> Health {
        let core = &self.0.core;
        let cause = match (core.phase.now(), core.writer.sealed()) {
            (_, Some(cause)) => format!("sealed: {cause}"),
            (FINISHING | SHUT, None) => "closing".to_owned(),
            (CLOSED, None) => "closed".to_owned(),
            (_, None) => core
                .shared
                .vitals
                .complaint()
                .or_else(|| self.complaint())
                .or_else(|| self.0.set.all.iter().find_map(|view| self.of_view(view)))
                .unwrap_or_default(),
        };
        Health {
            healthy: cause.is_empty(),
            cause,
        }
    }

    /// What is wrong with a view, where something is. One that no decision rests on may lag alone, which holds up nobody:
    /// it is told here.
    fn of_view(&self, view: &View) -> Option<String> {
        let (core, status) = (&self.0.core, view.status());
        let name = view.name();
        if let Some(cause) = status.halted {
            return Some(format!("view {name}: {cause}"));
        }
        let lag = core.reader.head().count().saturating_sub(status.position);
        let lags = !view.is_built_in() && status.building.is_none();
        let too_much = lags && lag > core.gate.limits.view_lag_max;
        too_much.then(|| format!("view {name}: it is {lag} records behind"))
    }

    /// What is wrong although appends work, where something is.
    fn complaint(&self) -> Option<String> {
        let (inner, core) = (&self.0, &self.0.core);
        let found = inner.scrub.complaint().or_else(|| core.reserve.complaint());
        let found = found.or_else(|| inner.signing.checkpoints.complaint());
        // Before the clock is asked: one that hangs is named, and not waited for.
        let found = found.or_else(|| core.callbacks.complaint());
        found.or_else(|| core.clock.complaint())
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Finding executions, from both ends, against the model.

use std::collections::BTreeSet;

use femtoclaw_ledger::ExecutionLog;
use femtoclaw_ledger::events::Decision;
use femtoclaw_ledger::projections::ExecutionEntry;

use super::compare::text;
use super::drive::{Driver, same};
use super::world::Outcome;

impl Driver {
    /// Both ends of what fits each decision and each capability, some at a time.
    pub(crate) async fn found(&self, view: &ExecutionLog) -> Outcome {
        const SOME: usize = 3;
        let known: Vec<_> = self.model.executions.values().collect();
        let decisions: BTreeSet<u8> = known.iter().map(|it| it.decision).collect();
        for decision in decisions.into_iter().filter_map(Decision::from_code) {
            let query = || view.executions().decision(decision);
            let first = query().first(SOME).await.map_err(text)?;
            let last = query().last(SOME).await.map_err(text)?;
            let fit = known.iter().filter(|it| it.decision == decision.code());
            ends(decision.name(), fit.map(|it| it.first), &first, &last)?;
        }
        let capabilities: BTreeSet<&str> = known.iter().map(|it| &*it.capability).collect();
        for capability in capabilities {
            let query = || view.executions().capability(capability);
            let first = query().first(SOME).await.map_err(text)?;
            let last = query().last(SOME).await.map_err(text)?;
            let fit = known.iter().filter(|it| it.capability == capability);
            ends(capability, fit.map(|it| it.first), &first, &last)?;
        }
        Ok(())
    }
}

fn ends(
    name: &str,
    expected: impl Iterator<Item = u64>,
    first: &[ExecutionEntry],
    last: &[ExecutionEntry],
) -> Outcome {
    let mut expected: Vec<u64> = expected.collect();
    expected.sort_unstable();
    let mut check = |found: &[ExecutionEntry]| {
        let found: Vec<u64> = found.iter().map(|it| it.first_seq).collect();
        let some: Vec<u64> = expected.iter().copied().take(found.len()).collect();
        same(name, &some, &found)?;
        expected.reverse();
        same(name, &expected.len().min(3), &found.len())
    };
    check(first)?;
    check(last)
}

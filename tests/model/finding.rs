// SPDX-License-Identifier: Apache-2.0
//! Finding executions, from both ends, against the model.

use std::collections::BTreeSet;

use femtoclaw_ledger::ExecutionLog;
use femtoclaw_ledger::events::Decision;
use femtoclaw_ledger::execution_log::ExecutionQuery;
use femtoclaw_ledger::projections::{ExecutionEntry, ExecutionStatus};

use super::compare::text;
use super::drive::{Driver, same};
use super::reference::Execution;
use super::whom::party;
use super::world::Outcome;

type Fits<'a> = &'a dyn Fn(&Execution) -> bool;

impl Driver {
    /// Both ends of what fits each value that there is of what executions are found by, and of some pairs, some at a time.
    pub(crate) async fn found(&self, view: &ExecutionLog) -> Outcome {
        let new = || view.executions();
        for code in self.values(|it| Some(it.decision)) {
            let fits: Fits<'_> = &|it| it.decision == code;
            if let Some(decision) = Decision::from_code(code) {
                self.ends(decision.name(), fits, || new().decision(decision))
                    .await?;
            }
        }
        for capability in self.values(|it| Some(it.capability.clone())) {
            let fits: Fits<'_> = &|it| it.capability == capability;
            let query = || new().capability(&*capability);
            self.ends(&capability, fits, query).await?;
            let failed: Fits<'_> = &|it| fits(it) && it.status == ExecutionStatus::Failed;
            let query = || query().status(ExecutionStatus::Failed);
            self.ends("failed of a capability", failed, query).await?;
        }
        for status in [ExecutionStatus::Completed, ExecutionStatus::Abandoned] {
            let fits: Fits<'_> = &|it| it.status == status;
            self.ends(status.name(), fits, || new().status(status))
                .await?;
        }
        self.ends("all", &|_| true, new).await?;
        self.found_by_whom(view).await
    }

    async fn found_by_whom(&self, view: &ExecutionLog) -> Outcome {
        let new = || view.executions();
        for component in self.values(|it| Some(it.component)) {
            let fits: Fits<'_> = &|it| it.component == component;
            self.ends("component", fits, || new().component(component))
                .await?;
        }
        for subject in self.values(|it| it.subject) {
            let pseudonym = self.pseudonym(Some(subject))?;
            let fits: Fits<'_> = &|it| it.subject == Some(subject);
            self.ends(subject, fits, || new().subject(pseudonym))
                .await?;
        }
        for parent in self.values(|it| Some(it.parent).filter(|it| !it.is_nil())) {
            let fits: Fits<'_> = &|it| it.parent == parent;
            self.ends("parent", fits, || new().parent(parent)).await?;
        }
        for party in ["mary", "agent", "nobody"].map(party) {
            let fits: Fits<'_> = &|it| it.on_behalf_of.contains(&party);
            let query = || new().on_behalf_of(party.clone());
            self.ends(&party.id, fits, query).await?;
            let denied: Fits<'_> = &|it| fits(it) && it.status == ExecutionStatus::Denied;
            self.ends("denied of a party", denied, || query().denied())
                .await?;
        }
        for version in self.values(|it| Some(it.basis.0)) {
            let fits: Fits<'_> = &|it| it.basis.0 == version;
            let query = || new().configuration_version(version);
            self.ends(&format!("configuration version {version}"), fits, query)
                .await?;
        }
        let fits: Fits<'_> = &|it| it.asked.requested > 0;
        self.ends("approval", fits, || new().approval()).await
    }

    /// Some of those that there are.
    fn values<T: Ord>(&self, of: impl Fn(&Execution) -> Option<T>) -> impl Iterator<Item = T> {
        let all: BTreeSet<T> = self.model.executions.values().filter_map(of).collect();
        all.into_iter().take(4)
    }

    async fn ends(
        &self,
        name: &str,
        fits: Fits<'_>,
        query: impl Fn() -> ExecutionQuery,
    ) -> Outcome {
        const SOME: usize = 3;
        let fit = self.model.executions.values().filter(|it| fits(it));
        let mut expected: Vec<u64> = fit.map(|it| it.first).collect();
        expected.sort_unstable();
        let first = query().first(SOME).await.map_err(text)?;
        let some = expected.iter().copied().take(SOME);
        same(name, &some.collect(), &places(&first))?;
        if let Some(last) = first.last() {
            let next = query().after(last.first_seq).first(SOME).await;
            let next = next.map_err(text)?;
            let rest = expected.iter().copied().skip(first.len()).take(SOME);
            same(name, &rest.collect(), &places(&next))?;
        }
        expected.reverse();
        let last = query().last(SOME).await.map_err(text)?;
        same(
            name,
            &expected.iter().copied().take(SOME).collect(),
            &places(&last),
        )?;
        if let Some(first) = last.last() {
            let next = query().before(first.first_seq).last(SOME).await;
            let next = next.map_err(text)?;
            let rest = expected.iter().copied().skip(last.len()).take(SOME);
            same(name, &rest.collect(), &places(&next))?;
        }
        Ok(())
    }
}

fn places(found: &[ExecutionEntry]) -> Vec<u64> {
    found.iter().map(|it| it.first_seq).collect()
}

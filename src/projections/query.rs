// SPDX-License-Identifier: Apache-2.0
//! Searching by index: the same answer as reading every record and asking of each whether it fits.

use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::events::{
    CommandId, ComponentId, Decision, EventType, ExecutionId, Outcome, ParentId, Party, Seq,
    SubjectId,
};

use super::indexes::{CommandPlace, VERSION, block_time_key, command_key};
use super::intersection::intersection;
use super::postings::BLOCK;
use super::record_order::RecordOrder;
use super::terms::{
    Term, approval_term, capability_term, component_term, configuration_term, decision_term,
    event_type_term, execution_term, granted_term, outcome_term, parent_term, party_term,
    subject_term,
};
use super::{AtPosition, Source, View, ViewError, ViewSnapshot};

/// What records must have in common; whatever is `None` is not asked about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// The execution they name.
    pub execution: Option<ExecutionId>,
    /// Their type.
    pub event_type: Option<EventType>,
    /// The capability they belong to; see [`super::Indexes`] for which those are.
    pub capability: Option<String>,
    /// Whom they are about, as a pseudonym: `Reads::subject_id` gives it for an id.
    pub subject: Option<SubjectId>,
    /// Whom they name: on whose behalf a decision was made, who was asked, who answered; see [`super::Indexes`].
    pub party: Option<Party>,
    /// Who caused them.
    pub component: Option<ComponentId>,
    /// The session or execution that asked for it; nil finds nothing.
    pub parent: Option<ParentId>,
    /// How they came out.
    pub outcome: Option<Outcome>,
    /// The gate's decision that they are the record of.
    pub decision: Option<Decision>,
    /// The number of configuration changes in force that they say they rest on: a decision, a question to persons or its
    /// confirmation; 0 for none.
    pub configuration_version: Option<u64>,
    /// Those of executions that persons were asked about, from the question's commit on.
    pub approval: bool,
    /// When they were written, in nanoseconds since 1970, both ends included.
    pub time_ns: Option<RangeInclusive<i64>>,
    /// Where they are, both ends included.
    pub seq: Option<RangeInclusive<u64>>,
    /// From which end they are given.
    pub order: RecordOrder,
}

impl Filter {
    fn terms(&self) -> Vec<Term> {
        // Mostly the rarest first; which is, the lists tell.
        let terms = [
            self.execution.map(execution_term),
            self.subject.map(subject_term),
            self.parent.map(parent_term),
            self.party.as_ref().map(party_term),
            self.approval.then(approval_term),
            self.configuration_version.map(configuration_term),
            self.decision.map(|decision| decision_term(decision.code())),
            self.capability.as_deref().map(capability_term),
            self.event_type
                .map(|event_type| event_type_term(event_type.0)),
            self.outcome.map(outcome_term),
            self.component.map(|component| component_term(component.0)),
        ];
        terms.into_iter().flatten().collect()
    }
}

/// Reads the indexes, at the view's position: wait for a newer one with [`View::at_least`].
///
/// Example: [`Source`](crate::projections::Source).
#[derive(Clone)]
pub struct IndexesView {
    view: View,
    source: Arc<dyn Source>,
}

impl IndexesView {
    /// Reads `view`, the one named [`super::Indexes::NAME`]; `source` is what the views read.
    #[must_use]
    pub fn new(view: View, source: Arc<dyn Source>) -> Self {
        Self { view, source }
    }

    /// The view itself.
    #[must_use]
    pub const fn view(&self) -> &View {
        &self.view
    }

    /// Records that fit the filter, at most `limit`, from the end that its order names. To go on, ask again with a `seq`
    /// range that begins after the last one, or ends before it. What it reads grows with what is found, and with the
    /// ranges of 65,536 records that hold all that is asked for; not with the history before and behind.
    ///
    /// # Errors
    /// As [`View::read`]; [`ViewError::Source`] where a time range needs the journal and it
    /// cannot be read.
    pub fn query(&self, filter: &Filter, limit: usize) -> Result<Vec<Seq>, ViewError> {
        Ok(self.query_at(filter, limit)?.found)
    }

    /// As [`IndexesView::query`], with the position up to which the answer is complete.
    ///
    /// # Errors
    /// As [`IndexesView::query`].
    pub fn query_at(
        &self,
        filter: &Filter,
        limit: usize,
    ) -> Result<AtPosition<Vec<Seq>>, ViewError> {
        self.view.read_version(Some(VERSION), |snapshot| {
            let position = snapshot.position();
            let range = self.seq_range(snapshot, filter)?;
            let found = intersection(snapshot, &filter.terms(), range, filter.order, limit)?;
            let found = found.into_iter().filter_map(Seq::new).collect();
            Ok(AtPosition { position, found })
        })
    }

    /// The first record that granted this component anything, up to the view's position.
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn first_grant(&self, component: ComponentId) -> Result<Option<Seq>, ViewError> {
        self.view.read_version(Some(VERSION), |snapshot| {
            let (terms, range) = ([granted_term(component.0)], 1..=snapshot.position());
            let found = intersection(snapshot, &terms, range, RecordOrder::Oldest, 1)?;
            Ok(found.first().copied().and_then(Seq::new))
        })
    }

    /// Where a command's records are, with the position up to which *nowhere* is certain.
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn command(
        &self,
        component: ComponentId,
        command: CommandId,
    ) -> Result<AtPosition<Option<CommandPlace>>, ViewError> {
        self.view.read_version(Some(VERSION), |snapshot| {
            let found = snapshot.value(&command_key(component.0, command))?;
            let position = snapshot.position();
            Ok(AtPosition { position, found })
        })
    }

    /// The sequence numbers that both ranges of the filter leave; empty where start > end.
    fn seq_range(
        &self,
        snapshot: &ViewSnapshot,
        filter: &Filter,
    ) -> Result<RangeInclusive<u64>, ViewError> {
        let (mut start, mut end) = (1, snapshot.position());
        if let Some(range) = &filter.seq {
            start = start.max(*range.start());
            end = end.min(*range.end());
        }
        if let Some(times) = &filter.time_ns {
            if times.is_empty() {
                end = 0;
            }
            start = start.max(self.first_at_or_after(snapshot, *times.start())?);
            if let Some(beyond) = times.end().checked_add(1) {
                end = end.min(self.first_at_or_after(snapshot, beyond)? - 1);
            }
        }
        Ok(start..=end)
    }

    /// The first record whose time is `time_ns` or later; one beyond the position where there is
    /// none. Times never go back, so this is a binary search: over the blocks' first records in
    /// the view, then within one block in the journal.
    fn first_at_or_after(&self, snapshot: &ViewSnapshot, time_ns: i64) -> Result<u64, ViewError> {
        let position = snapshot.position();
        let (mut earlier, mut later) = (0, position.div_ceil(BLOCK));
        while earlier < later {
            let middle = earlier + (later - earlier) / 2;
            let first_ns = snapshot
                .get(&block_time_key(middle))?
                .and_then(|bytes| bytes.try_into().ok())
                .map(i64::from_be_bytes)
                .ok_or_else(|| ViewError::Damaged(format!("block {middle} has no time").into()))?;
            if first_ns < time_ns {
                earlier = middle + 1;
            } else {
                later = middle;
            }
        }
        let Some(block) = earlier.checked_sub(1) else {
            return Ok(1);
        };
        let end = position.min((block + 1) * BLOCK);
        let mut next = block * BLOCK + 1;
        while next <= end {
            let records = self.block_records(next, end)?;
            for record in records {
                if record.header.time_ns >= time_ns {
                    return Ok(record.header.seq.get());
                }
                next = record.header.seq.get() + 1;
            }
        }
        Ok(end + 1)
    }

    fn block_records(&self, from: u64, to: u64) -> Result<Vec<crate::events::Record>, ViewError> {
        let missing = || ViewError::Source(format!("record {from} is missing").into());
        let max = usize::try_from(to - from + 1).unwrap_or(usize::MAX);
        let records = self
            .source
            .records(Seq::new(from).ok_or_else(missing)?, max)
            .map_err(|problem| ViewError::Source(problem.into()))?;
        let starts_there = records
            .first()
            .is_some_and(|record| record.header.seq.get() == from);
        if starts_there {
            Ok(records)
        } else {
            Err(missing())
        }
    }
}

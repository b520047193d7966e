// SPDX-License-Identifier: Apache-2.0
//! What is searched for, and what a look at every record finds.

use std::collections::BTreeMap;

use femtoclaw_ledger::events::{
    Decision, Event, EventType, ExecutionId, Outcome as CameOut, Record,
};
use femtoclaw_ledger::reading::Filter;

use super::drive::Driver;
use super::whom::fits_whom;

impl Driver {
    /// One of each kind, and of the pairs, from what there is.
    pub(crate) fn filters(&self, all: &[Record]) -> Result<Vec<Filter>, String> {
        let middle = all.get(all.len() / 2).map(|record| &record.header);
        let Some(middle) = middle else {
            return Ok(Vec::new());
        };
        let half = all.len() as u64 / 2;
        let known = self.model.executions.len();
        let execution = self.model.executions.keys().nth(known / 2);
        let mut filters = vec![Filter {
            time_ns: Some(middle.time_ns..=middle.time_ns + 5_000_000),
            ..Filter::default()
        }];
        let default = Filter::default;
        for seq in [None, Some(half / 2..=half + 10)] {
            for capability in ["message", "read", "nobody"] {
                filters.push(Filter {
                    capability: Some(capability.to_owned()),
                    seq: seq.clone(),
                    ..default()
                });
            }
            filters.push(Filter {
                event_type: Some(middle.event_type),
                component: Some(middle.component),
                seq: seq.clone(),
                ..default()
            });
            filters.push(Filter {
                event_type: Some(EventType(0x0102)),
                capability: Some("message".to_owned()),
                seq: seq.clone(),
                ..default()
            });
            filters.push(Filter {
                execution: execution.copied(),
                seq,
                ..default()
            });
        }
        filters.extend(self.filters_by_terms(all));
        filters.extend(self.filters_by_whom()?);
        Ok(filters)
    }

    fn filters_by_terms(&self, all: &[Record]) -> Vec<Filter> {
        let default = Filter::default;
        let outcomes = [CameOut::Denied, CameOut::Failure].map(|it| Filter {
            outcome: Some(it),
            ..default()
        });
        let decisions = [Decision::Authorized, Decision::DeniedPolicyViolation].map(|it| Filter {
            decision: Some(it),
            ..default()
        });
        let versions = [0, 1, 3].map(|it| Filter {
            configuration_version: Some(it),
            ..default()
        });
        let approvals = [None, Some(Decision::Authorized)].map(|decision| Filter {
            approval: true,
            decision,
            ..default()
        });
        let mut parents = all.iter().map(|it| it.header.parent);
        let parent = parents.rfind(|it| !it.is_nil());
        let parents = parent.map(|it| Filter {
            parent: Some(it),
            ..default()
        });
        let terms = [&outcomes[..], &decisions, &versions, &approvals].concat();
        terms.into_iter().chain(parents).collect()
    }
}

/// What an execution first names, where that commit begins, and whether that is a question to persons.
pub(crate) struct Asked {
    capability: String,
    from: u64,
    question: bool,
}

/// The capability that a record itself names.
fn named(record: &Record) -> Option<String> {
    Some(match record.event().ok()? {
        Event::AuthorizationDecided(it) => it.capability,
        Event::ApprovalRequested(it) => it.capability,
        Event::ExecutionStarted(it) => it.capability,
        Event::CapabilityRegistered(it) => it.capability,
        Event::CapabilityChanged(it) => it.capability,
        Event::CapabilityEnabled(it) => it.capability,
        Event::CapabilityDisabled(it) => it.capability,
        Event::CapabilityUnregistered(it) => it.capability,
        _ => return None,
    })
}

pub(crate) fn asked(all: &[Record]) -> BTreeMap<ExecutionId, Asked> {
    let mut found = BTreeMap::new();
    for record in all.iter().filter(|it| !it.header.execution.is_nil()) {
        if let Some(capability) = named(record) {
            let header = &record.header;
            found.entry(header.execution).or_insert(Asked {
                capability,
                from: header.seq.get() - u64::from(header.commit_index),
                question: header.event_type == EventType::ApprovalRequested,
            });
        }
    }
    found
}

/// What its decision, a question or its confirmation rests on.
fn rests_on(record: &Record) -> Option<u64> {
    match record.event().ok()? {
        Event::AuthorizationDecided(it) => Some(it.configuration_version),
        Event::ApprovalRequested(it) => Some(it.configuration_version),
        Event::ApprovalConfirmed(it) => Some(it.configuration_version),
        _ => None,
    }
}

fn decided(record: &Record) -> Option<Decision> {
    match record.event().ok()? {
        Event::AuthorizationDecided(it) => Decision::from_code(it.decision),
        _ => None,
    }
}

pub(crate) fn fits(record: &Record, filter: &Filter, asked: &BTreeMap<ExecutionId, Asked>) -> bool {
    let header = &record.header;
    let seq = header.seq.get();
    let asked = asked.get(&header.execution).filter(|it| seq >= it.from);
    let of_capability = |wanted: &String| {
        let belongs = asked.is_some_and(|it| it.capability == *wanted);
        belongs || named(record).as_ref() == Some(wanted)
    };
    let version = filter.configuration_version;
    filter.execution.is_none_or(|it| it == header.execution)
        && fits_whom(record, filter)
        && filter.event_type.is_none_or(|it| it == header.event_type)
        && filter.component.is_none_or(|it| it == header.component)
        && filter.capability.as_ref().is_none_or(of_capability)
        && filter.outcome.is_none_or(|it| it == header.outcome)
        && filter.parent.is_none_or(|it| it == header.parent)
        && filter.decision.is_none_or(|it| decided(record) == Some(it))
        && version.is_none_or(|it| rests_on(record) == Some(it))
        && (!filter.approval || asked.is_some_and(|it| it.question))
        && filter.seq.as_ref().is_none_or(|it| it.contains(&seq))
        && filter
            .time_ns
            .as_ref()
            .is_none_or(|it| it.contains(&header.time_ns))
}

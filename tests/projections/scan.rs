// SPDX-License-Identifier: Apache-2.0
//! What a search is to find, by looking at every record.

use std::collections::HashMap;

use femtoclaw_ledger::events::{Event, ExecutionId, Party, Record, RecordHeader};
use femtoclaw_ledger::projections::{Filter, RecordOrder};

/// A record with what its payload and those before it say of it.
pub(crate) struct Seen {
    header: RecordHeader,
    capabilities: Vec<String>,
    parties: Vec<Party>,
    decision: Option<u8>,
    configuration_version: Option<u64>,
    approval: bool,
}

fn named(event: &Event) -> Option<&str> {
    match event {
        Event::AuthorizationDecided(e) => Some(&e.capability),
        Event::ApprovalRequested(e) => Some(&e.capability),
        Event::ExecutionStarted(e) => Some(&e.capability),
        Event::CapabilityEnabled(e) => Some(&e.capability),
        _ => None,
    }
}

/// What an execution first asked for, whether by a question to persons, and from which record on that counts; and from
/// which on there was a question.
#[derive(Default)]
struct Asked {
    first: Option<(String, u64)>,
    question: Option<u64>,
}

fn asked(records: &[Record]) -> HashMap<ExecutionId, Asked> {
    let mut all: HashMap<_, Asked> = HashMap::new();
    for record in records {
        let header = &record.header;
        let event = record.event().unwrap();
        let (false, Some(name)) = (header.execution.is_nil(), named(&event)) else {
            continue;
        };
        let asked = all.entry(header.execution).or_default();
        let commit = header.seq.get() - u64::from(header.commit_index);
        let is_question = matches!(event, Event::ApprovalRequested(_));
        if is_question && asked.question.is_none() {
            let from = asked.first.as_ref().map_or(commit, |_| header.seq.get());
            asked.question = Some(from);
        }
        asked.first.get_or_insert_with(|| (name.to_owned(), commit));
    }
    all
}

pub(crate) fn seen(records: &[Record]) -> Vec<Seen> {
    let asked = asked(records);
    let see = |record: &Record| {
        let header = record.header.clone();
        let event = record.event().unwrap();
        let mut capabilities: Vec<_> = named(&event).map(str::to_owned).into_iter().collect();
        let seq = header.seq.get();
        let of = asked.get(&header.execution);
        let first = of.and_then(|it| it.first.as_ref());
        capabilities.extend(
            first
                .filter(|(_, from)| seq >= *from)
                .map(|it| it.0.clone()),
        );
        let (mut parties, mut decision, mut configuration_version) = (Vec::new(), None, None);
        match event {
            Event::AuthorizationDecided(e) => {
                parties = e.on_behalf_of;
                decision = Some(e.decision);
                configuration_version = Some(e.configuration_version);
            }
            Event::ApprovalRequested(e) => {
                parties = [e.on_behalf_of, e.asked].concat();
                configuration_version = Some(e.configuration_version);
            }
            Event::ApprovalGiven(e) => parties = vec![e.approver],
            Event::ApprovalConfirmed(e) => configuration_version = Some(e.configuration_version),
            _ => {}
        }
        Seen {
            header,
            capabilities,
            parties,
            decision,
            configuration_version,
            approval: of.and_then(|it| it.question).is_some_and(|it| seq >= it),
        }
    };
    records.iter().map(see).collect()
}

fn fits(seen: &Seen, filter: &Filter) -> bool {
    let header = &seen.header;
    let decision = filter.decision.map(|it| it.code());
    let version = filter.configuration_version;
    let time = filter.time_ns.as_ref();
    let seq = filter.seq.as_ref();
    filter.execution.is_none_or(|it| it == header.execution)
        && filter.event_type.is_none_or(|it| it == header.event_type)
        && filter.component.is_none_or(|it| it == header.component)
        && filter.outcome.is_none_or(|it| it == header.outcome)
        && filter.parent.is_none_or(|it| it == header.parent)
        && filter.subject.is_none_or(|it| it == header.subject)
        && filter
            .capability
            .as_ref()
            .is_none_or(|it| seen.capabilities.contains(it))
        && filter
            .party
            .as_ref()
            .is_none_or(|it| seen.parties.contains(it))
        && decision.is_none_or(|it| seen.decision == Some(it))
        && version.is_none_or(|it| seen.configuration_version == Some(it))
        && (!filter.approval || seen.approval)
        && time.is_none_or(|range| range.contains(&header.time_ns))
        && seq.is_none_or(|range| range.contains(&header.seq.get()))
}

pub(crate) fn scan(all: &[Seen], filter: &Filter, limit: usize) -> Vec<u64> {
    let fit = all.iter().filter(|it| fits(it, filter));
    let fit = fit.map(|it| it.header.seq.get());
    match filter.order {
        RecordOrder::Oldest => fit.take(limit).collect(),
        RecordOrder::Newest => fit.rev().take(limit).collect(),
    }
}

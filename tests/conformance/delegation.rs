// SPDX-License-Identifier: Apache-2.0
//! On whose behalf an agent acts: H2.

use std::sync::Arc;

use femtoclaw_ledger::events::{AuthorizationDecidedV2, Event, EventType, Party, Store};
use femtoclaw_ledger::execution_log::{Ending, Imported, Rejection};
use femtoclaw_ledger::group::Command;
use femtoclaw_ledger::journal::MemoryJournal;
use femtoclaw_ledger::projections::Filter;
use femtoclaw_ledger::{Context, Decision, Limits, Options, Quota, Request, Rights};

use crate::support::*;

async fn in_memory() -> Open {
    open_on(Arc::new(MemoryJournal::new()), fixed(&clock())).await
}

fn person() -> Party {
    Party::new("https://id.example", "mary")
}

fn agent() -> Party {
    Party::new("spiffe://agents.example", "payments")
}

fn worker() -> Party {
    Party::new("spiffe://agents.example", "payments/worker")
}

fn chain() -> Vec<Party> {
    vec![person(), agent(), worker()]
}

fn for_mary(open: &Open) -> Request {
    let context = Context::new().on_behalf_of(chain());
    open.request("message").context(context)
}

async fn decisions(open: &Open) -> Vec<AuthorizationDecidedV2> {
    let events = open.events().await.into_iter();
    let decided = events.filter_map(|event| match event {
        Event::AuthorizationDecided(decided) => Some(decided),
        _ => None,
    });
    decided.collect()
}

async fn named(open: &Open, party: &Party) -> usize {
    let filter = Filter {
        party: Some(party.clone()),
        ..Filter::default()
    };
    open.reads().query(filter, usize::MAX).await.unwrap().len()
}

#[tokio::test]
async fn h2_a_decision_says_on_whose_behalf_it_was_made_and_is_found_by_each_of_them() {
    let open = in_memory().await;
    let log = open.log();
    let begun = log.begin(for_mary(&open)).await.unwrap();
    open.complete(begun.execution(), RESULT).await.unwrap();
    let mut denied = for_mary(&open);
    denied.decision = Decision::DeniedPolicyViolation;
    drop(log.authorize(denied).await.unwrap());
    let _permit = log.authorize(for_mary(&open)).await.unwrap();
    let imported = Imported {
        request: for_mary(&open),
        ending: Ending::Completed(RESULT.to_vec()),
    };
    log.record(imported).await.unwrap();
    open.execute().await;
    let decided = decisions(&open).await;
    assert_eq!(decided.len(), 5);
    for decision in &decided[..4] {
        assert_eq!(decision.on_behalf_of, chain());
    }
    assert_eq!(decided[4].on_behalf_of, []);
    for party in chain() {
        assert_eq!(named(&open, &party).await, 4, "{party:?}");
    }
    // The same id of another issuer is somebody else.
    let other = Party::new("https://other.example", "mary");
    assert_eq!(named(&open, &other).await, 0);
    // The evidence of the execution says so too.
    let trace = open.reads().reconstruct(begun.execution()).await;
    let steps = trace.unwrap().unwrap().steps;
    let told = steps.iter().any(
        |step| matches!(&step.event, Event::AuthorizationDecided(it) if it.on_behalf_of == chain()),
    );
    assert!(told);
}

#[tokio::test]
async fn h2_a_chain_is_bounded_and_its_parts_are_names() {
    let limits = Limits {
        delegation_max: 3,
        ..Limits::default()
    };
    let options = Options {
        limits,
        ..fixed(&clock())
    };
    let open = open_on(Arc::new(MemoryJournal::new()), options).await;
    let before = open.ledger.head();
    let refused = async |chain: Vec<Party>| {
        let context = Context::new().on_behalf_of(chain);
        let request = open.request("message").context(context);
        let error = open.log().begin(request).await.unwrap_err();
        (error.code(), error.to_string())
    };
    let longer = [chain(), vec![agent()]].concat();
    let (code, text) = refused(longer).await;
    assert_eq!(code, "too_large");
    assert!(
        text.contains("on_behalf_of") && text.contains('4'),
        "{text}"
    );
    let long = "n".repeat(257);
    for (party, field) in [
        (Party::new("", "mary"), "on_behalf_of.issuer"),
        (Party::new("https://id.example", ""), "on_behalf_of.id"),
        (
            Party::new("https://id.example", "ma\nry"),
            "on_behalf_of.id",
        ),
        (Party::new(&*long, "mary"), "on_behalf_of.issuer"),
        (Party::new("https://id.example", &*long), "on_behalf_of.id"),
    ] {
        let (code, text) = refused(vec![agent(), party]).await;
        assert_eq!(code, "invalid");
        assert!(text.contains(field), "{text}");
    }
    assert_eq!(open.ledger.head(), before);
    drop(open.log().begin(for_mary(&open)).await.unwrap());
}

#[tokio::test]
async fn h2_a_command_that_decides_nothing_is_refused_with_a_chain() {
    let open = in_memory().await;
    let begun = open.begin().await;
    let context = || Context::new().on_behalf_of([person()]);
    let before = open.ledger.head();
    let log = open.log();
    let finished = log.complete(begun.execution(), context(), RESULT.to_vec());
    let finished = finished.await.unwrap_err();
    let mut told = entry(femtoclaw_ledger::AuditFamily::OperatorAction);
    told.context = context();
    let audited = open.ledger.commit(&open.grant, vec![Command::Audit(told)]);
    let audited = audited.await.unwrap_err();
    let rejection = Rejection::new("{", "not the protocol").context(context());
    let rejected = open.log().reject(rejection).await.unwrap_err();
    let changed = change("limits", "max = 1\n").context(context());
    let configuration = open.ledger.configuration(&open.grant).unwrap();
    let changed = configuration.change(changed).await.unwrap_err();
    let texts = [
        (finished.code(), finished.to_string()),
        (audited.code(), audited.to_string()),
        (rejected.code(), rejected.to_string()),
        (changed.code(), changed.to_string()),
    ];
    for (code, text) in texts {
        assert_eq!(code, "invalid", "{text}");
        assert!(text.contains("on_behalf_of"), "{text}");
    }
    assert_eq!(open.ledger.head(), before);
}

#[tokio::test]
async fn h2_the_same_command_with_another_chain_is_another_command() {
    let open = in_memory().await;
    let sent = async |chain: Vec<Party>| {
        let context = Context::new().command(command(7)).on_behalf_of(chain);
        let request = open.request("message").context(context);
        open.log().begin(request).await
    };
    let first = sent(chain()).await.unwrap();
    let second = sent(chain()).await.unwrap();
    assert!(second.receipt().duplicate);
    assert_eq!(second.execution(), first.execution());
    let [mut shorter, mut turned, mut renamed] = [chain(), chain(), chain()];
    shorter.pop();
    turned.swap(0, 1);
    renamed[0].id = "marty".to_owned();
    for other in [shorter, turned, renamed, Vec::new()] {
        let refused = sent(other).await.unwrap_err();
        assert_eq!(refused.code(), "idempotency_conflict");
    }
}

#[tokio::test]
async fn h2_who_may_not_read_a_payload_is_not_told_that_it_names_somebody() {
    let open = in_memory().await;
    drop(open.log().begin(for_mary(&open)).await.unwrap());
    let found = async |rights: Rights| {
        let grant = open.root.grant("reader", rights, Quota::default());
        let reads = open.ledger.reader(&grant.await.unwrap()).unwrap();
        let filter = Filter {
            party: Some(person()),
            event_type: Some(EventType::AuthorizationDecided),
            ..Filter::default()
        };
        reads.query(filter, usize::MAX).await.unwrap().len()
    };
    let headers = Rights::none().read(Store::ExecutionLog);
    assert_eq!(found(headers).await, 0);
    let payloads = Store::ALL.into_iter().fold(headers, Rights::read_payloads);
    assert_eq!(found(payloads).await, 1);

    let executions = async |rights: Rights| {
        let grant = open.root.grant("reader", rights, Quota::default());
        let log = open.ledger.execution_log(&grant.await.unwrap()).unwrap();
        log.executions().on_behalf_of(person()).last(50).await
    };
    let refused = executions(headers).await.unwrap_err();
    assert_eq!(refused.code(), "not_granted");
    assert_eq!(executions(payloads).await.unwrap().len(), 1);
}

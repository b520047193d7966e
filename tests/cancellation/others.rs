// SPDX-License-Identifier: Apache-2.0
//! Configuration, audit, telemetry, groups, reads, and the root's grants.

use std::time::Duration;

use femtoclaw_ledger::events::{AuditFamily, CommandId, Outcome, Seq};
use femtoclaw_ledger::projections::AsOf;
use femtoclaw_ledger::{
    AuditEntry, Context, Quota, Rights, Rollback, group::Command, reading::Filter,
};

use crate::Tried;
use crate::shared::{change, observation};
use crate::stores::call;

fn entry() -> AuditEntry {
    AuditEntry {
        context: Context::new(),
        family: AuditFamily::Lifecycle,
        action: "acted".to_owned(),
        subject: "it".to_owned(),
        outcome: Outcome::Success,
        execution: None,
        detail: Vec::new(),
    }
}

fn configuration() -> Vec<Tried> {
    vec![
        call!(
            "ledger/handles/configuration.rs change",
            |s| change(Context::new(), "two", None),
            |it| s.configuration.change(it).await.is_ok()
        ),
        call!(
            "ledger/handles/configuration.rs rollback",
            |s| Rollback {
                context: Context::new(),
                document: "policy".to_owned(),
                to_version: 1,
                author: "a".to_owned(),
                reason: "r".to_owned(),
                expected_version: None
            },
            |it| s.configuration.rollback(it).await.is_ok()
        ),
        call!("ledger/handles/configuration.rs current", |s| (), |()| s
            .configuration
            .current("policy")
            .await
            .is_ok()),
        call!(
            "ledger/handles/configuration.rs content",
            |s| s.ledger().in_force(),
            |it| s.configuration.content(&it, "policy").await.is_ok()
        ),
        call!("ledger/handles/configuration.rs version", |s| (), |()| s
            .configuration
            .version("policy", 1)
            .await
            .is_ok()),
        call!("ledger/handles/configuration.rs history", |s| (), |()| s
            .configuration
            .history("policy")
            .await
            .is_ok()),
        call!("ledger/handles/configuration.rs as_of", |s| (), |()| s
            .configuration
            .as_of("policy", AsOf::Seq(s.head().get()))
            .await
            .is_ok()),
        call!("ledger/handles/configuration.rs diff", |s| (), |()| s
            .configuration
            .diff("policy", 1, 1)
            .await
            .is_ok()),
        call!("ledger/handles/configuration.rs documents", |s| (), |()| s
            .configuration
            .documents()
            .await
            .is_ok()),
        call!(
            "ledger/handles/watch.rs next",
            |s| s.configuration.watch("policy"),
            |mut it| it.next().await.is_ok()
        ),
    ]
}

fn rest() -> Vec<Tried> {
    vec![
        call!("ledger/handles/audit_log.rs record", |s| entry(), |it| s
            .audit
            .record(it)
            .await
            .is_ok()),
        call!(
            "ledger/handles/telemetry.rs record",
            |s| observation(Context::new(), "seen"),
            |it| s.telemetry.record(it).await.is_ok()
        ),
        call!(
            "ledger/open_ledger.rs commit",
            |s| vec![Command::Begin(s.request()), Command::Authorize(s.request())],
            |it| s.ledger().commit(s.grant(), it).await.is_ok()
        ),
        call!(
            "ledger/open_ledger.rs lookup",
            |s| CommandId::from_bytes([1; 16]),
            |it| s.ledger().lookup(s.grant(), it).await.is_ok()
        ),
        call!("ledger/open_ledger.rs view_digests", |s| (), |()| s
            .ledger()
            .view_digests()
            .await
            .is_ok()),
        call!("ledger/read/view_waits.rs at_least", |s| s.head(), |it| s
            .ledger()
            .at_least(it)
            .await
            .is_ok()),
        call!(
            "ledger/read/view_waits.rs projection_at_least",
            |s| s.head(),
            |it| s.ledger().projection_at_least("indexes", it).await.is_ok()
        ),
    ]
}

fn reads() -> Vec<Tried> {
    vec![
        call!("ledger/read/reads.rs get", |s| (), |()| s
            .reads
            .get(Seq::FIRST)
            .await
            .is_ok()),
        call!("ledger/read/reads.rs range", |s| (), |()| s
            .reads
            .range(Seq::FIRST, 9)
            .await
            .is_ok()),
        call!("ledger/read/reads.rs query", |s| (), |()| s
            .reads
            .query(Filter::default(), 9)
            .await
            .is_ok()),
        call!("ledger/read/reads.rs reconstruct", |s| (), |()| s
            .reads
            .reconstruct(s.ended)
            .await
            .is_ok()),
        call!(
            "ledger/read/follow.rs next_batch",
            |s| s.reads.follow(Seq::FIRST).unwrap(),
            |mut it| it.next_batch(Duration::from_secs(60)).await.is_ok()
        ),
        call!("ledger/root.rs grant", |s| (), |()| s
            .root()
            .grant("another", Rights::all(), Quota::default())
            .await
            .is_ok()),
        call!(
            "ledger/root.rs revoke",
            |s| s
                .root()
                .grant("third", Rights::none(), Quota::default())
                .await
                .unwrap(),
            |it| s.root().revoke(&it, "why").await.is_ok()
        ),
        // The clock is believed already: refused, in the same way.
        call!("ledger/root.rs accept_clock", |s| (), |()| {
            let _refused = s.root().accept_clock("why").await;
            true
        }),
    ]
}

pub(crate) fn tried() -> Vec<Tried> {
    let mut all = configuration();
    all.extend(rest());
    all.extend(reads());
    all
}

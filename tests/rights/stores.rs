// SPDX-License-Identifier: Apache-2.0
//! Audit log, telemetry, configuration and groups.

use femtoclaw_ledger::events::{AuditFamily, Outcome};
use femtoclaw_ledger::projections::AsOf;
use femtoclaw_ledger::{AuditEntry, Context, Rollback, group::Command};

use crate::scene::Told;
use crate::shared::{change, observation};
use crate::{APPENDS, PAYLOADS, Row, STANDING, row};

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

fn appends() -> Vec<Row> {
    vec![
        row!(
            "ledger/handles/audit_log.rs record",
            "",
            [AuditLog],
            APPENDS,
            |h| {
                h.go().await;
                h.audit()?.record(entry()).await.told()
            }
        ),
        row!(
            "ledger/handles/telemetry.rs record",
            "",
            [Telemetry],
            APPENDS,
            |h| {
                h.go().await;
                let it = observation(Context::new(), "it");
                h.telemetry()?.record(it).await.told()
            }
        ),
        row!(
            "ledger/handles/telemetry.rs emit",
            "",
            [Telemetry],
            APPENDS,
            |h| {
                h.go().await;
                h.telemetry()?
                    .emit(observation(Context::new(), "it"))
                    .told()
            }
        ),
        row!(
            "ledger/open_ledger.rs commit",
            "executions",
            [ExecutionLog],
            APPENDS,
            |h| {
                h.go().await;
                let group = vec![
                    Command::Begin(h.scene.request()),
                    Command::Authorize(h.scene.request()),
                ];
                h.scene.ledger().commit(&h.grant, group).await.told()
            }
        ),
        row!(
            "ledger/open_ledger.rs commit",
            "audit events",
            [AuditLog],
            APPENDS,
            |h| {
                h.go().await;
                let group = vec![Command::Audit(entry()), Command::Audit(entry())];
                h.scene.ledger().commit(&h.grant, group).await.told()
            }
        ),
    ]
}

fn configuration() -> Vec<Row> {
    vec![
        row!(
            "ledger/handles/configuration.rs change",
            "",
            [Configuration],
            APPENDS,
            |h| {
                h.go().await;
                let it = change(Context::new(), "two", None);
                h.configuration()?.change(it).await.told()
            }
        ),
        row!(
            "ledger/handles/configuration.rs rollback",
            "",
            [Configuration],
            APPENDS,
            |h| {
                h.go().await;
                let it = Rollback {
                    context: Context::new(),
                    document: "policy".to_owned(),
                    to_version: 1,
                    author: "a".to_owned(),
                    reason: "r".to_owned(),
                    expected_version: None,
                };
                h.configuration()?.rollback(it).await.told()
            }
        ),
        row!(
            "ledger/handles/configuration.rs documents",
            "",
            [Configuration],
            STANDING,
            |h| {
                h.go().await;
                h.configuration()?.documents().await.told()
            }
        ),
    ]
}

fn contents() -> Vec<Row> {
    vec![
        row!(
            "ledger/handles/configuration.rs current",
            "",
            [Configuration],
            PAYLOADS,
            |h| {
                h.go().await;
                h.configuration()?.current("policy").await.told()
            }
        ),
        row!(
            "ledger/handles/configuration.rs content",
            "",
            [Configuration],
            PAYLOADS,
            |h| {
                h.go().await;
                let in_force = h.scene.ledger().in_force();
                h.configuration()?.content(&in_force, "policy").await.told()
            }
        ),
        row!(
            "ledger/handles/configuration.rs version",
            "",
            [Configuration],
            PAYLOADS,
            |h| {
                h.go().await;
                h.configuration()?.version("policy", 1).await.told()
            }
        ),
        row!(
            "ledger/handles/configuration.rs history",
            "",
            [Configuration],
            PAYLOADS,
            |h| {
                h.go().await;
                h.configuration()?.history("policy").await.told()
            }
        ),
    ]
}

fn contents_over_time() -> Vec<Row> {
    vec![
        row!(
            "ledger/handles/configuration.rs as_of",
            "",
            [Configuration],
            PAYLOADS,
            |h| {
                h.go().await;
                h.configuration()?
                    .as_of("policy", AsOf::Seq(1))
                    .await
                    .told()
            }
        ),
        row!(
            "ledger/handles/configuration.rs diff",
            "",
            [Configuration],
            PAYLOADS,
            |h| {
                h.go().await;
                h.configuration()?.diff("policy", 1, 1).await.told()
            }
        ),
        row!(
            "ledger/handles/configuration.rs watch",
            "",
            [Configuration],
            PAYLOADS,
            |h| {
                let mut watch = h.configuration()?.watch("policy");
                h.go().await;
                watch.next().await.told()
            }
        ),
        row!(
            "ledger/handles/watch.rs next",
            "",
            [Configuration],
            PAYLOADS,
            |h| {
                let mut watch = h.configuration()?.watch("policy");
                h.go().await;
                watch.next().await.told()
            }
        ),
    ]
}

pub(crate) fn rows() -> Vec<Row> {
    [appends(), configuration(), contents(), contents_over_time()]
        .into_iter()
        .flatten()
        .collect()
}

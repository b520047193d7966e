// SPDX-License-Identifier: Apache-2.0
//! What is asked of a grant itself: handles, look-ups, its revocation.

use crate::scene::{Answer, Hands, Told};
use crate::shared::{command, id};
use crate::{ANY, EITHER, Row, row};

fn handles() -> Vec<Row> {
    vec![
        row!(
            "ledger/open_ledger.rs execution_log",
            "",
            [ExecutionLog],
            EITHER,
            |h| {
                h.go().await;
                h.scene.ledger().execution_log(&h.grant).told()
            }
        ),
        row!(
            "ledger/open_ledger.rs audit_log",
            "",
            [AuditLog],
            EITHER,
            |h| {
                h.go().await;
                h.scene.ledger().audit_log(&h.grant).told()
            }
        ),
        row!(
            "ledger/open_ledger.rs telemetry",
            "",
            [Telemetry],
            EITHER,
            |h| {
                h.go().await;
                h.scene.ledger().telemetry(&h.grant).told()
            }
        ),
        row!(
            "ledger/open_ledger.rs configuration",
            "",
            [Configuration],
            EITHER,
            |h| {
                h.go().await;
                h.scene.ledger().configuration(&h.grant).told()
            }
        ),
        row!(
            "ledger/open_ledger.rs runtime_metadata",
            "",
            [RuntimeMetadata],
            EITHER,
            |h| {
                h.go().await;
                h.scene.ledger().runtime_metadata(&h.grant).told()
            }
        ),
    ]
}

async fn looked_up(h: &Hands, number: u128) -> Answer {
    let found = h.scene.ledger().lookup(&h.grant, id(number)).await;
    match found {
        Ok(None) => Ok("nothing".to_owned()),
        found => found.told(),
    }
}

/// A component looks its own commands up by its grant alone, and sees no others.
fn grants() -> Vec<Row> {
    let nothing = "nothing";
    let others = [
        nothing,
        nothing,
        nothing,
        nothing,
        nothing,
        "grant_revoked",
        "foreign_grant",
    ];
    vec![
        row!(
            "ledger/open_ledger.rs lookup",
            "its own",
            [ExecutionLog],
            ANY,
            |h| {
                let number = 1_000 + u128::from(h.scene.next());
                let mut request = h.scene.request();
                request.context = command(number);
                let own = h.own_log().await;
                let begun = own.begin(request).await.unwrap();
                let _running = begun.started().unwrap().detach();
                h.go().await;
                looked_up(&h, number).await
            }
        ),
        row!(
            "ledger/open_ledger.rs lookup",
            "another's",
            [ExecutionLog],
            others,
            |h| {
                h.go().await;
                looked_up(&h, 1).await
            }
        ),
        row!("ledger/root.rs revoke", "", [ExecutionLog], ANY, |h| {
            h.go().await;
            h.scene.world.root.revoke(&h.grant, "why").await.told()
        }),
    ]
}

pub(crate) fn rows() -> Vec<Row> {
    [handles(), grants()].into_iter().flatten().collect()
}

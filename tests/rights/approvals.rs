// SPDX-License-Identifier: Apache-2.0
//! Executions that wait for persons.

use femtoclaw_ledger::events::Hash;
use femtoclaw_ledger::{
    Context, ExecutionId, ExecutionLog, Party,
    execution_log::{Approval, ApprovalRefusal, ApprovalRequest},
};

use crate::scene::{Scene, Told};
use crate::{APPENDS, Row, row};

/// What a right of its own is needed for, beside that to append.
const FOR_PERSONS: [&str; 7] = [
    "not_granted",
    "not_granted",
    "not_granted",
    "not_granted",
    "ok",
    "grant_revoked",
    "foreign_grant",
];

/// What goes on with what another component asked: no right is enough.
const ANOTHERS: [&str; 7] = [
    "not_granted",
    "not_granted",
    "foreign_execution",
    "not_granted",
    "foreign_execution",
    "grant_revoked",
    "foreign_grant",
];

fn person() -> Party {
    Party::new("id.example", "ann")
}

fn asks(scene: &Scene) -> ApprovalRequest {
    let basis = scene.ledger().in_force().basis();
    ApprovalRequest::new("message", "a rule", i64::MAX, basis).ask(person())
}

async fn waiting(log: &ExecutionLog, scene: &Scene) -> (ExecutionId, Hash) {
    let asked = log.request_approval(asks(scene)).await.unwrap();
    (asked.execution, asked.shown_digest)
}

async fn approved(log: &ExecutionLog, scene: &Scene) -> ExecutionId {
    let (execution, shown) = waiting(log, scene).await;
    let approval = Approval::new(person(), "passkey", shown);
    let given = log.approve(execution, Context::new(), approval).await;
    given.unwrap().execution()
}

fn answers() -> Vec<Row> {
    vec![
        row!(
            "ledger/handles/approval.rs request_approval",
            "",
            [ExecutionLog],
            APPENDS,
            |h| {
                h.go().await;
                h.log()?.request_approval(asks(&h.scene)).await.told()
            }
        ),
        row!(
            "ledger/handles/approval.rs approve",
            "",
            [ExecutionLog],
            FOR_PERSONS,
            |h| {
                let log = h.log()?;
                let (execution, shown) = waiting(&h.others_log(), &h.scene).await;
                h.go().await;
                let approval = Approval::new(person(), "passkey", shown);
                let given = log.approve(execution, Context::new(), approval);
                given.await.told()
            }
        ),
        row!(
            "ledger/handles/approval.rs refuse_approval",
            "",
            [ExecutionLog],
            FOR_PERSONS,
            |h| {
                let log = h.log()?;
                let (execution, shown) = waiting(&h.others_log(), &h.scene).await;
                h.go().await;
                let refusal = ApprovalRefusal::new(person(), "passkey", shown, "no");
                let given = log.refuse_approval(execution, Context::new(), refusal);
                given.await.told()
            }
        ),
    ]
}

/// Goes on with what was asked: by the component itself, or another.
macro_rules! goes_on {
    ($path:literal, $prepare:ident, |$h:ident, $log:ident, $it:ident| $call:expr) => {
        [
            row!($path, "its own", [ExecutionLog], APPENDS, |$h| {
                let $log = $h.log()?;
                let $it = $prepare(&$h.own_log().await, &$h.scene).await;
                $h.go().await;
                $call.await.told()
            }),
            row!($path, "another's", [ExecutionLog], ANOTHERS, |$h| {
                let $log = $h.log()?;
                let $it = $prepare(&$h.others_log(), &$h.scene).await;
                $h.go().await;
                $call.await.told()
            }),
        ]
    };
}

pub(crate) fn rows() -> Vec<Row> {
    let mut all = answers();
    all.extend(goes_on!(
        "ledger/handles/approval.rs confirm_approval",
        waiting,
        |h, log, it| {
            let basis = h.scene.ledger().in_force().basis();
            log.confirm_approval(it.0, Context::new(), basis, "sure")
        }
    ));
    all.extend(goes_on!(
        "ledger/handles/approval.rs start_approved",
        approved,
        |h, log, it| log.start_approved(it, Context::new())
    ));
    all
}

// SPDX-License-Identifier: Apache-2.0
//! Executions.

use femtoclaw_ledger::events::Resolution;
use femtoclaw_ledger::{
    Context, Failure,
    execution_log::{Ending, Imported, Rejection, Resolve},
};

use crate::scene::{Told, in_doubt, running};
use crate::{APPENDS, Row, STANDING, row};

/// What ends the execution of another component.
const FOR_OTHERS: [&str; 7] = [
    "not_granted",
    "not_granted",
    "foreign_execution",
    "not_granted",
    "ok",
    "grant_revoked",
    "foreign_grant",
];

fn failure() -> Failure {
    Failure {
        code: "E".to_owned(),
        message: String::new(),
        result: Vec::new(),
    }
}

pub(crate) fn resolve() -> Resolve {
    Resolve {
        resolution: Resolution::Lost,
        reason: "nobody knows".to_owned(),
        result: Vec::new(),
    }
}

fn begins() -> Vec<Row> {
    vec![
        row!(
            "ledger/handles/execution_log.rs authorize",
            "",
            [ExecutionLog],
            APPENDS,
            |h| {
                h.go().await;
                h.log()?.authorize(h.scene.request()).await.told()
            }
        ),
        row!(
            "ledger/handles/execution_log.rs begin",
            "",
            [ExecutionLog],
            APPENDS,
            |h| {
                h.go().await;
                h.log()?.begin(h.scene.request()).await.told()
            }
        ),
        row!(
            "ledger/handles/execution_log.rs start",
            "",
            [ExecutionLog],
            APPENDS,
            |h| {
                let log = h.log()?;
                let own = h.own_log().await;
                let authorized = own.authorize(h.scene.request()).await.unwrap();
                let permit = authorized.permit().unwrap();
                h.go().await;
                log.start(permit, Context::new()).await.told()
            }
        ),
        row!(
            "ledger/handles/execution_log.rs reject",
            "",
            [ExecutionLog],
            APPENDS,
            |h| {
                h.go().await;
                let rejection = Rejection {
                    context: Context::new(),
                    execution: None,
                    input: b"x".to_vec(),
                    problem: "no".to_owned(),
                };
                h.log()?.reject(rejection).await.told()
            }
        ),
        row!(
            "ledger/handles/execution_log.rs record",
            "",
            [ExecutionLog],
            APPENDS,
            |h| {
                h.go().await;
                let imported = Imported {
                    request: h.scene.request(),
                    ending: Ending::Completed(b"1".to_vec()),
                };
                h.log()?.record(imported).await.told()
            }
        ),
    ]
}

/// Ends an execution by its id: the component's own, or another's.
macro_rules! ends {
    ($path:literal, $prepare:ident, |$log:ident, $execution:ident| $end:expr) => {
        [
            row!($path, "its own", [ExecutionLog], APPENDS, |h| {
                let $log = h.log()?;
                let $execution = $prepare(&h.own_log().await, &h.scene).await;
                h.go().await;
                $end.await.told()
            }),
            row!($path, "another's", [ExecutionLog], FOR_OTHERS, |h| {
                let $log = h.log()?;
                let $execution = $prepare(&h.others_log(), &h.scene).await;
                h.go().await;
                $end.await.told()
            }),
        ]
    };
}

async fn detached(
    log: &femtoclaw_ledger::ExecutionLog,
    scene: &crate::scene::Scene,
) -> femtoclaw_ledger::events::ExecutionId {
    running(log, scene).await.detach()
}

fn ends() -> Vec<Row> {
    [
        ends!(
            "ledger/handles/execution_log.rs complete",
            detached,
            |log, it| log.complete(it, Context::new(), b"1".to_vec())
        ),
        ends!(
            "ledger/handles/execution_log.rs fail",
            detached,
            |log, it| log.fail(it, Context::new(), failure())
        ),
        ends!(
            "ledger/handles/execution_log.rs cancel",
            detached,
            |log, it| log.cancel(it, Context::new(), "why".to_owned())
        ),
        ends!(
            "ledger/handles/execution_log.rs resolve",
            in_doubt,
            |log, it| log.resolve(it, Context::new(), resolve())
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Ends what the component itself has in its hands.
macro_rules! held {
    ($path:literal, |$running:ident| $end:expr) => {
        row!($path, "", [ExecutionLog], APPENDS, |h| {
            let begun = h.log()?.begin(h.scene.request()).await;
            let $running = match begun {
                Ok(begun) => begun.started().unwrap(),
                Err(error) => return Err(error.code().to_owned()),
            };
            h.go().await;
            $end.await.told()
        })
    };
}

fn held() -> Vec<Row> {
    vec![
        held!("ledger/handles/running.rs complete", |it| it
            .complete(Context::new(), b"1".to_vec())),
        held!("ledger/handles/running.rs complete_json", |it| it
            .complete_json(Context::new(), &1)),
        held!("ledger/handles/running.rs fail", |it| it
            .fail(Context::new(), failure())),
        held!("ledger/handles/running.rs cancel", |it| it
            .cancel(Context::new(), "why".to_owned())),
    ]
}

fn waiting() -> Vec<Row> {
    vec![
        row!(
            "ledger/handles/awaiting.rs soonest",
            "",
            [ExecutionLog],
            STANDING,
            |h| {
                h.go().await;
                h.log()?.executions().awaiting().soonest(3).await.told()
            }
        ),
        row!(
            "ledger/handles/awaiting.rs oldest",
            "",
            [ExecutionLog],
            STANDING,
            |h| {
                h.go().await;
                h.log()?.executions().awaiting().oldest(3).await.told()
            }
        ),
    ]
}

fn standing() -> Vec<Row> {
    vec![
        row!(
            "ledger/handles/execution_log.rs in_doubt",
            "",
            [ExecutionLog],
            STANDING,
            |h| {
                h.go().await;
                h.log()?.in_doubt().await.told()
            }
        ),
        row!(
            "ledger/handles/executions.rs first",
            "",
            [ExecutionLog],
            STANDING,
            |h| {
                h.go().await;
                h.log()?.executions().denied().first(3).await.told()
            }
        ),
        row!(
            "ledger/handles/executions.rs last",
            "",
            [ExecutionLog],
            STANDING,
            |h| {
                h.go().await;
                h.log()?.executions().last(3).await.told()
            }
        ),
        row!(
            "ledger/handles/execution_log.rs get",
            "",
            [ExecutionLog],
            STANDING,
            |h| {
                h.go().await;
                h.log()?.get(h.scene.ended).await.told()
            }
        ),
        row!(
            "ledger/handles/execution_log.rs counts",
            "",
            [ExecutionLog],
            STANDING,
            |h| {
                h.go().await;
                h.log()?.counts().await.told()
            }
        ),
    ]
}

pub(crate) fn rows() -> Vec<Row> {
    [begins(), ends(), held(), waiting(), standing()]
        .into_iter()
        .flatten()
        .collect()
}

// SPDX-License-Identifier: Apache-2.0
//! Executions that wait for persons.

use femtoclaw_ledger::events::Hash;
use femtoclaw_ledger::{
    Context, ExecutionId, Party,
    execution_log::{Approval, ApprovalRefusal, ApprovalRequest},
};

use crate::Tried;
use crate::scene::Scene;
use crate::stores::call;

fn person() -> Party {
    Party::new("id.example", "ann")
}

fn asks(scene: &Scene) -> ApprovalRequest {
    let basis = scene.ledger().in_force().basis();
    ApprovalRequest::new("message", "a rule", i64::MAX, basis).ask(person())
}

async fn waiting(scene: &Scene) -> (ExecutionId, Hash) {
    let asked = scene.log.request_approval(asks(scene)).await.unwrap();
    (asked.execution, asked.shown_digest)
}

async fn approved(scene: &Scene) -> ExecutionId {
    let (execution, shown) = waiting(scene).await;
    let approval = Approval::new(person(), "passkey", shown);
    let given = scene.log.approve(execution, Context::new(), approval);
    given.await.unwrap().execution()
}

pub(crate) fn tried() -> Vec<Tried> {
    vec![
        call!(
            "ledger/handles/approval.rs request_approval",
            |s| asks(&s),
            |it| s.log.request_approval(it).await.is_ok()
        ),
        call!(
            "ledger/handles/approval.rs approve",
            |s| waiting(&s).await,
            |(it, shown)| {
                let approval = Approval::new(person(), "passkey", shown);
                s.log.approve(it, Context::new(), approval).await.is_ok()
            }
        ),
        call!(
            "ledger/handles/approval.rs refuse_approval",
            |s| waiting(&s).await,
            |(it, shown)| {
                let refusal = ApprovalRefusal::new(person(), "passkey", shown, "no");
                let refused = s.log.refuse_approval(it, Context::new(), refusal);
                refused.await.is_ok()
            }
        ),
        call!(
            "ledger/handles/approval.rs confirm_approval",
            |s| (waiting(&s).await, s.ledger().in_force().basis()),
            |((it, _), basis)| {
                let confirmed = s.log.confirm_approval(it, Context::new(), basis, "sure");
                confirmed.await.is_ok()
            }
        ),
        call!(
            "ledger/handles/approval.rs start_approved",
            |s| approved(&s).await,
            |it| s.log.start_approved(it, Context::new()).await.is_ok()
        ),
        call!("ledger/handles/awaiting.rs soonest", |s| (), |()| {
            let waiting = s.log.executions().awaiting().soonest(3);
            waiting.await.is_ok()
        }),
        call!("ledger/handles/awaiting.rs oldest", |s| (), |()| {
            let waiting = s.log.executions().awaiting().oldest(3);
            waiting.await.is_ok()
        }),
    ]
}

// SPDX-License-Identifier: Apache-2.0
//! A request to persons, what they say of it, and where its execution comes to stand.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::clock::ManualClock;
use femtoclaw_ledger::{
    AppendError, Context, Event, ExecutionId, ExecutionLog, Grant, Options, Party, Quota, Receipt,
    Rights,
    execution_log::{
        Approval, ApprovalOutcome, ApprovalRefusal, ApprovalRequest, ExecutionStatus, Standing,
    },
};

use crate::support::{Open, START_NS, WAIT, later, open_with};

pub(crate) const HOUR: Duration = Duration::from_secs(3_600);
pub(crate) const UNTIL: i64 = START_NS + 3_600_000_000_000;
pub(crate) const METHOD: &str = "passkey";

pub(crate) fn person(name: &str) -> Party {
    Party::new("https://id.example", name)
}

pub(crate) fn options(clock: &Arc<ManualClock>) -> Options {
    Options {
        ledger_id: None,
        ..later(clock)
    }
}

pub(crate) async fn opened(path: &Path, clock: &Arc<ManualClock>) -> Open {
    open_with(path, options(clock)).await
}

/// Ann, Bob, or an officer.
pub(crate) fn asks(open: &Open, needed: u32) -> ApprovalRequest {
    let basis = open.ledger.in_force().basis().policy("policy 3", [3; 32]);
    ApprovalRequest::new("message", "payments above 100", UNTIL, basis)
        .input(b"{\"say\":\"hi\"}")
        .arguments(b"{\"say\":\"hi\"}")
        .reason("a large sum")
        .shown("Say hi?")
        .ask(person("ann"))
        .ask(person("bob"))
        .ask_role("officer")
        .approvers_needed(needed)
}

/// An execution that waits, and the digest of what is shown.
pub(crate) async fn waiting(open: &Open, needed: u32) -> (ExecutionId, [u8; 32]) {
    let asked = open.log().request_approval(asks(open, needed)).await;
    let asked = asked.unwrap();
    assert_eq!(asked.standing, Standing::AwaitingApproval);
    (asked.execution, asked.shown_digest)
}

pub(crate) async fn says_yes(
    log: &ExecutionLog,
    (execution, shown): (ExecutionId, [u8; 32]),
    name: &str,
) -> Result<ApprovalOutcome, AppendError> {
    let approval = Approval::new(person(name), METHOD, shown);
    log.approve(execution, Context::new(), approval).await
}

pub(crate) async fn says_no(
    log: &ExecutionLog,
    (execution, shown): (ExecutionId, [u8; 32]),
    name: &str,
) -> Result<Receipt, AppendError> {
    let refusal = ApprovalRefusal::new(person(name), METHOD, shown, "not today");
    log.refuse_approval(execution, Context::new(), refusal)
        .await
}

pub(crate) fn code<T: std::fmt::Debug>(answer: Result<T, AppendError>) -> &'static str {
    answer.unwrap_err().code()
}

pub(crate) async fn stands(open: &Open, execution: ExecutionId) -> ExecutionStatus {
    open.ledger
        .at_least(open.ledger.head().seq.unwrap())
        .await
        .unwrap();
    open.log().get(execution).await.unwrap().unwrap().status
}

pub(crate) async fn comes_to_stand(open: &Open, execution: ExecutionId, wanted: ExecutionStatus) {
    let comes = async {
        while stands(open, execution).await != wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let came = tokio::time::timeout(WAIT, comes).await;
    assert!(came.is_ok(), "not {wanted:?}");
}

/// The names of its records, in order.
pub(crate) async fn records(open: &Open, execution: ExecutionId) -> Vec<&'static str> {
    let records = open.records().await.into_iter();
    let own = records.filter(|record| record.header.execution == execution);
    own.map(|record| record.header.event_type.name()).collect()
}

pub(crate) async fn decision(
    open: &Open,
    execution: ExecutionId,
) -> femtoclaw_ledger::events::AuthorizationDecidedV2 {
    let records = open.records().await.into_iter();
    let mut own = records.filter(|record| record.header.execution == execution);
    own.find_map(|record| match record.event().unwrap() {
        Event::AuthorizationDecided(decided) => Some(decided),
        _ => None,
    })
    .unwrap()
}

pub(crate) async fn component(open: &Open, name: &str, rights: Rights) -> (Grant, ExecutionLog) {
    let granted = open.root.grant(name, rights, Quota::default());
    let granted = granted.await.unwrap();
    let log = open.ledger.execution_log(&granted).unwrap();
    (granted, log)
}

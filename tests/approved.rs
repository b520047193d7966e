// SPDX-License-Identifier: Apache-2.0
//! Executions that persons are asked about, as the ledger itself writes them: the state after a replay is that before it, and
//! evidence of each holds, whatever persons said.

#![cfg(feature = "engine")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::events::Party;
use femtoclaw_ledger::evidence::EvidenceOptions;
use femtoclaw_ledger::integrity::key::{Algorithm, Signer};
use femtoclaw_ledger::integrity::policy::Policy;
use femtoclaw_ledger::integrity::secret::SigningKey;
use femtoclaw_ledger::projections::ExecutionStatus;
use femtoclaw_ledger::{
    Context, ExecutionId, Options,
    checkpoint::CheckpointOptions,
    execution_log::{Approval, ApprovalOutcome, ApprovalRefusal, ApprovalRequest},
};

#[path = "shared/mod.rs"]
mod shared;

use shared::{World, change, until};

const SHOWN: &[u8] = b"Pay 5,000 EUR to ACME?";

/// What persons are asked about, and the digest of what they are shown.
type Shown = (ExecutionId, [u8; 32]);

fn key() -> SigningKey {
    SigningKey::from_seed("ledger.example/approved", Algorithm::Ed25519, &[1; 32]).unwrap()
}

fn signing(options: &mut Options) {
    let mut checkpoints = CheckpointOptions::new(Arc::new(key()), Vec::new());
    checkpoints.every_records = 0;
    checkpoints.every = Duration::ZERO;
    options.checkpoints = Some(checkpoints);
}

fn person(name: &str) -> Party {
    Party::new("https://id.example", name)
}

/// Two of three must approve.
async fn asked(world: &World, until_ns: i64) -> Shown {
    let log = world.ledger.execution_log(&world.grant).unwrap();
    let basis = world.ledger.in_force().basis();
    let agent = Party::new("spiffe://agents.example", "payments");
    let context = Context::new().on_behalf_of([person("mary"), agent]);
    let request = ApprovalRequest::new("message", "two persons above 1,000", until_ns, basis)
        .context(context)
        .input(b"pay".to_vec())
        .arguments(br#"{"eur":5000}"#.to_vec())
        .shown(SHOWN)
        .ask(person("ann"))
        .ask(person("ben"))
        .ask_role("treasurer")
        .approvers_needed(2);
    let asked = log.request_approval(request).await.unwrap();
    (asked.execution, asked.shown_digest)
}

async fn approves(world: &World, (execution, shown): Shown, who: &str) -> ApprovalOutcome {
    let log = world.ledger.execution_log(&world.grant).unwrap();
    let approval = Approval::new(person(who), "passkey", shown);
    let approval = if who == "eve" {
        approval.role("treasurer")
    } else {
        approval
    };
    log.approve(execution, Context::new(), approval)
        .await
        .unwrap()
}

async fn status(world: &World, execution: ExecutionId) -> ExecutionStatus {
    let log = world.ledger.execution_log(&world.grant).unwrap();
    log.get(execution).await.unwrap().unwrap().status
}

/// The second approves; it is started and succeeds.
async fn pays(world: &World, paid: Shown) {
    let approved = approves(world, paid, "ben").await;
    assert!(matches!(approved, ApprovalOutcome::Approved { .. }));
    let log = world.ledger.execution_log(&world.grant).unwrap();
    let started = log.start_approved(paid.0, Context::new()).await.unwrap();
    let running = started.running().unwrap();
    let done = running.complete(Context::new(), b"{\"receipt\":17}".to_vec());
    done.await.unwrap();
}

/// After the first approval moves what is in force: it is confirmed, and approved anew.
async fn confirms(world: &World, moved: Shown) {
    approves(world, moved, "ann").await;
    let configuration = world.ledger.configuration(&world.grant).unwrap();
    let changing = configuration.change(change(Context::new(), "{}", None));
    changing.await.unwrap();
    let log = world.ledger.execution_log(&world.grant).unwrap();
    let approval = Approval::new(person("ben"), "passkey", moved.1);
    let refused = log.approve(moved.0, Context::new(), approval).await;
    assert_eq!(refused.unwrap_err().code(), "basis_moved");
    let basis = world.ledger.in_force().basis();
    let confirming = log.confirm_approval(moved.0, Context::new(), basis, "still right");
    confirming.await.unwrap();
    for who in ["ann", "ben"] {
        approves(world, moved, who).await;
    }
}

async fn holds(world: &World, execution: ExecutionId, stands: ExecutionStatus) {
    let policy = Policy::new(&[key().key().clone()], &[], 0).unwrap();
    let reads = world.ledger.reader(&world.grant).unwrap();
    let options = EvidenceOptions {
        sign: true,
        ..EvidenceOptions::default()
    };
    let made = reads.evidence(execution, options).await;
    let made = made.unwrap_or_else(|error| panic!("{stands:?}: {error:?}"));
    let verified = made.verify(&policy, None);
    verified.unwrap_or_else(|error| panic!("{stands:?}: {error}"));
    let said = made.summary();
    assert!(said.contains("on behalf of \"mary\""), "{said}");
}

/// Everything that can come of it; what waits and what is approved goes over a restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence_holds_whatever_persons_said() {
    let mut world = World::new(signing).await;
    let now = 1_000_000_000;
    let (soon, late) = (now + 60_000_000_000, now + 3_600_000_000_000);
    let paid = asked(&world, late).await;
    let waiting = asked(&world, late).await;
    let refused = asked(&world, late).await;
    let expired = asked(&world, soon).await;
    let left = asked(&world, soon).await;
    let cancelled = asked(&world, late).await;
    let called_off = asked(&world, late).await;
    for each in [paid, refused, expired, left, called_off, cancelled] {
        let counted = approves(&world, each, "ann").await;
        assert!(matches!(
            counted,
            ApprovalOutcome::Counted {
                given: 1,
                needed: 2,
                ..
            }
        ));
    }
    for each in [left, called_off] {
        let approved = approves(&world, each, "eve").await;
        assert!(
            matches!(approved, ApprovalOutcome::Approved { .. }),
            "{approved:?}"
        );
    }
    // It survives a restart, with and without the views.
    for views in [true, false] {
        world = world.reopened_with(views, signing).await;
    }
    pays(&world, paid).await;
    let log = world.ledger.execution_log(&world.grant).unwrap();
    let refusal =
        ApprovalRefusal::new(person("ben"), "passkey", refused.1, "twice the usual price");
    let refusing = log.refuse_approval(refused.0, Context::new(), refusal);
    refusing.await.unwrap();
    for each in [cancelled, called_off] {
        let cancelling = log.cancel(each.0, Context::new(), "not needed");
        cancelling.await.unwrap();
    }
    let moved = asked(&world, late).await;
    confirms(&world, moved).await;
    world.clock.advance(Duration::from_secs(61));
    until("what is overdue has ended", async || {
        status(&world, expired.0).await == ExecutionStatus::Denied
            && status(&world, left.0).await == ExecutionStatus::Abandoned
    })
    .await;
    let all = [
        (paid, ExecutionStatus::Completed),
        (waiting, ExecutionStatus::AwaitingApproval),
        (refused, ExecutionStatus::Denied),
        (expired, ExecutionStatus::Denied),
        (left, ExecutionStatus::Abandoned),
        (cancelled, ExecutionStatus::Cancelled),
        (called_off, ExecutionStatus::Cancelled),
        (moved, ExecutionStatus::Approved),
    ];
    for (it, stands) in all {
        assert_eq!(status(&world, it.0).await, stands);
        holds(&world, it.0, stands).await;
    }
}

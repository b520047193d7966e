// SPDX-License-Identifier: Apache-2.0
//! Evidence of every kind of execution verifies with the public key alone.

use super::scene::{KINDS, Scene, asked, id_of, policy, signing};
use crate::shared::{World, command};
use crate::support::{log_key, witness};
use femtoclaw_ledger::integrity::evidence::{Bundle, BundlePart, BundleVerifyError, Stream};
use femtoclaw_ledger::integrity::key::Signer;
use femtoclaw_ledger::integrity::policy::Policy;
use femtoclaw_ledger::{
    ExecutionId, Quota, Rights, Store,
    evidence::{EvidenceError, EvidenceOptions},
};

#[tokio::test]
async fn every_kind_verifies_and_says_whether_it_is_complete() {
    let scene = Scene::new().await;
    for (kind, stream) in KINDS {
        let file = scene.file(kind).await;
        let read = Bundle::parse(file.as_bytes()).unwrap();
        assert_eq!(read.to_string(), file, "{kind}");
        let verified = read.verify(&policy(), None).unwrap();
        assert_eq!(verified.stream.to_string(), stream, "{kind}");
        assert_eq!(read.execution(), id_of(kind));
        assert_eq!(verified.mentions, 2 * usize::from(kind == "completed"));
        assert_eq!(verified.withheld, 0);
        let again = scene.file(kind).await;
        assert_eq!(again, file, "{kind}: the same evidence is the same bytes");
    }
}

#[tokio::test]
async fn payloads_are_withheld_and_everything_else_verifies() {
    let scene = Scene::new().await;
    let whole = scene
        .evidence("completed", EvidenceOptions::default())
        .await;
    let options = EvidenceOptions {
        withhold_payloads: true,
        ..EvidenceOptions::default()
    };
    let bare = scene.evidence("completed", options).await;
    // Whoever holds the evidence can do it as well, and a part of it.
    assert_eq!(whole.clone().withhold(|_| true), bare);
    let part = whole.withhold(|header| header.stream_version == 2);
    for (bundle, withheld) in [(bare, 8), (part, 1)] {
        let file = bundle.to_string();
        let read = Bundle::parse(file.as_bytes()).unwrap();
        let verified = read.verify(&policy(), None).unwrap();
        assert_eq!(verified.withheld, withheld);
        assert_eq!(verified.stream.to_string(), "complete 6 completed");
        let page = read.page();
        assert!(page.contains("withheld"));
        assert!(
            !page.contains("&quot;content&quot;:&quot;hi&quot;}</pre>"),
            "{page}"
        );
    }
}

#[tokio::test]
async fn mentions_are_left_out_on_request() {
    let scene = Scene::new().await;
    let options = EvidenceOptions {
        without_mentions: true,
        ..EvidenceOptions::default()
    };
    let bundle = scene.evidence("completed", options).await;
    assert_eq!(bundle.items().len(), 6);
    assert_eq!(bundle.verify(&policy(), None).unwrap().mentions, 0);
}

#[tokio::test]
async fn what_no_checkpoint_covers_is_refused_until_one_is_signed() {
    let scene = Scene::unsigned().await;
    let world = &scene.world;
    let reads = world.ledger.reader(&world.grant).unwrap();
    let of = |kind, options| reads.evidence(id_of(kind), options);
    let early = of("failed", EvidenceOptions::default()).await;
    let Err(EvidenceError::NotCovered { size: 0, .. }) = early else {
        panic!("{early:?}");
    };
    let sign = || EvidenceOptions {
        sign: true,
        ..EvidenceOptions::default()
    };
    let head = world.ledger.head().count();
    let signed = of("failed", sign()).await.unwrap();
    assert!(
        signed
            .verify(&policy(), None)
            .unwrap()
            .trusted
            .checkpoint
            .size()
            >= head
    );
    // Now there is one, and nothing further is signed for what it covers.
    let head = world.ledger.head().count();
    of("denied", sign()).await.unwrap();
    assert_eq!(world.ledger.head().count(), head);
    // The running execution goes on: the checkpoint covers its beginning alone.
    let log = world.ledger.execution_log(&world.grant).unwrap();
    log.complete(id_of("running"), command(60), b"2".to_vec())
        .await
        .unwrap();
    let late = of("running", EvidenceOptions::default()).await.unwrap_err();
    assert_eq!(late.code(), "not_covered");
    let given = EvidenceOptions {
        checkpoint: Some(signed.checkpoint().clone()),
        ..EvidenceOptions::default()
    };
    assert_eq!(
        of("running", given).await.unwrap_err().code(),
        "not_covered"
    );
    let done = of("running", sign()).await.unwrap();
    assert_eq!(done.stream().to_string(), "complete 5 completed");
}

#[tokio::test]
async fn nobody_gets_a_part_of_it_and_nothing_is_made_of_nothing() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let reads = world.ledger.reader(&world.grant).unwrap();
    let unknown = ExecutionId::from_bytes([0xAA; 16]);
    let refused = reads
        .evidence(unknown, EvidenceOptions::default())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "unknown_execution");

    let rights = Rights::none().read(Store::ExecutionLog);
    let granted = world.root.grant("half", rights, Quota::default()).await;
    let half = world.ledger.reader(&granted.unwrap()).unwrap();
    let refused = half
        .evidence(id_of("failed"), EvidenceOptions::default())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "not_granted");

    let world = World::new(|_| {}).await;
    let log = world.ledger.execution_log(&world.grant).unwrap();
    let _running = log.begin(asked(&world, "running", 1)).await.unwrap();
    let reads = world.ledger.reader(&world.grant).unwrap();
    for sign in [false, true] {
        let options = EvidenceOptions {
            sign,
            ..EvidenceOptions::default()
        };
        let refused = reads.evidence(id_of("running"), options).await.unwrap_err();
        assert_eq!(
            refused.code(),
            if sign { "checkpoint" } else { "not_covered" }
        );
    }
}

#[tokio::test]
async fn cosignatures_go_along_with_the_keys_that_were_given() {
    let scene = Scene::new().await;
    let note = scene.world.root.checkpoint().await.unwrap();
    let mut cosigned = note;
    for number in [1, 2] {
        cosigned.cosign(&witness(number), 1_767_225_700).unwrap();
    }
    let options = EvidenceOptions {
        checkpoint: Some(cosigned),
        witnesses: vec![witness(1).key().clone()],
        ..EvidenceOptions::default()
    };
    let bundle = scene.evidence("denied", options).await;
    // The second witness's signature could be checked by nobody who has this bundle alone.
    assert_eq!(
        bundle.keys(),
        [log_key().key().clone(), witness(1).key().clone()]
    );
    let demands = |witnesses: &[u8], count| {
        let keys: Vec<_> = witnesses
            .iter()
            .map(|n| witness(*n).key().clone())
            .collect();
        Policy::new(&[log_key().key().clone()], &keys, count).unwrap()
    };
    let verified = bundle.verify(&demands(&[1, 2], 1), None).unwrap();
    assert_eq!(verified.trusted.witnesses.len(), 1);
    let two = bundle.verify(&demands(&[1, 2], 2), None);
    assert!(
        matches!(
            two,
            Err(BundleVerifyError {
                part: BundlePart::Checkpoint,
                ..
            })
        ),
        "{two:?}"
    );
}

/// A command that several executions share, and one that comes late, keep the numbering.
#[tokio::test]
async fn groups_of_commands_are_streams_of_their_own() {
    use femtoclaw_ledger::{Decision, execution_log::Finish, group::Command};
    let world = World::new(signing).await;
    let mut denied = asked(&world, "denied", 1);
    denied.decision = Decision::DeniedArgumentInvalid;
    let group = vec![
        Command::Authorize(asked(&world, "cancelled", 2)),
        Command::Authorize(denied),
        Command::Finish(Finish {
            context: command(3),
            execution: id_of("cancelled"),
            ending: femtoclaw_ledger::execution_log::Ending::Cancelled("at once".to_owned()),
        }),
    ];
    world.ledger.commit(&world.grant, group).await.unwrap();
    let scene = Scene { world };
    scene.world.root.checkpoint().await.unwrap();
    for (kind, records) in [("cancelled", 4), ("denied", 2)] {
        let bundle = scene.evidence(kind, EvidenceOptions::default()).await;
        let verified = bundle.verify(&policy(), None).unwrap();
        assert!(matches!(verified.stream, Stream::Complete { .. }), "{kind}");
        assert_eq!(verified.stream.records(), records);
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Evidence of a payment that two persons approved, of one that was refused and of one that waits.

use std::fs;
use std::time::Duration;

use base64ct::{Base64, Encoding};
use femtoclaw_ledger::events::{Decision, HEADER_LEN, Party, Seq};
use femtoclaw_ledger::integrity::digest;
use femtoclaw_ledger::integrity::evidence::{Bundle, BundlePart};
use femtoclaw_ledger::integrity::key::Signer;
use femtoclaw_ledger::{
    CapabilityDefinition, ExecutionId,
    evidence::EvidenceOptions,
    execution_log::{Approval, ApprovalRefusal, ApprovalRequest},
};

use super::attacks::Forged;
use super::scene::{policy, signing};
use crate::foreign::verdict;
use crate::shared::{World, command};
use crate::support::log_key;

const SHOWN: &[u8] = b"Pay 5,000 EUR to ACME for order 17?";
const KINDS: [(&str, &str); 4] = [
    ("paid", "complete 10 completed"),
    ("declined", "complete 5 denied"),
    ("expired", "complete 5 denied"),
    ("waiting", "open 3"),
];

fn id_of(kind: &str) -> ExecutionId {
    let number = KINDS.iter().position(|(name, _)| *name == kind).unwrap();
    ExecutionId::from_bytes([0xA0 + u8::try_from(number).unwrap(); 16])
}

fn party(id: &str) -> Party {
    Party {
        issuer: "https://id.example".to_owned(),
        id: id.to_owned(),
    }
}

struct Approved {
    world: World,
    commands: u128,
}

impl Approved {
    async fn new() -> Self {
        let world = World::new(signing).await;
        world.clock.set_now(1_767_225_600_000_000_000);
        let mut scene = Self { world, commands: 0 };
        let metadata = scene
            .world
            .ledger
            .runtime_metadata(&scene.world.grant)
            .unwrap();
        let definition = CapabilityDefinition {
            version: "1".to_owned(),
            description: "pays".to_owned(),
            parameters: Vec::new(),
        };
        let registering = metadata.register("payment.send", definition, command(900));
        registering.await.unwrap();
        metadata.enable("payment.send").await.unwrap();
        for (kind, _) in KINDS {
            scene.ask(kind).await;
        }
        scene.pay().await;
        scene.decline().await;
        scene.world.clock.advance(Duration::from_secs(3_601));
        let log = scene
            .world
            .ledger
            .execution_log(&scene.world.grant)
            .unwrap();
        crate::shared::until("it expires", async || {
            let entry = log.get(id_of("expired")).await.unwrap().unwrap();
            entry.decision == Decision::DeniedPolicyViolation.code()
        })
        .await;
        scene.world.root.checkpoint().await.unwrap();
        scene
    }

    fn command(&mut self) -> femtoclaw_ledger::Context {
        self.commands += 1;
        command(self.commands)
    }

    async fn ask(&mut self, kind: &str) {
        let context = self
            .command()
            .on_behalf_of([party("maria"), party("travel-agent")]);
        // Of one the time is over sooner.
        let hours = if kind == "expired" { 1 } else { 24 };
        let until_ns = 1_767_225_600_000_000_000 + hours * 3_600_000_000_000;
        let basis = self.world.ledger.in_force().basis();
        let rule = "payments above 1,000 EUR";
        let mut request = ApprovalRequest::new("payment.send", rule, until_ns, basis);
        if kind == "waiting" || kind == "paid" {
            request = request.input(b"pay ACME".to_vec());
        }
        let request = request
            .context(context)
            .execution(id_of(kind))
            .arguments(br#"{"eur":5000}"#.to_vec())
            .ask(party("ann"))
            .ask_role("treasurer")
            .approvers_needed(2)
            .shown(SHOWN.to_vec());
        let log = self.world.ledger.execution_log(&self.world.grant).unwrap();
        log.request_approval(request).await.unwrap();
    }

    async fn pay(&mut self) {
        let (id, log) = (
            id_of("paid"),
            self.world.ledger.execution_log(&self.world.grant).unwrap(),
        );
        for (who, role) in [("ann", ""), ("ben", "treasurer")] {
            let approval = Approval::new(party(who), "passkey", digest(SHOWN)).role(role);
            log.approve(id, self.command(), approval).await.unwrap();
            self.world.clock.advance(Duration::from_secs(1));
        }
        let started = log.start_approved(id, self.command()).await.unwrap();
        let running = started.running().unwrap();
        let result = br#"{"receipt":17}"#.to_vec();
        running.complete(self.command(), result).await.unwrap();
    }

    async fn decline(&mut self) {
        let log = self.world.ledger.execution_log(&self.world.grant).unwrap();
        let why = "twice the usual price";
        let refusal = ApprovalRefusal::new(party("ann"), "passkey", digest(SHOWN), why);
        let refusing = log.refuse_approval(id_of("declined"), self.command(), refusal);
        refusing.await.unwrap();
    }

    async fn evidence(&self, kind: &str) -> Bundle {
        let reads = self.world.ledger.reader(&self.world.grant).unwrap();
        let options = EvidenceOptions::default();
        reads.evidence(id_of(kind), options).await.unwrap()
    }
}

#[tokio::test]
async fn the_first_line_tells_who_asked_for_whom_who_allowed_it_and_what_came_of_it() {
    let scene = Approved::new().await;
    let begin = "payment.send: asked for by component 1 (tester) on behalf of \"maria\", through \"travel-agent\" of \
                 \"https://id.example\"; ";
    let ends = [
        "allowed by \"ann\" and \"ben\" of \"https://id.example\"; completed. 10 records",
        "refused by \"ann\" of \"https://id.example\"; denied; nothing was executed. ",
        "not allowed in time, 0 of 2 approvals given; denied, because its time was over; nothing was executed. ",
        "not decided on, 0 of 2 approvals given; waited for persons when the checkpoint was signed. ",
    ];
    let (dir, key) = (tempfile::tempdir().unwrap(), log_key().key().to_string());
    fs::write(dir.path().join("log.vkey"), &key).unwrap();
    fs::write(dir.path().join("witnesses.vkey"), "").unwrap();
    fs::create_dir(dir.path().join("bundles")).unwrap();
    for ((kind, stream), end) in KINDS.into_iter().zip(ends) {
        let bundle = scene.evidence(kind).await;
        let verified = bundle.verify(&policy(), None).unwrap();
        assert_eq!(verified.stream.to_string(), stream, "{kind}");
        let line = bundle.summary();
        assert!(line.starts_with(&format!("{begin}{end}")), "{line}");
        let path = dir.path().join("bundles").join(kind);
        fs::write(&path, bundle.to_string()).unwrap();
        let (code, text) =
            crate::support::run(&["verify", "bundle", path.to_str().unwrap(), "--log", &key]);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains(end), "{text}");
    }
    if let Some((accepted, text)) = verdict(dir.path()) {
        assert!(accepted, "{text}");
        for (kind, stream) in KINDS {
            let line = format!("bundle {kind}: {stream}");
            assert!(text.contains(&line), "{line}: {text}");
        }
    }
}

/// As in `page.rs`: the bytes of this page are held too.
#[tokio::test]
async fn a_page_of_an_approved_payment_is_the_same_for_ever() {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/verifier/evidence/golden"
    );
    if std::env::var_os("EVIDENCE_GOLDEN").is_some() {
        let bundle = Approved::new().await.evidence("paid").await;
        fs::write(format!("{folder}/approved.txt"), bundle.to_string()).unwrap();
        fs::write(format!("{folder}/approved.html"), bundle.page()).unwrap();
    }
    let file = fs::read(format!("{folder}/approved.txt")).unwrap();
    let page = fs::read(format!("{folder}/approved.html")).unwrap();
    let bundle = Bundle::parse(&file).unwrap();
    bundle.verify(&policy(), None).unwrap();
    assert_eq!(bundle.verify_page(&page), Ok(()));
}

/// Every byte of what persons were asked, of what they said and of the decision, in a file whose checksum fits.
#[tokio::test]
async fn a_changed_byte_in_any_field_of_an_approval_is_refused_and_the_record_is_named() {
    let file = Approved::new().await.evidence("paid").await.to_string();
    let kinds = [0x10a, 0x10b, 0x102];
    let (mut seq, mut changed) = (None, 0);
    for line in file.lines() {
        if let Some(header) = line.strip_prefix("header ") {
            let entry = Base64::decode_vec(header).unwrap();
            assert_eq!(entry.len(), HEADER_LEN);
            let kind = u16::from_le_bytes(entry[2..4].try_into().unwrap());
            let place = u64::from_le_bytes(entry[16..24].try_into().unwrap());
            seq = Seq::new(place).filter(|_| kinds.contains(&kind));
        }
        let (Some(payload), Some(seq)) = (line.strip_prefix("payload "), seq) else {
            continue;
        };
        let genuine = Base64::decode_vec(payload).unwrap();
        for at in 0..genuine.len() {
            let mut bytes = genuine.clone();
            bytes[at] ^= 1;
            let other = format!("payload {}", Base64::encode_string(&bytes));
            let (part, text) = Forged::of(&file).with(line, &other).refusal();
            assert_eq!(part, BundlePart::Payload(seq), "byte {at}: {text}");
            changed += 1;
        }
    }
    assert!(changed > 600, "{changed}");
}

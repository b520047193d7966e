// SPDX-License-Identifier: Apache-2.0
//! The secret in every field of every command, and through every path.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use femtoclaw_ledger::clock::ManualClock;
use femtoclaw_ledger::integrity::key::{Algorithm, Signer};
use femtoclaw_ledger::integrity::secret::SigningKey;
use femtoclaw_ledger::{
    Basis, CommandId, Context, Decision, Options, Quota, Rights,
    checkpoint::{CheckpointOptions, KeyChange},
    configuration::Validator,
    events::EventType,
    group::Command,
};

use crate::commands::{
    all, approvals, change, completed, configuration, entry, execution, executions, finish,
    metadata, observation, request, resolve,
};
use crate::{Open, REMOVED, Remover, SECRET, contains, open, place, redacting};

/// What tracing says, as bytes.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Says of everything that it holds the secret: for the caller, and for nobody else.
struct Echo;

impl Validator for Echo {
    fn validate(&self, document: &str, content: &[u8]) -> Result<(), String> {
        match document {
            "refused" => Err(format!("no {SECRET} here: {}", content.len())),
            _ => Ok(()),
        }
    }
}

fn basis(open: &Open) -> Basis {
    open.ledger.in_force().basis()
}

/// Each command alone, then the same kinds as groups.
async fn commit(open: &Open) {
    let (ledger, grant) = (&open.ledger, &open.grant);
    let alone = executions(&basis(open)).into_iter();
    let alone = alone.chain(approvals(&basis(open)));
    let alone = alone.chain([Command::Audit(entry()), Command::Observe(observation())]);
    // What is started is ended by its id, and in doubt where nobody holds it.
    let mut held = Vec::new();
    for command in alone {
        held.push(ledger.commit(grant, vec![command]).await.unwrap());
    }
    for group in [configuration(), metadata()] {
        held.push(ledger.commit(grant, group).await.unwrap());
    }
    let log = ledger.execution_log(grant).unwrap();
    let authorized = log.authorize(request(10, basis(open))).await.unwrap();
    let permit = authorized.permit().unwrap();
    let _running = log.start(permit, Context::new()).await.unwrap();
    ledger
        .commit(grant, vec![finish(10, completed())])
        .await
        .unwrap();
    let telemetry = ledger.telemetry(grant).unwrap();
    let before = open.events(EventType::TelemetryRecorded).await.len();
    for _ in 0..100 {
        telemetry.emit(observation()).unwrap();
    }
    open.until("100 emitted observations", async || {
        open.events(EventType::TelemetryRecorded).await.len() == before + 100
    })
    .await;
}

/// Commands that are refused, each for another reason, and leave a record of it.
async fn refused(open: &Open) {
    let (ledger, grant) = (&open.ledger, &open.grant);
    let mut no_json = entry();
    no_json.detail = format!("{{\"a\": {SECRET}}}").into_bytes();
    let stale = request(11, basis(open));
    let moved = vec![Command::Change(change("limits"))];
    assert!(ledger.commit(grant, moved).await.unwrap().is_some());
    let mut disabled = request(12, basis(open));
    disabled.capability = "read_file".to_owned();
    for (command, code) in [
        (Command::Audit(no_json), "invalid_json"),
        (Command::Change(change("refused")), "rejected"),
        (Command::Begin(stale), "permit_stale"),
        (Command::Begin(disabled), "capability_not_enabled"),
        (finish(13, completed()), "unknown_execution"),
        (resolve(1), "invalid_transition"),
    ] {
        let refused = ledger.commit(grant, vec![command]).await.unwrap_err();
        assert_eq!(refused.code(), code, "{refused}");
    }
    let weak = open.root.grant("weak", Rights::none(), Quota::default());
    let weak = weak.await.unwrap();
    let refused = ledger.commit(&weak, vec![Command::Audit(entry())]).await;
    assert_eq!(refused.unwrap_err().code(), "not_granted");
}

fn signing(signer: u8, earlier: Option<u8>) -> CheckpointOptions {
    let name = "example.org/log";
    let key = |seed: u8| SigningKey::from_seed(name, Algorithm::Ed25519, &[seed; 32]).unwrap();
    let mut options = CheckpointOptions::new(Arc::new(key(signer)), Vec::new());
    options.earlier_keys = earlier.iter().map(|it| key(*it).key().clone()).collect();
    options.key_change = why();
    options
}

fn why() -> KeyChange {
    KeyChange {
        author: format!("{SECRET} of operations"),
        reason: format!("{SECRET} was stolen"),
    }
}

fn every_file(place: &Path, each: &mut impl FnMut(&Path, &[u8])) {
    for entry in std::fs::read_dir(place).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => every_file(&path, each),
            false => each(&path, &std::fs::read(&path).unwrap()),
        }
    }
}

fn no_file_holds_it(path: &Path) {
    let mut removed = 0;
    every_file(path, &mut |file, bytes| {
        assert!(!contains(bytes, SECRET), "{}", file.display());
        removed += usize::from(contains(bytes, REMOVED));
    });
    assert!(removed > 0, "the files are read as they are written");
}

async fn no_record_holds_it(open: &Open) {
    for record in open.records().await {
        let (seq, kind) = (record.header.seq, record.header.event_type);
        assert!(
            !contains(record.payload().unwrap(), SECRET),
            "{seq} {}",
            kind.name()
        );
    }
}

#[tokio::test]
async fn what_is_redacted_is_in_no_record_no_file_and_no_line_of_the_log() {
    let lines = Lines::default();
    let to = lines.clone();
    let log = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || to.clone())
        .finish();
    // Of every thread; nobody else in this program sets one.
    tracing::subscriber::set_global_default(log).unwrap();
    let (_root, path) = place();
    let remover = Arc::new(Remover::default());
    let options = |checkpoints| Options {
        validators: vec![Arc::new(Echo)],
        checkpoints: Some(checkpoints),
        ..redacting(remover.clone())
    };
    let first = open(&path, options(signing(1, None))).await;
    commit(&first).await;
    refused(&first).await;
    let gone = first.root.grant("gone", Rights::none(), Quota::default());
    let gone = gone.await.unwrap();
    let reason = format!("{SECRET} was in its log");
    first.root.revoke(&gone, &reason).await.unwrap();
    let second_key = signing(2, None).signer;
    first.root.change_key(second_key, why()).await.unwrap();
    no_record_holds_it(&first).await;
    // Started, and never ended: in doubt at the next opening.
    let begin = Command::Begin(request(20, basis(&first)));
    first
        .ledger
        .commit(&first.grant, vec![begin])
        .await
        .unwrap();
    let closed = first.root.close_at_once(Duration::from_secs(60));
    closed.await.unwrap();
    let mut third = signing(3, Some(2));
    third.earlier_keys.extend(signing(1, Some(1)).earlier_keys);
    // Ten years ahead: it is not believed before somebody says so.
    let later = Options {
        clock: Arc::new(ManualClock::new(2_100_000_000_000_000_000)),
        ..options(third)
    };
    let again = open(&path, later).await;
    again.root.accept_clock(&reason).await.unwrap();
    let resolve = vec![resolve(20)];
    again.ledger.commit(&again.grant, resolve).await.unwrap();
    no_record_holds_it(&again).await;
    assert_eq!(again.events(EventType::SigningKeyChanged).await.len(), 2);
    let refusals = again.events(EventType::RefusalsRecorded).await;
    assert!(refusals.len() >= 6, "{refusals:?}");
    again
        .root
        .close_at_once(Duration::from_secs(60))
        .await
        .unwrap();
    no_file_holds_it(&path);
    let lines = lines.0.lock().unwrap();
    let lines = String::from_utf8_lossy(&lines);
    assert!(
        lines.contains("the ledger is open") && !lines.contains(SECRET),
        "{lines}"
    );
    every_field_was_asked_of(&remover);
}

fn every_field_was_asked_of(remover: &Remover) {
    let asked = remover.asked.lock().unwrap();
    let asked: Vec<_> = asked
        .iter()
        .map(|(command, field, shape)| format!("{command}.{field} {shape}"))
        .collect();
    let expected = include_str!("fields.txt");
    assert_eq!(
        asked.join("\n"),
        expected.trim_end(),
        "tests/redaction/fields.txt"
    );
}

/// What a method of `Root` is given is not in a command's list of fields.
#[test]
fn every_text_that_root_takes_is_given_to_the_redactor() {
    let mut sources = String::new();
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ledger");
    every_file(&place, &mut |_, bytes| {
        sources.push_str(std::str::from_utf8(bytes).unwrap());
    });
    let mut taking = BTreeSet::new();
    for methods in sources.split("impl Root {\n").skip(1) {
        let methods = methods.split("\n}\n").next().unwrap();
        for method in methods.split("    pub ").skip(1) {
            let signature = method.split('{').next().unwrap();
            let name = signature.split("fn ").nth(1).unwrap();
            let name = name.split(['(', '<']).next().unwrap();
            let takes = ["str", "String", "KeyChange", "Vec<u8>", "Cow"];
            if takes.iter().any(|it| signature.contains(it)) {
                taking.insert(name.to_owned());
            }
        }
    }
    // Names: a grant's goes by what it is, a view's into no record.
    for name in ["grant", "rebuild_view"] {
        assert!(taking.remove(name), "{name}");
    }
    assert!(taking.len() >= 3, "{taking:?}");
    let fields = include_str!("fields.txt");
    for method in taking {
        let given = |line: &str| line.starts_with(&format!("{method}."));
        assert!(fields.lines().any(given), "{method}");
    }
}

#[tokio::test]
async fn no_command_shows_its_payload() {
    let (_root, path) = place();
    let open = open(&path, Options::default()).await;
    let mut kinds = BTreeSet::from(["start"]);
    for command in all(&basis(&open)) {
        kinds.insert(command.kind());
        let shown = format!("{command:?} {command:#?}");
        assert!(!shown.contains(SECRET), "{shown}");
        // `[104, 117, 110, …]`
        let numbers = format!("{:?}", &SECRET.as_bytes()[..4]);
        let numbers = numbers.trim_matches(['[', ']']);
        assert!(!shown.contains(numbers), "{shown}");
        assert!(command.kind() == "transition" || shown.len() > 60);
    }
    assert_eq!(kinds, Command::KINDS.iter().copied().collect());
    let Command::Audit(entry) = Command::Audit(entry()) else {
        unreachable!()
    };
    let shown = |it: &femtoclaw_ledger::AuditEntry| format!("{it:?}");
    assert_eq!(
        shown(&entry),
        shown(&entry.clone()),
        "the same for the same"
    );
    let mut other = entry.clone();
    other.detail.push(b' ');
    assert_ne!(shown(&entry), shown(&other));
    other = entry.clone();
    other.subject = other.subject.replace("once", "here");
    assert_ne!(shown(&entry), shown(&other), "of one length");
}

#[tokio::test]
async fn a_redacted_command_that_is_sent_again_is_a_duplicate() {
    let (_root, path) = place();
    let open = open(&path, redacting(Arc::new(Remover::default()))).await;
    let named = |text: &str| {
        let mut entry = entry();
        entry.context = Context::new().command(CommandId::from_bytes([1; 16]));
        entry.subject = text.to_owned();
        vec![Command::Audit(entry)]
    };
    let commit = async |text: &str| {
        let answer = open.ledger.commit(&open.grant, named(text)).await;
        answer.map(|committed| committed.unwrap().receipt)
    };
    let first = commit(SECRET).await.unwrap();
    let again = commit(SECRET).await.unwrap();
    assert!(!first.duplicate && again.duplicate && again.first == first.first);
    // The content is what is stored of it.
    assert!(commit(REMOVED).await.unwrap().duplicate);
    assert_eq!(
        commit("other").await.unwrap_err().code(),
        "idempotency_conflict"
    );
    let log = open.ledger.execution_log(&open.grant).unwrap();
    let mut denied = request(1, basis(&open));
    denied.decision = Decision::DeniedPolicyViolation;
    assert!(!log.begin(denied).await.unwrap().is_started());
    assert_eq!(execution(1).as_bytes(), &[1; 16]);
}

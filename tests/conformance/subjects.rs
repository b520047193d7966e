// SPDX-License-Identifier: Apache-2.0
//! Whom a record is about: H2.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use femtoclaw_ledger::events::{AuditFamily, Event, EventType, Record, SubjectId};
use femtoclaw_ledger::execution_log::{Resolution, Resolve};
use femtoclaw_ledger::integrity;
use femtoclaw_ledger::journal::MemoryJournal;
use femtoclaw_ledger::projections::Filter;
use femtoclaw_ledger::{AppendError, Begun, Context, Ledger, Options, TelemetryKind};

use crate::support::*;

const MARY: &str = "customer 4711: mary@example.org";
const JOHN: &str = "customer 4712: john@example.org";

fn about(id: &str) -> Context {
    Context::new().subject(id)
}

fn all_of(records: &[Record], subject: SubjectId) -> usize {
    let of = records.iter().filter(|it| it.header.subject == subject);
    of.count()
}

/// The begun execution about somebody, or why it is refused.
async fn begun(open: &Open, id: &str) -> Result<Begun, AppendError> {
    let request = open.request("message").context(about(id));
    open.log().begin(request).await
}

async fn found(open: &Open, id: &str) -> Vec<Record> {
    let reads = open.reads();
    let filter = Filter {
        subject: Some(reads.subject_id(id).unwrap()),
        ..Filter::default()
    };
    reads.query(filter, usize::MAX).await.unwrap()
}

#[tokio::test]
async fn h2_a_record_names_its_subject_by_a_pseudonym_that_only_the_ledgers_key_makes() {
    let open = open_on(Arc::new(MemoryJournal::new()), fixed(&clock())).await;
    let begun = begun(&open, MARY).await.unwrap();
    let execution = begun.execution();
    let pseudonym = open.reads().subject_id(MARY).unwrap();
    let records = found(&open, MARY).await;
    assert_eq!(records.len(), 4);
    assert!(records.iter().all(|it| it.header.execution == execution));
    assert!(!pseudonym.is_nil() && found(&open, JOHN).await.is_empty());
    // Whoever has records and a guess learns nothing: no hash without the key gives it.
    let mut guesses = vec![integrity::digest(MARY.as_bytes())];
    for domain in ["", "subject", "femtoclaw-ledger subjects"] {
        let digest = integrity::FieldDigest::new(domain);
        guesses.push(digest.field(MARY.as_bytes()).finish());
    }
    for guess in guesses {
        assert_ne!(pseudonym.as_bytes()[..], guess[..16]);
    }
    // The id is nowhere in the journal, nor in a digest that could be tried for it.
    for record in open.records().await {
        let payload = record.content.unwrap().payload;
        let holds = payload.windows(8).any(|it| it == b"mary@exa");
        assert!(!holds, "record {}", record.header.seq);
    }
}

#[tokio::test]
async fn h2_two_ledgers_give_the_same_person_two_pseudonyms() {
    let [one, other] = [place(), place()];
    let mut seen = Vec::new();
    for (_root, path) in [&one, &other] {
        let open = open(path).await;
        seen.push(open.reads().subject_id(MARY).unwrap());
        open.close().await;
        let again = Ledger::open_read_only(path, Default::default()).unwrap();
        assert_eq!(again.subject_id(MARY).unwrap(), seen[seen.len() - 1]);
    }
    assert_ne!(seen[0], seen[1]);
}

#[tokio::test]
async fn h2_every_record_of_an_execution_has_its_subject_also_after_an_opening() {
    let (_root, path) = place();
    let open = open(&path).await;
    let log = open.log();
    let request = || open.request("message").context(about(MARY));
    let begun = log.begin(request()).await.unwrap();
    let (doubted, done) = (begun.execution(), log.begin(request()).await.unwrap());
    // Neither names it again.
    open.complete(done.execution(), RESULT).await.unwrap();
    let dropped = log.authorize(request()).await.unwrap();
    drop(dropped.permit());
    drop(begun.started());
    let started = log.authorize(request()).await.unwrap().permit().unwrap();
    let running = log.start(started, Context::new()).await.unwrap();
    let late = running.running().unwrap().detach();
    open.close().await;
    let open = open_with(&path, Options::default()).await;
    for execution in [doubted, late] {
        let resolved = Resolve::new(Resolution::Lost, "a restart");
        let log = open.log();
        log.resolve(execution, Context::new(), resolved)
            .await
            .unwrap();
    }
    let pseudonym = open.reads().subject_id(MARY).unwrap();
    let records = open.records().await;
    let of_executions = records.iter().filter(|it| !it.header.execution.is_nil());
    let of_executions: Vec<_> = of_executions.cloned().collect();
    for kind in [
        EventType::AuthorizationDecided,
        EventType::ExecutionStarted,
        EventType::ExecutionCompleted,
        EventType::ExecutionInDoubt,
        EventType::ExecutionAbandoned,
        EventType::ExecutionResolved,
        EventType::TransitionsRecorded,
    ] {
        let is_there = of_executions.iter().any(|it| it.header.event_type == kind);
        assert!(is_there, "{}", kind.name());
    }
    assert_eq!(all_of(&of_executions, pseudonym), of_executions.len());
    assert_eq!(found(&open, MARY).await.len(), of_executions.len());
}

#[tokio::test]
async fn h2_a_later_command_that_names_another_subject_is_refused() {
    let open = open_on(Arc::new(MemoryJournal::new()), fixed(&clock())).await;
    let log = open.log();
    let started = |begun: Begun| begun.started().unwrap().detach();
    let of_mary = started(begun(&open, MARY).await.unwrap());
    let of_nobody = started(open.begin().await);
    let before = open.ledger.head();
    for (execution, id) in [(of_mary, JOHN), (of_nobody, MARY)] {
        let refused = log.complete(execution, about(id), RESULT.to_vec());
        let refused = refused.await.unwrap_err();
        assert_eq!(refused.code(), "other_subject", "{refused}");
        let text = refused.to_string();
        assert!(text.starts_with("nothing was written") && !text.contains("471"));
    }
    let telling = open.records().await.into_iter();
    let telling = telling.filter(|it| it.header.seq > before.seq.unwrap());
    for record in telling {
        assert!(matches!(record.event(), Ok(Event::RefusalsRecorded(_))));
    }
    let same = log.complete(of_mary, about(MARY), RESULT.to_vec());
    same.await.unwrap();
    let none = log.complete(of_nobody, Context::new(), RESULT.to_vec());
    none.await.unwrap();
}

#[tokio::test]
async fn h2_other_commands_are_about_somebody_too() {
    let open = open_on(Arc::new(MemoryJournal::new()), fixed(&clock())).await;
    let mut told = entry(AuditFamily::OperatorAction);
    told.context = about(MARY);
    let audit = open.ledger.audit_log(&open.grant).unwrap();
    audit.record(told).await.unwrap();
    let telemetry = open.ledger.telemetry(&open.grant).unwrap();
    let mut seen = observation(TelemetryKind::Other, "seen");
    seen.context = about(MARY);
    telemetry.record(seen.clone()).await.unwrap();
    telemetry.emit(seen).unwrap();
    let configuration = open.ledger.configuration(&open.grant).unwrap();
    let changed = change("limits", "max = 1\n").context(about(MARY));
    configuration.change(changed).await.unwrap();
    let since = std::time::Instant::now();
    while found(&open, MARY).await.len() < 4 {
        assert!(since.elapsed() < WAIT, "the emitted one is not found");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let long = "n".repeat(257);
    for id in ["", "a\nb", &long] {
        let refused = begun(&open, id).await.unwrap_err();
        assert_eq!(refused.code(), "invalid");
        assert!(refused.to_string().contains("subject"), "{refused}");
    }
}

#[tokio::test]
async fn h2_a_command_sent_again_about_another_subject_is_another_command() {
    let open = open_on(Arc::new(MemoryJournal::new()), fixed(&clock())).await;
    let sent = async |context: Context| {
        let context = context.command(command(7));
        let request = open.request("message").context(context);
        open.log().begin(request).await
    };
    drop(sent(about(MARY)).await.unwrap());
    let again = sent(about(MARY)).await.unwrap();
    assert!(again.receipt().duplicate);
    for other in [about(JOHN), Context::new()] {
        let refused = sent(other).await.unwrap_err();
        assert_eq!(refused.code(), "idempotency_conflict");
    }
}

#[tokio::test]
async fn h2_a_command_that_was_cut_has_its_subject() {
    let open = open_on(Arc::new(MemoryJournal::new()), fixed(&clock())).await;
    let log = open.log();
    let running = begun(&open, MARY).await.unwrap().started().unwrap();
    let execution = running.detach();
    // Too large to be kept whole: cut before it waits.
    let result = format!("\"{}\"", "r".repeat(2 << 20)).into_bytes();
    for duplicate in [false, true] {
        let context = about(MARY).command(command(9));
        let done = log.complete(execution, context, result.clone());
        assert_eq!(done.await.unwrap().duplicate, duplicate);
    }
    let again = log.complete(execution, about(JOHN).command(command(9)), result);
    assert_eq!(again.await.unwrap_err().code(), "idempotency_conflict");
    let records = found(&open, MARY).await;
    assert!(
        records
            .iter()
            .any(|it| it.header.event_type == EventType::ExecutionCompleted)
    );
}

/// A ledger with an execution about Mary; gives her pseudonym.
async fn filled(path: &Path) -> SubjectId {
    let open = open(path).await;
    drop(begun(&open, MARY).await.unwrap());
    let pseudonym = open.reads().subject_id(MARY).unwrap();
    open.close().await;
    pseudonym
}

fn renewing() -> Options {
    Options {
        renew_subject_key: true,
        ..Options::default()
    }
}

#[tokio::test]
async fn h2_a_key_that_is_lost_damaged_or_anothers_is_named_and_never_made_anew_in_silence() {
    let (_root, path) = place();
    let pseudonym = filled(&path).await;
    let file = path.join("SUBJECTS");
    let kept = fs::read(&file).unwrap();
    let mut flipped = kept.clone();
    flipped[kept.len() / 2] ^= 1;
    let (_other_root, other) = place();
    filled(&other).await;
    let foreign = fs::read(other.join("SUBJECTS")).unwrap();
    for (bytes, problem) in [
        (None, "missing"),
        (Some(flipped), "checksum"),
        (Some(kept[..kept.len() - 1].to_vec()), "checksum"),
        (Some(Vec::new()), "checksum"),
        (Some(foreign), "of ledger"),
    ] {
        fs::remove_file(&file).ok();
        if let Some(bytes) = &bytes {
            fs::write(&file, bytes).unwrap();
        }
        let error = open_error(&path).await;
        let text = error.to_string();
        assert_eq!(error.code(), "subject_key", "{text}");
        for part in [problem, "SUBJECTS", "backup", "renew_subject_key"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(fs::read(&file).ok(), bytes, "nothing was touched");
        // Reading goes on, and says why it cannot look up.
        let reading = Ledger::open_read_only(&path, Default::default()).unwrap();
        let refused = reading.subject_id(MARY).unwrap_err();
        assert_eq!(refused.code(), "subject_key");
        assert!(reading.get(seq(1)).unwrap().is_some());
    }
    fs::write(&file, &kept).unwrap();
    let open = open(&path).await;
    assert_eq!(open.reads().subject_id(MARY).unwrap(), pseudonym);
    assert!(!found(&open, MARY).await.is_empty());
    open.close().await;
}

#[tokio::test]
async fn h2_a_new_key_takes_the_operators_word_and_is_on_the_record() {
    let (_root, path) = place();
    let pseudonym = filled(&path).await;
    let file = path.join("SUBJECTS");
    fs::write(&file, b"rotten").unwrap();
    let open = open_with(&path, renewing()).await;
    let why = open.ledger.recovery().unwrap().subject_key_renewed.clone();
    assert!(why.unwrap().contains("damaged"));
    assert_eq!(
        fs::read(path.join("quarantine/SUBJECTS-1")).unwrap(),
        b"rotten"
    );
    let told = open.events().await.into_iter().any(
        |event| matches!(event, Event::RecoveryReported(it) if it.subject_key_renewed.contains("damaged")),
    );
    assert!(told);
    // By the id no more; by the pseudonym still.
    assert_ne!(open.reads().subject_id(MARY).unwrap(), pseudonym);
    assert!(found(&open, MARY).await.is_empty());
    assert_eq!(all_of(&open.records().await, pseudonym), 5);
    open.close().await;
    // A key that is there is never renewed, whatever the options say.
    let key = fs::read(&file).unwrap();
    open_with(&path, renewing()).await.close().await;
    assert_eq!(fs::read(&file).unwrap(), key);
}

#[tokio::test]
async fn h2_the_key_is_its_owners_alone_and_stays_read_only_where_it_was_made_so() {
    let (_root, path) = place();
    filled(&path).await;
    let file = path.join("SUBJECTS");
    let mode = || fs::metadata(&file).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(), 0o600);
    for (before, after) in [
        (0o400, 0o400),
        (0o644, 0o600),
        (0o440, 0o400),
        (0o600, 0o600),
    ] {
        fs::set_permissions(&file, Permissions::from_mode(before)).unwrap();
        open(&path).await.close().await;
        assert_eq!(mode(), after, "{before:o}");
    }
}

#[tokio::test]
async fn h2_over_a_given_journal_the_key_lies_with_the_views_and_is_missed_only_when_asked() {
    let (journal, views) = (MemoryJournal::new(), tempfile::tempdir().unwrap());
    let mut pseudonyms = Vec::new();
    for _ in 0..2 {
        let journal = Arc::new(journal.reopen());
        let opened = Ledger::open_on(journal, views.path(), later(&clock())).await;
        let open = granted(opened.unwrap(), None).await;
        drop(begun(&open, MARY).await.unwrap());
        pseudonyms.push(open.reads().subject_id(MARY).unwrap());
        open.close().await;
    }
    let pseudonym = pseudonyms[0];
    assert_eq!(pseudonyms, [pseudonym; 2]);
    // Other views, no key.
    let open = open_on(Arc::new(journal.reopen()), later(&clock())).await;
    let refused = open.reads().subject_id(MARY).unwrap_err();
    assert_eq!(refused.code(), "no_subject_key");
    let refused = begun(&open, MARY).await.unwrap_err();
    assert_eq!(refused.code(), "no_subject_key");
    open.execute().await;
    open.close().await;
    let renewed = Options {
        renew_subject_key: true,
        ..later(&clock())
    };
    let open = open_on(Arc::new(journal.reopen()), renewed).await;
    assert_ne!(open.reads().subject_id(MARY).unwrap(), pseudonym);
}

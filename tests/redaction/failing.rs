// SPDX-License-Identifier: Apache-2.0
//! A redactor that fails, hangs, makes nonsense or calls back: it costs that one command, and is to
//! be seen for as long as it lasts.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use femtoclaw_ledger::{
    AppendError, AuditEntry, Event, Ledger, Observation, Options, Retry,
    events::EventType,
    group::Command,
    redaction::{Field, Redaction},
};

use crate::commands::{change, entry, finish, observation};
use crate::{Open, SECRET, WAIT, contains, open, place, redacting};

/// Does what the content says.
#[derive(Default)]
struct Obeys {
    /// Told when a call hangs; it goes on when the other end is gone.
    hangs: Mutex<Option<(Sender<()>, Receiver<()>)>>,
    ledger: OnceLock<Ledger>,
}

impl Redaction for Obeys {
    fn redact(&self, _: Field, bytes: &mut Vec<u8>) -> Result<(), String> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        for word in ["panic", "error", "garble", "swell", "hang", "ask", "wait"] {
            if !text.contains(&format!("do {word}")) {
                continue;
            }
            match word {
                "panic" => panic!("over {SECRET}"),
                "error" => return Err(format!("cannot take {SECRET} out")),
                "garble" => *bytes = b"\xff{".to_vec(),
                "swell" => bytes.resize(2 << 20, b' '),
                "hang" => {
                    let (told, go) = self.hangs.lock().unwrap().take().unwrap();
                    told.send(()).unwrap();
                    assert!(go.recv().is_err());
                }
                "ask" => {
                    let ledger = self.ledger.get().unwrap();
                    let (basis, health) = (ledger.in_force().basis(), ledger.health());
                    let version = basis.configuration_version();
                    bytes.extend(format!(" {version} {}", health.healthy).into_bytes());
                }
                _ => {
                    let ledger = self.ledger.get().unwrap();
                    let runtime = tokio::runtime::Handle::current();
                    runtime.block_on(ledger.at_least(None)).unwrap();
                }
            }
        }
        Ok(())
    }

    fn name(&self) -> &'static str {
        "obeys"
    }
}

impl Obeys {
    /// The next call that hangs says so, and goes on when the sender is dropped.
    fn hangs(&self) -> (Receiver<()>, Sender<()>) {
        let ((told, hangs), (go, waits)) = (channel(), channel());
        *self.hangs.lock().unwrap() = Some((told, waits));
        (hangs, go)
    }
}

fn saying(detail: &str) -> AuditEntry {
    AuditEntry {
        action: "acted".to_owned(),
        subject: "a subject".to_owned(),
        detail: format!("{{\"a\": \"{detail}\"}}").into_bytes(),
        ..entry()
    }
}

fn seen(name: &str, attributes: &str) -> Observation {
    Observation {
        name: name.to_owned(),
        attributes: format!("{{\"a\": \"{attributes}\"}}").into_bytes(),
        ..observation()
    }
}

async fn append(open: &Open, command: Command) -> Result<(), AppendError> {
    let done = open.ledger.commit(&open.grant, vec![command]).await;
    done.map(drop).map_err(AppendError::from)
}

/// How many observations of this name there are.
async fn stored(open: &Open, name: &str) -> usize {
    let events = open.events(EventType::TelemetryRecorded).await;
    let of_name = events.iter().filter(|event| match event {
        Event::TelemetryRecorded(it) => it.name == name,
        _ => false,
    });
    of_name.count()
}

/// How many observations the gap records count.
async fn lost(open: &Open) -> u64 {
    let events = open.events(EventType::TelemetryLost).await;
    let counts = events.iter().map(|event| match event {
        Event::TelemetryLost(it) => it.count,
        other => panic!("{other:?}"),
    });
    counts.sum()
}

#[tokio::test]
async fn a_redactor_that_fails_refuses_that_command_and_is_named() {
    let (_root, path) = place();
    let open = open(&path, redacting(Arc::new(Obeys::default()))).await;
    let mut garbled = saying("");
    garbled.detail = Vec::new();
    garbled.subject = "do garble".to_owned();
    let mut swollen = saying("");
    swollen.detail = Vec::new();
    swollen.subject = "do swell".to_owned();
    let mut no_json = saying("do garble");
    no_json.subject = String::new();
    for (command, says) in [
        // The first refusal of a kind has a record of its own.
        (saying("do error"), "over detail: cannot take"),
        (saying("do panic"), "it panicked over detail"),
        (no_json, "detail is not JSON"),
        (garbled, "subject is no text any more"),
        (swollen, "subject has 2097152 bytes now"),
        (saying("do swell"), "detail has 2097152 bytes now"),
    ] {
        let head = open.ledger.head().count();
        let refused = append(&open, Command::Audit(command)).await.unwrap_err();
        assert_eq!(refused.code(), "callback_failed", "{refused}");
        assert_eq!(refused.retry(), Retry::Never);
        let told = refused.to_string();
        assert!(told.starts_with("nothing was written: redactor obeys failed at audit: "));
        assert!(told.contains(says), "{told}");
        let health = open.ledger.health();
        assert!(
            health.cause.starts_with("redactor obeys: it "),
            "{health:?}"
        );
        assert!(!health.cause.contains(SECRET));
        // Beside the first refusal's own record.
        assert!(open.ledger.head().count() <= head + 1);
        append(&open, Command::Audit(saying("good"))).await.unwrap();
        assert!(open.ledger.health().healthy);
    }
    let audited = open.events(EventType::AuditRecorded).await;
    assert_eq!(audited.len(), 6, "the good ones");
    let refusals = open.events(EventType::RefusalsRecorded).await;
    let Event::RefusalsRecorded(first) = &refusals[0] else {
        panic!("{refusals:?}")
    };
    assert!(first.detail.contains("obeys"), "{first:?}");
    for record in open.records().await {
        let words = contains(record.payload().unwrap(), "cannot take");
        assert!(!words && !contains(record.payload().unwrap(), SECRET));
    }
    // The caller's own mistake stays the caller's.
    let mut bad = saying("");
    bad.detail = b"{".to_vec();
    let refused = append(&open, Command::Audit(bad)).await.unwrap_err();
    assert_eq!(refused.code(), "invalid_json");
    let refused = append(&open, finish(1, crate::commands::completed())).await;
    assert_eq!(refused.unwrap_err().code(), "unknown_execution");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_redactor_that_hangs_in_one_caller_costs_that_caller() {
    let (_root, path) = place();
    let redactor = Arc::new(Obeys::default());
    let options = Options {
        callback_budget: Duration::from_millis(50),
        ..redacting(redactor.clone())
    };
    let open = Arc::new(open(&path, options).await);
    let (hangs, go) = redactor.hangs();
    let with = Arc::clone(&open);
    let hanging =
        tokio::spawn(async move { append(&with, Command::Audit(saying("do hang"))).await });
    tokio::task::spawn_blocking(move || hangs.recv_timeout(WAIT).unwrap())
        .await
        .unwrap();
    // The same store, and others.
    append(&open, Command::Audit(saying("good"))).await.unwrap();
    append(&open, Command::Change(change("policy")))
        .await
        .unwrap();
    append(&open, Command::Observe(seen("here", "good")))
        .await
        .unwrap();
    open.until("health tells of it", async || {
        let cause = open.ledger.health().cause;
        cause.starts_with("redactor obeys: it has not come back")
    })
    .await;
    assert!(!hanging.is_finished());
    drop(go);
    hanging.await.unwrap().unwrap();
    open.until("it came back", async || open.ledger.health().healthy)
        .await;
}

#[tokio::test]
async fn of_what_is_emitted_that_which_cannot_be_redacted_is_counted_as_lost() {
    let (_root, path) = place();
    let open = open(&path, redacting(Arc::new(Obeys::default()))).await;
    let telemetry = open.ledger.telemetry(&open.grant).unwrap();
    for word in [
        "good",
        "do panic",
        "good",
        "do error",
        "do garble",
        "do swell",
    ] {
        telemetry.emit(seen("mixed", word)).unwrap();
    }
    open.until("two are stored, four are a gap", async || {
        stored(&open, "mixed").await == 2 && lost(&open).await == 4
    })
    .await;
    let cause = open.ledger.health().cause;
    assert!(cause.starts_with("redactor obeys: it "), "{cause}");
    telemetry.emit(seen("later", "good")).unwrap();
    open.until("it works", async || stored(&open, "later").await == 1)
        .await;
    assert!(open.ledger.health().healthy);
}

#[tokio::test]
async fn a_redactor_that_hangs_over_what_was_emitted_costs_telemetry_alone() {
    let (_root, path) = place();
    let redactor = Arc::new(Obeys::default());
    let options = Options {
        callback_budget: Duration::from_millis(50),
        ..redacting(redactor.clone())
    };
    // A current-thread runtime: nothing would go on if one of its tasks waited.
    let open = open(&path, options).await;
    let telemetry = open.ledger.telemetry(&open.grant).unwrap();
    let (hangs, go) = redactor.hangs();
    telemetry.emit(seen("hanging", "do hang")).unwrap();
    open.until("it is given up", async || {
        let cause = open.ledger.health().cause;
        cause.starts_with("redactor obeys: it has not come back")
    })
    .await;
    hangs.try_recv().unwrap();
    telemetry.emit(seen("meanwhile", "good")).unwrap();
    append(&open, Command::Observe(seen("recorded", "good")))
        .await
        .unwrap();
    open.until("both are a gap", async || lost(&open).await == 2)
        .await;
    drop(go);
    open.until("it came back", async || open.ledger.health().healthy)
        .await;
    telemetry.emit(seen("later", "good")).unwrap();
    open.until("it works", async || stored(&open, "later").await == 1)
        .await;
    assert_eq!(
        stored(&open, "hanging").await + stored(&open, "meanwhile").await,
        0
    );
}

#[tokio::test]
async fn a_redactor_that_hangs_does_not_hold_a_close_up() {
    let (_root, path) = place();
    let redactor = Arc::new(Obeys::default());
    let first = open(&path, redacting(redactor.clone())).await;
    let telemetry = first.ledger.telemetry(&first.grant).unwrap();
    let (hangs, go) = redactor.hangs();
    telemetry.emit(seen("hanging", "do hang")).unwrap();
    first
        .until("it hangs", async || hangs.try_recv().is_ok())
        .await;
    telemetry.emit(seen("behind", "good")).unwrap();
    let began = Instant::now();
    first.root.close(Duration::from_secs(1)).await.unwrap();
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
    drop(go);
    let again = open(&path, redacting(redactor)).await;
    assert_eq!(lost(&again).await, 2, "what a close gave up is a gap");
}

#[tokio::test]
async fn a_redactor_may_ask_the_ledger_and_cannot_wait_for_it() {
    let (_root, path) = place();
    let redactor = Arc::new(Obeys::default());
    let open = open(&path, redacting(redactor.clone())).await;
    redactor.ledger.set(open.ledger.clone()).unwrap();
    let mut asking = saying("");
    asking.detail = Vec::new();
    asking.subject = "do ask".to_owned();
    let asked = append(&open, Command::Audit(asking));
    tokio::time::timeout(WAIT, asked).await.unwrap().unwrap();
    let audited = open.events(EventType::AuditRecorded).await;
    let Event::AuditRecorded(event) = &audited[0] else {
        panic!("{audited:?}")
    };
    assert_eq!(event.subject, "do ask 0 true");
    let waiting = append(&open, Command::Audit(saying("do wait")));
    let refused = tokio::time::timeout(WAIT, waiting).await.unwrap();
    assert_eq!(refused.unwrap_err().code(), "callback_failed");
    // On the pump's thread it can.
    let telemetry = open.ledger.telemetry(&open.grant).unwrap();
    telemetry.emit(seen("waits", "do wait")).unwrap();
    open.until("it is stored", async || stored(&open, "waits").await == 1)
        .await;
}

// SPDX-License-Identifier: Apache-2.0
//! Commands that no store takes.

use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::events::{
    CommandId, ExecutionId, Outcome, RuntimeId, State, Store, TelemetryKind,
};
use femtoclaw_ledger::journal::MemoryJournal;
use femtoclaw_ledger::{Context, Observation, Quota, Rights, Rollback};

use crate::held::HeldJournal;
use crate::scene::{scene, scene_on};

const NAME_TOO_LONG: usize = 100_000;

#[tokio::test]
async fn an_unknown_execution() {
    let it = scene().await;
    let unknown = ExecutionId::from_bytes([9; 16]);
    let code = "unknown_execution";
    it.refused("complete", code, it.complete(unknown, b"1"))
        .await;
    let cancel = it.log.cancel(unknown, Context::new(), "why".to_owned());
    it.refused("cancel", code, cancel).await;
    let resolve = femtoclaw_ledger::execution_log::Resolve {
        resolution: femtoclaw_ledger::events::Resolution::Lost,
        reason: "nobody knows".to_owned(),
        result: Vec::new(),
    };
    let resolve = it.log.resolve(unknown, Context::new(), resolve);
    it.refused("resolve", code, resolve).await;
}

#[tokio::test]
async fn a_second_completion_and_one_before_the_start() {
    let it = scene().await;
    let execution = it.running().await;
    it.complete(execution, b"1").await.unwrap();
    for result in [&b"1"[..], b"2"] {
        let again = it.complete(execution, result);
        it.refused("second completion", "invalid_transition", again)
            .await;
    }
    let authorized = it.log.authorize(it.request()).await.unwrap();
    let execution = authorized.execution();
    let early = it.complete(execution, b"1");
    it.refused("completion before start", "invalid_transition", early)
        .await;
    let permit = authorized.permit().unwrap();
    let running = it.log.start(permit, Context::new()).await.unwrap();
    it.complete(execution, b"1").await.unwrap();
    drop(running);
    let mut twice = it.request();
    twice.execution = Some(execution);
    let begin = it.log.begin(twice);
    it.refused("the id of a finished one", "invalid_transition", begin)
        .await;
}

#[tokio::test]
async fn a_wrong_expected_version() {
    let it = scene().await;
    let configuration = it.ledger.configuration(&it.grant).unwrap();
    configuration.change(it.change()).await.unwrap();
    for expected in [0, 2, u64::MAX] {
        let mut change = it.change();
        change.expected_version = Some(expected);
        let change = configuration.change(change);
        it.refused("change", "version_conflict", change).await;
    }
    for (to_version, code) in [(0, "invalid"), (2, "invalid"), (u64::MAX, "invalid")] {
        let rollback = Rollback {
            context: Context::new(),
            document: "limits".to_owned(),
            to_version,
            author: "ada".to_owned(),
            reason: "because".to_owned(),
            expected_version: None,
        };
        let rollback = configuration.rollback(rollback);
        it.refused("rollback", code, rollback).await;
    }
    let mut stale = it.request();
    let (now, registry) = (it.ledger.in_force(), stale.basis.registry_version());
    stale.basis = now.earlier(0, registry).unwrap();
    let begin = it.log.begin(stale);
    it.refused("a decision on old configuration", "permit_stale", begin)
        .await;
}

#[tokio::test]
async fn an_invalid_transition() {
    let it = scene().await;
    let metadata = it.ledger.runtime_metadata(&it.grant).unwrap();
    let states = [
        State::Shutdown,
        State::Terminated,
        State::CapabilityExecuting,
        State::Initializing,
    ];
    for state in states {
        let step = metadata.transition(state, None, Context::new());
        it.refused(state.name(), "invalid_transition", step).await;
    }
    let expected = metadata.transition(State::Idle, Some(State::Error), Context::new());
    it.refused("from elsewhere", "invalid_transition", expected)
        .await;
}

#[tokio::test]
async fn empty_and_oversize_payloads() {
    let it = scene().await;
    let sized = |size: usize| format!("\"{}\"", "x".repeat(size - 2)).into_bytes();
    let mut empty = it.request();
    empty.arguments = Vec::new();
    it.refused("no arguments", "invalid_json", it.log.begin(empty))
        .await;
    let mut large = it.request();
    large.arguments = sized((1 << 20) + 1);
    it.refused("large arguments", "too_large", it.log.begin(large))
        .await;
    let mut entry = it.entry();
    entry.detail = sized(5 << 20);
    it.refused("large detail", "too_large", it.audit.record(entry))
        .await;
    let configuration = it.ledger.configuration(&it.grant).unwrap();
    let mut change = it.change();
    change.content = vec![0; (1 << 20) + 1];
    let change = configuration.change(change);
    it.refused("large document", "too_large", change).await;
    let mut change = it.change();
    change.reason = "r".repeat((64 << 10) + 1);
    it.refused("long reason", "too_large", configuration.change(change))
        .await;
    let running = it.running().await;
    it.refused("no result", "invalid_json", it.complete(running, b""))
        .await;
    // A result alone is never refused for its size: the effect has happened.
    it.complete(running, &sized(5 << 20)).await.unwrap();
}

#[tokio::test]
async fn invalid_utf8_and_invalid_json() {
    let it = scene().await;
    let running = it.running().await;
    let bad: [&[u8]; 9] = [
        b"\"\xff\"",
        b"\xff",
        b"{",
        b"{\"a\":}",
        b"{} {}",
        b"NaN",
        b"'a'",
        b"\xef\xbb\xbf{}",
        b"[1,]",
    ];
    let telemetry = it.ledger.telemetry(&it.grant).unwrap();
    for bytes in bad {
        let what = String::from_utf8_lossy(bytes).into_owned();
        let mut request = it.request();
        request.arguments = bytes.to_vec();
        let begin = it.log.begin(request);
        it.refused(&what, "invalid_json", begin).await;
        it.refused(&what, "invalid_json", it.complete(running, bytes))
            .await;
        let mut entry = it.entry();
        entry.detail = bytes.to_vec();
        it.refused(&what, "invalid_json", it.audit.record(entry))
            .await;
        let observation = Observation {
            context: Context::new(),
            kind: TelemetryKind::Other,
            name: "seen".to_owned(),
            observed_ns: None,
            execution: None,
            outcome: Outcome::Neutral,
            attributes: bytes.to_vec(),
        };
        let emitted = telemetry.emit(observation.clone());
        assert_eq!(emitted.unwrap_err().code(), "invalid_json", "{what}");
        let record = telemetry.record(observation);
        it.refused(&what, "invalid_json", record).await;
    }
    it.complete(running, b"null").await.unwrap();
}

#[tokio::test]
async fn ids_of_zero() {
    let it = scene().await;
    let nil = ExecutionId::NIL;
    it.refused("complete", "invalid", it.complete(nil, b"1"))
        .await;
    let mut request = it.request();
    request.execution = Some(nil);
    it.refused("begin", "invalid", it.log.begin(request)).await;
    let contexts = [
        Context::new().command(CommandId::NIL),
        Context::new().parent(femtoclaw_ledger::events::ParentId::NIL),
        Context::new().trace(femtoclaw_ledger::events::TraceId::NIL),
    ];
    for context in contexts {
        let mut entry = it.entry();
        entry.context = context;
        it.refused("context", "invalid", it.audit.record(entry))
            .await;
    }
    let mut entry = it.entry();
    entry.execution = Some(nil);
    it.refused("audit", "invalid", it.audit.record(entry)).await;
    let metadata = it.ledger.runtime_metadata(&it.grant).unwrap();
    let identify = metadata.identify(RuntimeId::NIL, "1".to_owned(), Context::new());
    it.refused("runtime", "invalid", identify).await;
}

#[tokio::test]
async fn names_with_control_characters_or_100_kb() {
    let it = scene().await;
    let long = "n".repeat(NAME_TOO_LONG);
    let configuration = it.ledger.configuration(&it.grant).unwrap();
    let metadata = it.ledger.runtime_metadata(&it.grant).unwrap();
    // What moves a terminal's cursor, what turns writing around, what ends a line, what has no width.
    let named = ["", "a\nb", "\u{1b}[2J", "nul\0", "\u{85}", &long];
    let unseen = [
        "gpj\u{202e}exe",
        "a\u{2066}b",
        "\u{200e}a",
        "\u{61c}a",
        "a\u{2028}b",
    ];
    let narrow = [
        "ad\u{200b}min",
        "ad\u{200d}min",
        "\u{feff}admin",
        "ad\u{2060}min",
    ];
    for name in named.into_iter().chain(unseen).chain(narrow) {
        let what = name.get(..name.len().min(8)).unwrap_or("?");
        let mut request = it.request();
        request.capability = name.to_owned();
        it.refused(what, "invalid", it.log.begin(request)).await;
        let mut entry = it.entry();
        entry.action = name.to_owned();
        it.refused(what, "invalid", it.audit.record(entry)).await;
        for field in 0..2 {
            let mut change = it.change();
            *[&mut change.document, &mut change.author][field] = name.to_owned();
            let change = configuration.change(change);
            it.refused(what, "invalid", change).await;
        }
        let saved = metadata.save_position(name, 1, None, Context::new());
        it.refused(what, "invalid", saved).await;
        let granted = it.root.grant(name, Rights::all(), Quota::default());
        it.refused(what, "invalid", granted).await;
        let definition = femtoclaw_ledger::CapabilityDefinition {
            version: "1".to_owned(),
            ..Default::default()
        };
        let registered = metadata.register(name, definition, Context::new());
        it.refused(what, "invalid", registered).await;
    }
}

#[tokio::test]
async fn a_grant_of_another_ledger() {
    let (it, other) = (scene().await, scene().await);
    let foreign = it.ledger.execution_log(&other.grant).err().unwrap();
    assert_eq!(foreign.code(), "foreign_grant");
    let reader = it.ledger.reader(&other.grant).err().unwrap();
    assert_eq!(reader.code(), "foreign_grant");
    let command = femtoclaw_ledger::group::Command::Audit(it.entry());
    let commit = it.ledger.commit(&other.grant, vec![command]);
    it.refused("commit", "foreign_grant", commit).await;
    let lookup = it
        .ledger
        .lookup(&other.grant, CommandId::from_bytes([1; 16]));
    assert_eq!(lookup.await.unwrap_err().code(), "foreign_grant");
    let revoke = it.root.revoke(&other.grant, "not mine");
    it.refused("revoke", "foreign_grant", revoke).await;
    assert!(other.audit.record(other.entry()).await.is_ok(), "untouched");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_caller() {
    let journal = Arc::new(HeldJournal::new(MemoryJournal::new()));
    let it = scene_on(journal.clone()).await;
    journal.hold();
    let command = CommandId::from_bytes([3; 16]);
    let mut entry = it.entry();
    entry.context = Context::new().command(command);
    let (audit, sent) = (it.audit.clone(), entry.clone());
    let caller = tokio::spawn(async move { audit.record(sent).await });
    assert!(journal.wait_until_held(Duration::from_secs(20)));
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    journal.release();
    // The command was on its way: it is written once, and the caller can find out.
    let again = it.audit.record(entry).await.unwrap();
    assert!(again.duplicate);
    let found = it.ledger.lookup(&it.grant, command).await.unwrap();
    assert_eq!(found.unwrap().first, again.first);
    // One that is dropped before it was let in leaves nothing.
    let head = it.settled().await;
    drop(it.audit.record(it.entry()));
    assert_eq!(it.settled().await, head + 1);
}

#[tokio::test]
async fn another_components_execution() {
    let it = scene().await;
    let execution = it.running().await;
    let rights = Rights::none().append(Store::ExecutionLog);
    let other = it.root.grant("other", rights, Quota::default()).await;
    let other = it.ledger.execution_log(&other.unwrap()).unwrap();
    let code = "foreign_execution";
    let complete = other.complete(execution, Context::new(), b"1".to_vec());
    it.refused("complete", code, complete).await;
    let cancel = other.cancel(execution, Context::new(), "mine".to_owned());
    it.refused("cancel", code, cancel).await;
    let rights = rights.finish_others();
    let granted = it.root.grant("janitor", rights, Quota::default()).await;
    let janitor = it.ledger.execution_log(&granted.unwrap()).unwrap();
    let complete = janitor.complete(execution, Context::new(), b"1".to_vec());
    complete.await.unwrap();
}

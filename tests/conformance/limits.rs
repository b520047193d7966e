// SPDX-License-Identifier: Apache-2.0
//! Limits hold on every path: a table of paths and limits. §19, T2.

use std::sync::Arc;

use femtoclaw_ledger::{
    AppendError, AuditFamily, Context, Event, Failure, Grant, Limits, Options, Quota, Rights,
    TelemetryKind,
    execution_log::{Ending, Imported, Rejection, Resolution, Resolve},
    group::Command,
};

use crate::held::HeldMemory;
use crate::support::*;

/// Bytes of what a path is given.
#[derive(Clone, Copy)]
struct Sizes {
    payload: usize,
    text: usize,
    name: usize,
}

const SMALL: Sizes = Sizes {
    payload: 2,
    text: 1,
    name: 1,
};

const PATHS: [&str; 15] = [
    "record",
    "emit",
    "commit",
    "begin",
    "complete",
    "fail",
    "complete_unknown",
    "reject",
    "resolve_unknown",
    "change",
    "audit",
    "save_position",
    "import",
    "grant",
    "revoke",
];

/// What each path says of a payload, a text and a name beyond its limit, of a used-up quota, and of
/// a full admission where nobody is to wait. An empty word: there is no such thing on this path.
const TABLE: [[&str; 5]; 15] = [
    ["too_large", "", "invalid", "quota_exceeded", "busy"],
    ["too_large", "", "invalid", "quota_exceeded", "accepted"],
    ["too_large", "", "invalid", "quota_exceeded", "busy"],
    [
        "too_large",
        "too_large",
        "invalid",
        "quota_exceeded",
        "busy",
    ],
    // The effect has happened: what is too large is cut, and its room was taken at its start.
    ["accepted", "", "", "accepted", "waits"],
    ["accepted", "accepted", "accepted", "accepted", "waits"],
    ["unknown_execution", "", "", "quota_exceeded", "busy"],
    // What came in is evidence: cut, and not refused.
    ["accepted", "too_large", "", "quota_exceeded", "busy"],
    [
        "unknown_execution",
        "unknown_execution",
        "",
        "quota_exceeded",
        "busy",
    ],
    [
        "too_large",
        "too_large",
        "invalid",
        "quota_exceeded",
        "busy",
    ],
    ["too_large", "", "invalid", "quota_exceeded", "busy"],
    ["", "", "invalid", "quota_exceeded", "busy"],
    [
        "too_large",
        "too_large",
        "invalid",
        "quota_exceeded",
        "busy",
    ],
    // The root's own: charged to nobody.
    ["", "", "invalid", "", ""],
    ["", "too_large", "", "", ""],
];

fn json(bytes: usize) -> Vec<u8> {
    format!("\"{}\"", "x".repeat(bytes - 2)).into_bytes()
}

fn word<T>(outcome: Result<T, AppendError>) -> String {
    let code = outcome.err().map_or("accepted", |error| error.code());
    code.to_owned()
}

struct Table {
    open: Open,
    memory: HeldMemory,
}

impl Table {
    async fn new() -> Self {
        let memory = HeldMemory::in_memory();
        let mut options = fixed(&clock());
        options.wait_for_admission = false;
        // A component's part is three quarters: 6 commands.
        options.limits.pending_records_max = 8;
        options.limits.commit_records_max = 8;
        let open = open_on(Arc::new(memory.clone()), options).await;
        Self { open, memory }
    }

    async fn granted(&self, name: &str, records: Option<u32>) -> Grant {
        let quota = Quota {
            records_per_second: records,
            bytes_per_second: None,
        };
        let granted = self.open.root.grant(name, Rights::all(), quota);
        granted.await.unwrap()
    }

    async fn ask(&self, grant: &Grant, path: &str, of: Sizes) -> String {
        let open = &self.open;
        let (name, text) = ("n".repeat(of.name), "t".repeat(of.text));
        let mut observed = observation(TelemetryKind::Other, &name);
        observed.attributes = json(of.payload);
        let mut told = entry(AuditFamily::Lifecycle);
        (told.action, told.detail) = (name.clone(), json(of.payload));
        let mut request = open.request("message");
        (request.arguments, request.reason) = (json(of.payload), text.clone());
        if of.name > 1 {
            request.capability = name.clone();
        }
        let log = open.ledger.execution_log(grant).unwrap();
        match path {
            "record" => word(open.ledger.telemetry(grant).unwrap().record(observed).await),
            "emit" => word(open.ledger.telemetry(grant).unwrap().emit(observed)),
            "commit" => {
                let done = open.ledger.commit(grant, vec![Command::Audit(told)]).await;
                word(done.map_err(AppendError::from))
            }
            "begin" => word(log.begin(request).await),
            "complete_unknown" => word(
                log.complete(execution(999), Context::new(), json(of.payload))
                    .await,
            ),
            "reject" => {
                let rejection = Rejection::new(json(of.payload), text);
                word(log.reject(rejection).await)
            }
            "resolve_unknown" => {
                let resolve = Resolve {
                    resolution: Resolution::Lost,
                    reason: text,
                    result: json(of.payload),
                };
                word(log.resolve(execution(999), Context::new(), resolve).await)
            }
            "change" => {
                let mut change = change(&name, "");
                (change.content, change.reason) = (json(of.payload), text);
                let configuration = open.ledger.configuration(grant).unwrap();
                word(configuration.change(change).await)
            }
            "audit" => word(open.ledger.audit_log(grant).unwrap().record(told).await),
            "save_position" => {
                let metadata = open.ledger.runtime_metadata(grant).unwrap();
                word(metadata.save_position(&name, 0, None, Context::new()).await)
            }
            "import" => {
                let ending = Ending::Completed(b"1".to_vec());
                word(log.record(Imported { request, ending }).await)
            }
            "grant" => word(
                open.root
                    .grant(&name, Rights::none(), Quota::default())
                    .await,
            ),
            "revoke" => word(open.root.revoke(grant, &text).await),
            other => panic!("{other}"),
        }
    }

    /// An ending of what runs.
    async fn end(&self, grant: &Grant, path: &str, of: Sizes) -> String {
        let log = self.open.ledger.execution_log(grant).unwrap();
        let begun = log.begin(self.open.request("message")).await.unwrap();
        let failure = Failure {
            code: "n".repeat(of.name),
            message: "t".repeat(of.text),
            result: json(of.payload),
        };
        match path {
            "complete" => word(
                log.complete(begun.execution(), Context::new(), failure.result)
                    .await,
            ),
            _ => word(log.fail(begun.execution(), Context::new(), failure).await),
        }
    }

    async fn sized(&self, grant: &Grant, path: &str, of: Sizes) -> String {
        match path {
            "complete" | "fail" => self.end(grant, path, of).await,
            _ => self.ask(grant, path, of).await,
        }
    }
}

#[tokio::test]
async fn t2_every_path_keeps_the_limits_on_payload_text_and_name() {
    let table = Table::new().await;
    let limits = Limits::default();
    let beyond = [
        Sizes {
            payload: limits.payload_bytes_max + 1,
            ..SMALL
        },
        Sizes {
            text: limits.text_bytes_max + 1,
            ..SMALL
        },
        Sizes {
            name: limits.name_bytes_max + 1,
            ..SMALL
        },
    ];
    for (path, expected) in PATHS.iter().zip(TABLE) {
        for (of, expected) in beyond.into_iter().zip(expected) {
            if !expected.is_empty() {
                let grant = table.granted("tester", None).await;
                let told = table.sized(&grant, path, of).await;
                assert_eq!(
                    told, expected,
                    "{path}: {}, {}, {}",
                    of.payload, of.text, of.name
                );
            }
        }
        assert!(table.open.ledger.health().healthy, "{path}");
    }
}

#[tokio::test]
async fn t2_every_path_is_charged_to_the_quota_but_the_ending_of_what_runs() {
    let table = Table::new().await;
    for (path, [.., expected, _]) in PATHS.iter().zip(TABLE) {
        if expected.is_empty() {
            continue;
        }
        // Four records: what it takes to begin, and then nothing is left.
        let grant = table.granted(&format!("of {path}"), Some(4)).await;
        if expected == "quota_exceeded" {
            let log = table.open.ledger.execution_log(&grant).unwrap();
            let _running = log.begin(table.open.request("message")).await.unwrap();
        }
        let told = table.sized(&grant, path, SMALL).await;
        assert_eq!(told, expected, "{path}");
    }
    // What `emit` refused is counted in a gap beside.
    let emitter = table.granted("of emit", Some(4)).await;
    let before = table.open.ledger.head().count();
    for _ in 0..9 {
        assert_eq!(table.ask(&emitter, "emit", SMALL).await, "quota_exceeded");
    }
    // And what it took is charged.
    let other = table.granted("emits alone", Some(2)).await;
    for expected in ["accepted", "accepted", "quota_exceeded"] {
        assert_eq!(table.ask(&other, "emit", SMALL).await, expected);
    }
    let soon = std::time::Duration::from_millis(1);
    table.open.root.close(soon).await.unwrap();
    let events = journal_events(&table.memory.reopen())
        .into_iter()
        .skip(before as usize);
    let lost = |event| match event {
        Event::TelemetryLost(it) => Some(it.count),
        _ => None,
    };
    assert_eq!(events.filter_map(lost).sum::<u64>(), 11);
}

#[tokio::test]
async fn t2_every_path_takes_room_in_the_admission_but_the_ending_of_what_runs() {
    let table = Arc::new(Table::new().await);
    let grant = table.granted("tester", None).await;
    let log = table.open.ledger.execution_log(&grant).unwrap();
    let mut running = Vec::new();
    for _ in 0..2 {
        running.push(
            log.begin(table.open.request("message"))
                .await
                .unwrap()
                .started()
                .unwrap()
                .detach(),
        );
    }
    table.memory.hold();
    let audit = table.open.ledger.audit_log(&grant).unwrap();
    let mut held: Vec<_> = (0..6)
        .map(|_| tokio_test::task::spawn(audit.record(entry(AuditFamily::Upgrade))))
        .collect();
    held.iter_mut()
        .for_each(|it| tokio_test::assert_pending!(it.poll()));
    for (path, [.., expected]) in PATHS.iter().zip(TABLE) {
        if expected.is_empty() {
            continue;
        }
        if expected == "waits" {
            // Decided, and waiting for the sync like the others: not refused.
            let running = running.pop().unwrap();
            let mut end =
                tokio_test::task::spawn(log.complete(running, Context::new(), b"1".to_vec()));
            tokio_test::assert_pending!(end.poll());
            continue;
        }
        assert_eq!(table.ask(&grant, path, SMALL).await, expected, "{path}");
    }
    table.memory.release();
    for answer in held {
        answer.await.unwrap();
    }
}

/// What opening cannot serve or nobody can use is refused by the check that opening uses.
#[tokio::test]
async fn t2_limits_and_options_that_cannot_be_kept_are_refused_alike() {
    let bad: [fn(&mut Options); 21] = [
        |it| it.limits.running_max = usize::MAX,
        |it| it.limits.pending_records_max = usize::MAX,
        |it| it.limits.finish_reserve_bytes = usize::MAX,
        |it| it.limits.frame_bytes_target = usize::MAX,
        |it| it.limits.frame_records_target = 0,
        |it| it.limits.commit_bytes_max = 33 << 20,
        |it| it.limits.payload_bytes_max = usize::MAX,
        |it| it.limits.text_bytes_max = usize::MAX,
        |it| it.limits.text_bytes_max = 0,
        |it| it.limits.name_bytes_max = usize::MAX,
        |it| it.limits.awaiting_max = 0,
        |it| it.limits.components_max = 0,
        |it| it.limits.entries_max = 0,
        |it| it.limits.view_lag_max = 0,
        |it| it.limits.follow_lag_max = 0,
        |it| it.limits.emit_records_max = 0,
        |it| it.limits.emit_bytes_max = 1,
        |it| it.limits.clock_leap_ns_max = -1,
        |it| it.hang_after = std::time::Duration::ZERO,
        |it| it.activity_interval = std::time::Duration::ZERO,
        |it| it.memtable_bytes = Some(0),
    ];
    for (number, spoil) in bad.into_iter().enumerate() {
        let mut options = Options::default();
        spoil(&mut options);
        let said = options.check().expect_err(&format!("case {number}"));
        let (_root, path) = place();
        let error = femtoclaw_ledger::Ledger::open(&path, options)
            .await
            .unwrap_err();
        assert_eq!(error.code(), "limits", "case {number}: {said}");
        assert!(error.to_string().contains(said), "{error}");
        assert!(!path.exists(), "case {number}: nothing was made");
    }
    // As much as may be is served.
    let mut options = Options::default();
    options.limits.running_max = usize::MAX >> 3;
    options.limits.pending_records_max = usize::MAX >> 3;
    options.limits.pending_bytes_max = usize::MAX;
    options.limits.authorized_max = usize::MAX;
    options.limits.entries_max = usize::MAX;
    options.limits.components_max = usize::MAX;
    options.limits.emit_records_max = usize::MAX;
    options.limits.emit_bytes_max = usize::MAX;
    options.limits.view_lag_max = u64::MAX;
    options.limits.follow_lag_max = u64::MAX;
    options.limits.frame_records_target = usize::MAX;
    options.hang_after = std::time::Duration::MAX;
    options.activity_interval = std::time::Duration::MAX;
    options.scrub_pause = std::time::Duration::MAX;
    assert_eq!(options.check(), Ok(()));
    let (_root, path) = place();
    let open = open_with(&path, options).await;
    open.sample().await;
    let emitted = open.ledger.telemetry(&open.grant).unwrap();
    emitted
        .emit(observation(TelemetryKind::Other, "x"))
        .unwrap();
    open.close().await;
}

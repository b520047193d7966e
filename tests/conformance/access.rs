// SPDX-License-Identifier: Apache-2.0
//! Who may do what: §17, §18, T2.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command as Process, Stdio};
use std::sync::Arc;

use femtoclaw_ledger::events::{AuditFamily, Event, Store};
use femtoclaw_ledger::journal::MemoryJournal;
use femtoclaw_ledger::{
    AppendError, OpenError, Quota, Record, Rights, TelemetryKind, group::Command, reading::Filter,
};
use metrics_exporter_prometheus::PrometheusBuilder;

use crate::support::*;

async fn in_memory() -> Open {
    open_on(Arc::new(MemoryJournal::new()), fixed(&clock())).await
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().permissions().mode() & 0o7777
}

fn assert_private(path: &Path) {
    let expected = if path.is_dir() { 0o700 } else { 0o600 };
    assert_eq!(mode(path), expected, "{}", path.display());
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            assert_private(&entry.unwrap().path());
        }
    }
}

#[tokio::test]
async fn s17_1_directories_are_private_and_a_store_that_others_may_write_is_refused() {
    let (_root, path) = place();
    let opened = open(&path).await;
    opened.sample().await;
    assert_eq!(mode(&path), 0o700);
    opened.close().await;
    assert_private(&path);
    for bad in [0o770, 0o702, 0o777, 0o720] {
        chmod(&path, bad);
        let error = open_error(&path).await;
        let is_it = matches!(error, OpenError::Insecure { mode, .. } if mode == bad);
        assert!(is_it, "{bad:o}: {error}");
        assert_eq!(mode(&path), bad, "untouched");
    }
    // A file in it that others may write, where they can reach it.
    chmod(&path, 0o755);
    chmod(&path.join("LEDGER"), 0o666);
    let error = open_error(&path).await;
    assert!(matches!(error, OpenError::Insecure { .. }), "{error}");
    chmod(&path.join("LEDGER"), 0o600);
    open(&path).await.close().await;
    assert_private(&path);
}

#[tokio::test]
async fn s18_1_without_the_grant_nothing_is_written_or_read_and_it_is_counted_and_audited() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let page = recorder.handle();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let open = in_memory().await;
    open.execute().await;
    let rights = Rights::none()
        .append(Store::Telemetry)
        .read(Store::Configuration);
    let narrow = open.root.grant("narrow", rights, Quota::default());
    let narrow = narrow.await.unwrap();
    assert_eq!(narrow.name(), "narrow");
    let entries: Vec<_> = AuditFamily::ALL.into_iter().map(entry).collect();
    let before = open.ledger.head();
    let command = Command::Audit(entries[0].clone());
    let refused = open.ledger.commit(&narrow, vec![command]).await;
    assert_eq!(refused.unwrap_err().code(), "not_granted");
    let handle = open.ledger.audit_log(&narrow);
    assert_eq!(handle.err().unwrap().code(), "not_granted");
    // What it may read are configuration records; these are none.
    let reads = open.ledger.reader(&narrow).unwrap();
    let record = reads.get(before.seq.unwrap()).await.unwrap_err();
    assert_eq!(record.code(), "not_granted");
    let range = reads.range(seq(1), usize::MAX).await.unwrap();
    assert!(
        range
            .iter()
            .all(|it| it.header.stores.contains(Store::Configuration))
    );
    // Revoked: refused from there on, in what it may too.
    open.root
        .revoke(&narrow, "left the building")
        .await
        .unwrap();
    let telemetry = open.ledger.telemetry(&narrow);
    assert_eq!(telemetry.err().unwrap().code(), "grant_revoked");
    // A grant of another ledger opens nothing.
    let other = in_memory().await;
    let foreign = open.ledger.audit_log(&other.grant).err().unwrap();
    assert_eq!(foreign.code(), "foreign_grant");
    let text = page.render();
    let counted = |reason: &str, count: u64| {
        let name = "femtoclaw_ledger_refusals_total";
        let line = format!("{name}{{reason=\"{reason}\"}} {count}");
        assert!(text.contains(&line), "{line}\n{text}");
    };
    counted("not_granted", 3);
    counted("grant_revoked", 1);
    counted("foreign_grant", 1);
    // These records are written as they come; what follows them shows that they are durable.
    open.execute().await;
    let events = open.events().await;
    for reason in ["not_granted", "grant_revoked", "foreign_grant"] {
        let is_it =
            |event: &Event| matches!(event, Event::RefusalsRecorded(it) if it.reason == reason);
        assert!(events.iter().any(is_it), "{reason}");
    }
    let stored = |event: &&Event| matches!(event, Event::AuditRecorded(_));
    assert_eq!(events.iter().filter(stored).count(), 0);
}

/// Whether another user can run this on the path.
fn nobody_can(program: &str, path: &Path) -> bool {
    let mut command = Process::new(program);
    command.arg(path).uid(65_534).gid(65_534);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().unwrap().success()
}

#[tokio::test]
async fn s18_2_another_user_cannot_read_or_open_the_store() {
    if let Some(path) = child_path() {
        let opened = femtoclaw_ledger::Ledger::open(&path, Default::default()).await;
        acknowledge(opened.err().map_or("opened", |error| error.code()));
        return;
    }
    let (root, path) = place();
    let opened = open(&path).await;
    opened.sample().await;
    if mode(&path) == 0 || !is_root(root.path()) {
        eprintln!("SKIPPED s18_2: only root can become another user; run it as root");
        return;
    }
    // The way there is open to everybody, and so is a file beside the store.
    chmod(root.path(), 0o755);
    let beside = root.path().join("beside");
    std::fs::write(&beside, b"for all").unwrap();
    chmod(&beside, 0o644);
    assert!(nobody_can("cat", &beside), "the test itself works");
    assert!(!nobody_can("ls", &path));
    for file in ["LEDGER", "LOCK", "journal/version"] {
        assert!(!nobody_can("cat", &path.join(file)), "{file}");
    }
    opened.close().await;
    // As that user, through the library: this program again, where everybody can run it.
    let test = "access::s18_2_another_user_cannot_read_or_open_the_store";
    let mut original = child_command(test, &path);
    let output = as_nobody(&original, &root.path().join("program"));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("ack refused"), "{told}");
    // The owner can.
    let output = original.output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("ack opened"), "{told}");
}

fn is_root(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).unwrap().uid() == 0
}

#[tokio::test]
async fn t2_quotas_per_component_and_a_limit_on_payloads() {
    let clock = clock();
    let open = open_on(Arc::new(MemoryJournal::new()), fixed(&clock)).await;
    let quota = Quota {
        records_per_second: Some(3),
        bytes_per_second: None,
    };
    // One record each.
    let limited = open
        .root
        .grant("limited", Rights::all(), quota)
        .await
        .unwrap();
    let audit = open.ledger.audit_log(&limited).unwrap();
    for _ in 0..3 {
        audit.record(entry(AuditFamily::Lifecycle)).await.unwrap();
    }
    let head = open.ledger.head();
    let refused = audit.record(entry(AuditFamily::Lifecycle)).await;
    let AppendError::QuotaExceeded { retry_after } = refused.unwrap_err() else {
        panic!("not a quota")
    };
    let theirs = open.ledger.audit_log(&open.grant).unwrap();
    theirs.record(entry(AuditFamily::Lifecycle)).await.unwrap();
    let of_limited = open.records().await;
    let after = of_limited.iter().filter(|it| {
        it.header.seq.get() > head.count() && it.header.component == limited.component()
    });
    assert_eq!(after.count(), 0, "nothing of it was written");
    assert!(crate::executions::audited(&open, "quota_exceeded").await);
    clock.advance(retry_after);
    audit.record(entry(AuditFamily::Lifecycle)).await.unwrap();
    // Bytes of its own.
    let quota = Quota {
        records_per_second: None,
        bytes_per_second: Some(2_000),
    };
    let small = open
        .root
        .grant("small", Rights::all(), quota)
        .await
        .unwrap();
    let audit = open.ledger.audit_log(&small).unwrap();
    let mut big = entry(AuditFamily::Upgrade);
    big.detail = format!("\"{}\"", "x".repeat(1_500)).into_bytes();
    audit.record(big.clone()).await.unwrap();
    let refused = audit.record(big.clone()).await.unwrap_err();
    assert_eq!(refused.code(), "quota_exceeded");
    // The limit on one payload: 1 MiB passes, a byte more does not.
    let sized = |size: usize| format!("\"{}\"", "x".repeat(size - 2)).into_bytes();
    big.detail = sized(1 << 20);
    theirs.record(big.clone()).await.unwrap();
    let head = open.ledger.head();
    big.detail = sized((1 << 20) + 1);
    let refused = theirs.record(big).await.unwrap_err();
    let expected = AppendError::TooLarge {
        field: "detail",
        size: (1 << 20) + 1,
        limit: 1 << 20,
    };
    assert_eq!(refused, expected);
    assert_eq!(open.ledger.head(), head);
}

#[tokio::test]
async fn what_may_not_be_read_takes_no_place_in_a_search() {
    let open = in_memory().await;
    let telemetry = open.ledger.telemetry(&open.grant).unwrap();
    for round in 0..3 {
        for number in 0..200 {
            let name = format!("{round} {number}");
            let record = telemetry.record(observation(TelemetryKind::Other, &name));
            record.await.unwrap();
        }
        open.change("policy", "content").await;
    }
    let rights = Rights::none().read(Store::Configuration);
    let narrow = open.root.grant("narrow", rights, Quota::default());
    let reads = open.ledger.reader(&narrow.await.unwrap()).unwrap();
    let all = reads.query(Filter::default(), usize::MAX).await.unwrap();
    let readable = |record: &Record| record.header.stores.contains(Store::Configuration);
    assert!(all.len() >= 3 && all.iter().all(readable));
    // Page by page, one record each: as many pages as there are records, and then none.
    let mut pages = Vec::new();
    let mut from = 1;
    loop {
        let filter = Filter {
            seq: Some(from..=u64::MAX),
            ..Filter::default()
        };
        let page = reads.query(filter, 1).await.unwrap();
        let Some(record) = page.first() else { break };
        assert_eq!(page.len(), 1);
        from = record.header.seq.get() + 1;
        pages.extend(page);
    }
    assert_eq!(pages, all);
}

/// Directories in it, and what lies in those, where others can get there.
#[tokio::test]
async fn s17_1_what_lies_deeper_and_others_may_write_is_refused_too() {
    let (_root, path) = place();
    let opened = open(&path).await;
    opened.sample().await;
    opened.close().await;
    chmod(&path, 0o755);
    let deep = path.join("journal/keyspaces");
    for (place, bad) in [
        (path.join("journal"), 0o775),
        (path.join("journal"), 0o757),
        (deep, 0o770),
        (path.join("journal/version"), 0o606),
        (path.join("views/executions/manifest.json"), 0o620),
    ] {
        let good = mode(&place);
        chmod(&place, bad);
        let error = open_error(&path).await;
        let is_it = matches!(&error, OpenError::Insecure { path, mode, .. }
            if *path == place && *mode == bad);
        assert!(is_it, "{}: {error}", place.display());
        chmod(&place, good);
    }
    open(&path).await.close().await;
}

/// The engine makes files with the rights that the umask leaves.
#[tokio::test]
async fn s17_1_a_close_takes_from_others_what_was_made_while_it_was_open() {
    let (_root, path) = place();
    let opened = open(&path).await;
    opened.sample().await;
    let made = path.join("journal/version");
    chmod(&made, 0o644);
    opened.close().await;
    assert_eq!(mode(&made), 0o600);
    assert_private(&path);
}

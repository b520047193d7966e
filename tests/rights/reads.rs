// SPDX-License-Identifier: Apache-2.0
//! Records, traces and evidence.

use std::time::Duration;

use femtoclaw_ledger::events::Record;
use femtoclaw_ledger::integrity::evidence::Bundle;
use femtoclaw_ledger::{
    Seq,
    evidence::{EvidenceError, EvidenceOptions},
    reading::Filter,
};

use crate::scene::{Answer, Hands, Told, shown, told};
use crate::{GONE, NOT, Row, STRANGE, row};

const HELD: &str = "withheld";

/// Which record is read: an observation, of telemetry alone; or a result, of the execution log, the audit log and telemetry,
/// whose payload is the execution log's.
const SEEN: [&str; 7] = [NOT, NOT, NOT, HELD, "ok", GONE, STRANGE];
/// The same, where it is passed over rather than refused.
const PASSED: [&str; 7] = [NOT, "nothing", NOT, HELD, "ok", GONE, STRANGE];
const RESULT: [&str; 7] = [NOT, HELD, NOT, HELD, "ok", GONE, STRANGE];
/// Whoever is shown it through telemetry alone is not shown what it says.
const MIRRORED: [&str; 7] = [NOT, "ok", NOT, HELD, HELD, GONE, STRANGE];

/// The record itself, of what was read.
fn only(records: Vec<Record>, seq: Seq) -> Answer {
    let mut records = records;
    records.retain(|record| record.header.seq == seq);
    shown(&records)
}

async fn get(h: Hands, seq: Seq) -> Answer {
    h.go().await;
    let record = h.reads()?.get(seq).await;
    let record = record.map_err(|error| error.code().to_owned())?;
    shown(&record.into_iter().collect::<Vec<_>>())
}

async fn range(h: Hands, seq: Seq) -> Answer {
    h.go().await;
    let records = h.reads()?.range(seq, 1).await;
    only(records.map_err(|error| error.code().to_owned())?, seq)
}

async fn query(h: Hands, seq: Seq) -> Answer {
    h.go().await;
    let filter = Filter {
        seq: Some(seq.get()..=seq.get()),
        ..Filter::default()
    };
    let records = h.reads()?.query(filter, 1).await;
    only(records.map_err(|error| error.code().to_owned())?, seq)
}

async fn follow(h: Hands, seq: Seq) -> Answer {
    let mut follow = match h.reads()?.follow(seq) {
        Ok(follow) => follow,
        Err(error) => return Err(error.code().to_owned()),
    };
    h.go().await;
    let records = follow.next_batch(Duration::from_secs(60)).await;
    only(records.map_err(|error| error.code().to_owned())?, seq)
}

fn records() -> Vec<Row> {
    macro_rules! of {
        ($path:literal, $read:ident, $seen:expr) => {
            [
                row!($path, "an observation", [Telemetry], $seen, |h| {
                    let seq = h.scene.seen;
                    $read(h, seq).await
                }),
                row!($path, "a result", [ExecutionLog], RESULT, |h| {
                    let seq = h.scene.result;
                    $read(h, seq).await
                }),
                row!(
                    $path,
                    "a result, by telemetry",
                    [Telemetry],
                    MIRRORED,
                    |h| {
                        let seq = h.scene.result;
                        $read(h, seq).await
                    }
                ),
                row!(
                    $path,
                    "a result, by the audit log",
                    [AuditLog],
                    MIRRORED,
                    |h| {
                        let seq = h.scene.result;
                        $read(h, seq).await
                    }
                ),
            ]
        };
    }
    [
        of!("ledger/read/reads.rs get", get, SEEN),
        of!("ledger/read/reads.rs range", range, PASSED),
        of!("ledger/read/reads.rs query", query, PASSED),
        of!("ledger/read/follow.rs follow", follow, PASSED),
        of!("ledger/read/follow.rs next_batch", follow, PASSED),
    ]
    .into_iter()
    .flatten()
    .collect()
}

async fn reconstruct(h: Hands) -> Answer {
    h.go().await;
    let trace = h.reads()?.reconstruct(h.scene.ended).await;
    told(trace.map_err(|error| error.code().to_owned())?)
}

/// Evidence: whose payloads are all there, or none.
fn made(made: Result<Bundle, EvidenceError>) -> Answer {
    let bundle = match made {
        Ok(bundle) => bundle,
        Err(error) => return Err(error.code().to_owned()),
    };
    let some = bundle.items().iter().any(|item| item.content.is_some());
    Ok(if some { "ok" } else { HELD }.to_owned())
}

async fn evidence(h: Hands, withhold_payloads: bool) -> Answer {
    h.go().await;
    let options = EvidenceOptions {
        withhold_payloads,
        ..EvidenceOptions::default()
    };
    made(h.reads()?.evidence(h.scene.ended, options).await)
}

/// Any right to read is enough.
async fn subject(h: Hands) -> Answer {
    h.go().await;
    let found = h.reads()?.subject_id("mary");
    found.map_err(|error| error.code().to_owned())?;
    Ok("ok".to_owned())
}

fn whole() -> Vec<Row> {
    let traced = [NOT, HELD, NOT, HELD, "ok", GONE, STRANGE];
    let mirrored = [NOT, "ok", NOT, HELD, HELD, GONE, STRANGE];
    vec![
        row!(
            "ledger/read/reads.rs reconstruct",
            "",
            [ExecutionLog],
            traced,
            |h| reconstruct(h).await
        ),
        row!(
            "ledger/read/reads.rs reconstruct",
            "by the audit log",
            [AuditLog],
            mirrored,
            |h| reconstruct(h).await
        ),
        row!(
            "ledger/read/reads.rs subject_id",
            "",
            [AuditLog],
            [NOT, "ok", NOT, "ok", "ok", GONE, STRANGE],
            |h| subject(h).await
        ),
    ]
}

fn bundles() -> Vec<Row> {
    let bundled = [NOT, NOT, NOT, NOT, "ok", GONE, STRANGE];
    let refused = [NOT, NOT, NOT, NOT, NOT, GONE, STRANGE];
    let bare = [NOT, NOT, NOT, HELD, HELD, GONE, STRANGE];
    vec![
        row!(
            "ledger/attest/evidence.rs evidence",
            "",
            [AuditLog, ExecutionLog],
            bundled,
            |h| evidence(h, false).await
        ),
        row!(
            "ledger/attest/evidence.rs evidence",
            "by the audit log",
            [AuditLog],
            refused,
            |h| evidence(h, false).await
        ),
        row!(
            "ledger/attest/evidence.rs evidence",
            "by the execution log",
            [ExecutionLog],
            refused,
            |h| evidence(h, false).await
        ),
        row!(
            "ledger/attest/evidence.rs evidence",
            "without payloads",
            [AuditLog],
            bare,
            |h| evidence(h, true).await
        ),
        row!(
            "ledger/attest/evidence.rs write_evidence",
            "",
            [AuditLog, ExecutionLog],
            bundled,
            |h| {
                h.go().await;
                let place = h.scene.place.path().join(h.scene.next().to_string());
                let options = EvidenceOptions::default();
                let written = h.reads()?.write_evidence(h.scene.ended, options, &place);
                let answer = made(written.await);
                assert_eq!(place.exists(), answer.is_ok(), "{answer:?}");
                answer
            }
        ),
        row!(
            "ledger/open_ledger.rs reader",
            "",
            [Telemetry],
            [NOT, "ok", NOT, "ok", "ok", GONE, STRANGE],
            |h| {
                h.go().await;
                h.scene.ledger().reader(&h.grant).told()
            }
        ),
    ]
}

pub(crate) fn rows() -> Vec<Row> {
    [records(), whole(), bundles()]
        .into_iter()
        .flatten()
        .collect()
}

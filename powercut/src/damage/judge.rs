// SPDX-License-Identifier: Apache-2.0
//! A damaged store is opened and asked for everything that its undamaged twin had answered.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use femtoclaw_ledger::clock::{Entropy, ManualClock};
use femtoclaw_ledger::events::{CommandId, ComponentId, Event, EventType, ExecutionId, Record};
use femtoclaw_ledger::{
    Grant, Ledger, OpenError, Options, Quota, Reads, Rights, Seq, execution_log::ExecutionStatus,
    operation::Recovery, reading::Filter, verify::VerifyOptions,
};

use super::base::Asked;
use super::{MEMTABLE_BYTES, OPENED_NS};
use crate::worker::ledger::{Digests, fresh};
use crate::worker::one_line;

/// Longer than this nothing may take that works, on a machine that does other work too.
const PATIENCE: Duration = Duration::from_secs(40);
const PAGE: usize = 64;
const NOTE: &str = "note";

type Hash = [u8; 32];

/// An answer, or the error's words.
type Answer = Result<Hash, String>;

/// Everything that a store answers.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) records: Vec<Answer>,
    pub(super) others: BTreeMap<String, Answer>,
    pub(super) views: Option<Result<Digests, String>>,
    /// What verification calls damaged, by its path.
    pub(super) named: Vec<PathBuf>,
}

/// How the damage showed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Noticed {
    Open(String),
    Read(String),
    Verify(String),
    /// The end of the log was set aside and told of.
    SetAside(String),
    /// Everything is there and answers as before.
    Harmless,
    /// Records are missing, and nobody says so.
    Lost(String),
    /// Something answers otherwise than before.
    Wrong(String),
    Hung(String),
}

/// Ids and salts of an opening, the same in each case, and none that the store holds.
struct Counting(AtomicU64);

impl Entropy for Counting {
    fn bytes16(&self) -> [u8; 16] {
        let count = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        (u128::from(count) | (0xDA << 120)).to_be_bytes()
    }
}

fn options() -> Options {
    Options {
        clock: Arc::new(ManualClock::new(OPENED_NS)),
        entropy: Arc::new(Counting(AtomicU64::new(0))),
        memtable_bytes: Some(MEMTABLE_BYTES),
        activity_interval: Duration::from_secs(3_600),
        disk_reserve_bytes: 0,
        ..Options::default()
    }
}

/// Opens, asks, closes.
pub(super) async fn judge(
    path: &Path,
    asked: &Asked,
    expected: Option<&Answers>,
) -> (Noticed, Answers) {
    let opened = tokio::time::timeout(PATIENCE, Ledger::open(path, options())).await;
    let (ledger, root) = match opened {
        Ok(Ok(opened)) => opened,
        Ok(Err(error)) => return (refused(&error), Answers::default()),
        Err(_) => return (Noticed::Hung("opening".into()), Answers::default()),
    };
    let granted = root.grant("damage", Rights::all(), Quota::default());
    let grant = match tokio::time::timeout(PATIENCE, granted).await {
        Ok(Ok(grant)) => grant,
        Ok(Err(error)) => return (Noticed::Open(one_line(error)), Answers::default()),
        Err(_) => return (Noticed::Hung("granting".into()), Answers::default()),
    };
    let answers = tokio::time::timeout(2 * PATIENCE, ask(&ledger, &grant, asked)).await;
    let mut named = Vec::new();
    let noticed = match (&answers, expected) {
        (Err(_), _) => Noticed::Hung(format!("asking: {:?}", ledger.health())),
        (Ok(answers), Some(expected)) => {
            match hold(&ledger, &grant, asked, answers, expected).await {
                Noticed::Harmless => verify(&ledger, &mut named).await,
                noticed => noticed,
            }
        }
        (Ok(_), None) => Noticed::Harmless,
    };
    let closed = tokio::time::timeout(PATIENCE, root.close(Duration::from_secs(5))).await;
    let noticed = match closed {
        Ok(_) => noticed,
        Err(_) => Noticed::Hung("closing".into()),
    };
    let answers = answers.unwrap_or_default();
    (noticed, Answers { named, ..answers })
}

fn refused(error: &OpenError) -> Noticed {
    Noticed::Open(format!("{} {}", error.code(), one_line(error)))
}

/// What came is held against what should have come.
async fn hold(
    ledger: &Ledger,
    grant: &Grant,
    asked: &Asked,
    now: &Answers,
    before: &Answers,
) -> Noticed {
    let mut errors = Vec::new();
    let recovered = ledger
        .recovery()
        .and_then(|recovery| recovery.recovered)
        .map_or(0, Seq::get);
    for (seq, (now, before)) in now.records.iter().zip(&before.records).enumerate() {
        match now {
            Ok(hash) if Ok(*hash) != *before => {
                if recovered <= seq as u64 {
                    return missing(ledger, recovered);
                }
                return Noticed::Wrong(format!("record {} is another", seq + 1));
            }
            Ok(_) => {}
            Err(error) => errors.push(format!("record {}: {error}", seq + 1)),
        }
    }
    if now.records.len() < before.records.len() || recovered < asked.head {
        return missing(ledger, recovered);
    }
    for (name, before) in &before.others {
        match now.others.get(name) {
            Some(Ok(hash)) if Ok(*hash) == *before => {}
            Some(Ok(_)) => return Noticed::Wrong(name.clone()),
            Some(Err(error)) => errors.push(format!("{name}: {error}")),
            // A note is no record yet, and none that was acknowledged: it may be gone.
            None if name == NOTE => {}
            None => return Noticed::Lost(name.clone()),
        }
    }
    match (&now.views, &before.views) {
        (Some(Err(error)), _) => errors.push(format!("views: {error}")),
        (now, before) if now == before => {}
        // Other records at the end: then it is what their own make that counts.
        _ => match views_are_true(ledger, grant).await {
            Ok(true) => {}
            Ok(false) => return Noticed::Wrong("views are not what the records make".into()),
            Err(error) => errors.push(error),
        },
    }
    if let Some(error) = errors.first() {
        return Noticed::Read(error.clone());
    }
    Noticed::Harmless
}

/// Walks everything, also what no answer has touched.
async fn verify(ledger: &Ledger, named: &mut Vec<PathBuf>) -> Noticed {
    let verified = ledger.verify(VerifyOptions::threads(1), |_| {});
    match tokio::time::timeout(2 * PATIENCE, verified).await {
        Ok(Ok(verified)) if verified.is_sound() => Noticed::Harmless,
        Ok(Ok(verified)) => {
            named.extend(verified.damages.iter().map(|damaged| damaged.path.clone()));
            Noticed::Verify(one_line(format!("{:?}", verified.damages)))
        }
        Ok(Err(error)) => Noticed::Verify(one_line(error)),
        Err(_) => Noticed::Hung("verifying".into()),
    }
}

fn missing(ledger: &Ledger, recovered: u64) -> Noticed {
    match ledger.recovery() {
        Some(Recovery { found, .. }) if found.torn.is_some() => {
            Noticed::SetAside(format!("{:?}", found.torn))
        }
        _ => Noticed::Lost(format!("the records from {} on", recovered + 1)),
    }
}

async fn views_are_true(ledger: &Ledger, grant: &Grant) -> Result<bool, String> {
    let head = ledger.head().count();
    let reads = ledger.reader(grant).map_err(|error| error.to_string())?;
    let records = reads.range(Seq::FIRST, head as usize).await;
    let mut records = records.map_err(|error| error.to_string())?;
    records.truncate(head as usize);
    serve(ledger).await?;
    let served = ledger.view_digests().await;
    let served = served.map_err(|error| format!("views: {error}"))?;
    let made = tokio::task::spawn_blocking(move || fresh(records)).await;
    Ok(made.map_err(|error| error.to_string())?? == served)
}

async fn serve(ledger: &Ledger) -> Result<(), String> {
    let served = tokio::time::timeout(PATIENCE / 2, ledger.at_least(ledger.head().seq)).await;
    match served {
        Ok(served) => served.map_err(|error| format!("views: {error}")),
        Err(_) if !ledger.health().healthy => Err(ledger.health().cause),
        Err(_) => Err(format!("views stand at {:?}", ledger.view_positions())),
    }
}

fn hash(value: &impl Debug) -> Hash {
    *blake3::hash(format!("{value:?}").as_bytes()).as_bytes()
}

fn record_hash(record: &Record) -> Hash {
    let mut header = Vec::new();
    record.header.encode_into(&mut header);
    let mut hasher = blake3::Hasher::new();
    hasher.update(&header).update(&record.hash);
    if let Some(content) = &record.content {
        hasher.update(&content.salt).update(&content.payload);
    }
    *hasher.finalize().as_bytes()
}

async fn ask(ledger: &Ledger, grant: &Grant, asked: &Asked) -> Answers {
    let mut answers = Answers::default();
    let reads = match ledger.reader(grant) {
        Ok(reads) => reads,
        Err(error) => {
            answers.records.push(Err(error.to_string()));
            return answers;
        }
    };
    answers.records = walk(&reads, asked.head).await;
    if let Err(error) = serve(ledger).await {
        answers.others.insert("views".into(), Err(error));
    }
    for command in &asked.commands {
        let id = command.parse().unwrap_or(CommandId::NIL);
        let found = ledger.lookup(grant, id).await;
        answers.take(format!("lookup {command}"), found);
    }
    queries(&mut answers, &reads, asked).await;
    others(&mut answers, ledger, grant, asked).await;
    let digests = ledger.view_digests().await;
    answers.views = Some(digests.map_err(one_line));
    answers
}

async fn walk(reads: &Reads, head: u64) -> Vec<Answer> {
    let mut records: Vec<Answer> = Vec::new();
    while (records.len() as u64) < head {
        let from = Seq::FIRST.plus(records.len() as u64);
        let page = PAGE.min((head - records.len() as u64) as usize);
        match reads.range(from, page).await {
            Ok(part) if part.is_empty() => return records,
            Ok(part) => records.extend(part.iter().map(|record| Ok(record_hash(record)))),
            Err(_) => {
                // One by one: what is not damaged must be the same.
                for at in 0..page as u64 {
                    let got = reads.get(from.plus(at)).await;
                    records.push(match got {
                        Ok(Some(record)) => Ok(record_hash(&record)),
                        Ok(None) => Ok([0; 32]),
                        Err(error) => Err(one_line(error)),
                    });
                }
            }
        }
    }
    records
}

impl Answers {
    fn take<V: Debug, E: std::fmt::Display>(&mut self, name: String, answer: Result<V, E>) {
        let answer = answer.map(|value| hash(&value));
        self.others.insert(name, answer.map_err(one_line));
    }
}

async fn queries(answers: &mut Answers, reads: &Reads, asked: &Asked) {
    let all = Filter {
        seq: Some(1..=asked.head),
        ..Filter::default()
    };
    let mut filters = vec![
        (
            "component",
            Filter {
                component: Some(ComponentId(1)),
                ..all.clone()
            },
        ),
        (
            "capability",
            Filter {
                capability: Some("message".into()),
                ..all.clone()
            },
        ),
        (
            "time",
            Filter {
                time_ns: Some(asked.middle_ns..=i64::MAX),
                ..all.clone()
            },
        ),
    ];
    for event_type in [EventType::AuditRecorded, EventType::ExecutionStarted] {
        filters.push((
            "type",
            Filter {
                event_type: Some(event_type),
                ..all.clone()
            },
        ));
    }
    for (name, filter) in filters {
        let found = reads.query(filter.clone(), 200).await;
        let seqs = found.map(|found| found.iter().map(record_hash).collect::<Vec<_>>());
        answers.take(format!("{name} {:?}", filter.event_type), seqs);
    }
    for execution in &asked.executions {
        let id = execution.parse().unwrap_or(ExecutionId::NIL);
        answers.take(format!("trace {execution}"), reads.reconstruct(id).await);
    }
}

/// What the views hold, beside the digests of all of it.
async fn others(answers: &mut Answers, ledger: &Ledger, grant: &Grant, asked: &Asked) {
    let (configuration, metadata, log) = (
        ledger.configuration(grant),
        ledger.runtime_metadata(grant),
        ledger.execution_log(grant),
    );
    let (Ok(configuration), Ok(metadata), Ok(log)) = (configuration, metadata, log) else {
        return;
    };
    answers.take("documents".into(), configuration.documents().await);
    for number in 0..3 {
        let name = format!("document {number}");
        answers.take(
            format!("current {name}"),
            configuration.current(&name).await,
        );
        answers.take(
            format!("history {name}"),
            configuration.history(&name).await,
        );
    }
    answers.take("modules".into(), metadata.modules().await);
    answers.take("registry".into(), metadata.registry().await);
    answers.take("counts".into(), log.counts().await);
    answers.take("in doubt".into(), log.in_doubt().await);
    let completed = log
        .executions()
        .status(ExecutionStatus::Completed)
        .first(100)
        .await;
    answers.take("completed".into(), completed);
    for execution in &asked.executions {
        let id = execution.parse().unwrap_or(ExecutionId::NIL);
        answers.take(format!("execution {execution}"), log.get(id).await);
    }
    match note(ledger, grant, asked).await {
        Ok(None) => {}
        Ok(Some(said)) => answers.take(NOTE.into(), Ok::<_, String>(said)),
        Err(error) => answers.take(NOTE.into(), Err::<(), _>(error)),
    }
}

/// The record that was made of an earlier writer's last words.
async fn note(ledger: &Ledger, grant: &Grant, asked: &Asked) -> Result<Option<String>, String> {
    let reads = ledger.reader(grant).map_err(one_line)?;
    let later = reads.range(Seq::FIRST.plus(asked.head), 20).await;
    for record in later.map_err(one_line)? {
        if let Ok(Event::StorageFailed(failed)) = record.event() {
            return match failed.cause.contains("quarantine") {
                true => Err(failed.cause),
                false => Ok(Some(failed.cause)),
            };
        }
    }
    Ok(None)
}

// SPDX-License-Identifier: Apache-2.0
//! The ledger, through its public interface alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use femtoclaw_ledger::events::{CommandId, Record};
use femtoclaw_ledger::projections::{Source, ViewDigest, Views, ViewsOptions, built_in};
use femtoclaw_ledger::{Event, Grant, Ledger, Options, Quota, Rights, Seq, verify::VerifyOptions};

use tokio::task::JoinSet;

use super::caller::Caller;
use super::content::{content, is_ours};
use super::{Args, Load, MEMTABLE_BYTES, again, one_line, tell, wait_for_go, wait_for_the_end};

/// Look-ups of what was acknowledged; the walk over all records covers every one of them.
const LOOKUPS_MAX: usize = 300;
/// Longer than this nothing may take that has to answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn run(args: &Args) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(work(args)),
        Err(error) => tell(format_args!("refused no runtime: {error}")),
    }
}

pub(super) fn options() -> Options {
    Options {
        memtable_bytes: Some(MEMTABLE_BYTES),
        // Only what is commanded is written.
        activity_interval: Duration::from_secs(3_600),
        ..Options::default()
    }
}

async fn work(args: &Args) {
    let since = Instant::now();
    let (ledger, root) = match Ledger::open(&args.directory, options()).await {
        Ok(opened) => opened,
        Err(error) => return tell(format_args!("refused {}", one_line(format!("{error:?}")))),
    };
    tell(format_args!("opened {}", since.elapsed().as_millis()));
    let granted = root.grant("load", Rights::all(), Quota::default());
    let grant = match tokio::time::timeout(PATIENCE, granted).await {
        Ok(Ok(grant)) => grant,
        Ok(Err(error)) => {
            tell(format_args!("failed grant {}", one_line(error)));
            tell("idle");
            wait_for_the_end();
        }
        Err(_) => {
            tell("bad grant: no answer");
            wait_for_the_end();
        }
    };
    if let Err(problem) = check(args, &ledger, &grant).await {
        tell(format_args!("bad {}", one_line(problem)));
    }
    called_damaged(args, &ledger).await;
    tell(format_args!("checked {}", ledger.head().count()));
    tell("ready");
    wait_for_go();
    if args.load == Load::Close {
        return match root.close(Duration::from_secs(20)).await {
            Ok(_) => tell("closed"),
            Err(error) => tell(format_args!("failed close {}", one_line(error))),
        };
    }
    let mut callers = JoinSet::new();
    for caller in 0..args.callers {
        let caller = Caller::new(args, caller, &ledger, &grant);
        callers.spawn(caller.write(args.each.unwrap_or(u64::MAX)));
    }
    if args.load == Load::Rebuild {
        let (ledger, root) = (ledger.clone(), root.clone());
        tokio::spawn(async move {
            loop {
                for view in ledger.view_positions() {
                    // It is load: where a cut or a fault refuses it, the judge looks at the views.
                    let _ = root.rebuild_view(view.name);
                }
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        });
    }
    if let Some(rival) = args.rival {
        again::rival(args, rival).await;
    }
    while let Some(ended) = callers.join_next().await {
        // Refusals are told by the caller itself; only a panic ends it like this.
        if let Err(error) = ended {
            tell(format_args!("panicked {}", one_line(error)));
        }
    }
    called_damaged(args, &ledger).await;
    if args.reopen {
        again::reopen(args, &root).await;
    }
    tell("idle");
    wait_for_the_end();
}

/// Everything that is called damaged, or was set aside as that.
pub(super) async fn called_damaged(args: &Args, ledger: &Ledger) {
    if !args.verify {
        return;
    }
    for entry in std::fs::read_dir(args.directory.join("quarantine"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = entry.file_name();
        if name.to_string_lossy().starts_with("views-") {
            tell(format_args!("false_damage set aside {}", name.display()));
        }
    }
    for damaged in ledger.scrubbed().damages {
        tell(format_args!("false_damage scrub {}", one_line(damaged)));
    }
    // What cannot be read is no damage; a ledger that is gone says nothing.
    if let Ok(verified) = ledger.verify(VerifyOptions::threads(1), |_| {}).await {
        for damaged in verified.damages {
            tell(format_args!("false_damage verify {}", one_line(damaged)));
        }
        for fault in verified.engine_faults {
            tell(format_args!("engine_fault {}", one_line(fault)));
        }
    }
}

/// Walks, looks up, and makes the views anew.
pub(super) async fn check(args: &Args, ledger: &Ledger, grant: &Grant) -> Result<(), String> {
    let reads = ledger.reader(grant).map_err(|error| error.to_string())?;
    let mut records = Vec::new();
    let head = ledger.head().count();
    while (records.len() as u64) < head {
        let from = Seq::FIRST.plus(records.len() as u64);
        let part = reads.range(from, 2_000).await;
        let part = part.map_err(|error| format!("reading from {from}: {error}"))?;
        if part.is_empty() {
            return Err(format!("nothing is there at {from}, the head is {head}"));
        }
        records.extend(part);
    }
    commits(&records)?;
    views_serve(ledger).await?;
    let acknowledged = args.acknowledged();
    // Of many, the newest and every n-th of the others.
    let step = acknowledged.len().div_ceil(LOOKUPS_MAX).max(1);
    let newest = acknowledged
        .values()
        .map(|place| place.1)
        .max()
        .unwrap_or(0);
    for (index, (text, place)) in acknowledged.iter().enumerate() {
        if index % step != 0 && place.1 + 50 < newest {
            continue;
        }
        let command: CommandId = text.parse().map_err(|_| format!("no id: {text}"))?;
        let receipt = ledger.lookup(grant, command).await;
        match receipt.map_err(|error| format!("looking {text} up: {error}"))? {
            Some(receipt) if (receipt.first.get(), receipt.last.get()) == *place => {}
            Some(receipt) => tell(format_args!(
                "bad place of {text}: {receipt:?}, was {place:?}"
            )),
            None => tell(format_args!("missing {text}")),
        }
    }
    views(ledger, records).await
}

/// Every commit is whole, is there once, and holds what its id says.
fn commits(records: &[Record]) -> Result<(), String> {
    let mut places: BTreeMap<CommandId, (u64, u64)> = BTreeMap::new();
    let mut due = (0, 0);
    for (index, record) in records.iter().enumerate() {
        let header = &record.header;
        let seq = header.seq.get();
        if seq != index as u64 + 1 {
            return Err(format!("record {seq} is at the place of {}", index + 1));
        }
        if header.commit_index != due.0 || (due.0 > 0 && header.commit_len != due.1) {
            return Err(format!("record {seq} is not the next of its commit"));
        }
        let last = header.commit_index + 1 == header.commit_len;
        due = if last {
            (0, 0)
        } else {
            (header.commit_index + 1, header.commit_len)
        };
        let id = *header.command.as_bytes();
        if !is_ours(&id) {
            continue;
        }
        let place = places.entry(header.command).or_insert((seq, seq - 1));
        if place.1 + 1 != seq {
            return Err(format!("command {} was written twice", header.command));
        }
        place.1 = seq;
        let event = record
            .event()
            .map_err(|error| format!("record {seq}: {error}"))?;
        let bytes = match &event {
            Event::AuditRecorded(event) => &event.detail,
            Event::TelemetryRecorded(event) => &event.attributes,
            Event::ConfigurationChanged(event) => &event.content,
            Event::AuthorizationDecided(event) => &event.arguments,
            Event::ExecutionCompleted(event) => &event.result,
            _ => continue,
        };
        if *bytes != content(&id) {
            return Err(format!("record {seq} holds other content than was sent"));
        }
    }
    if due.0 > 0 {
        return Err(format!(
            "the last commit ends after {} of {} records",
            due.0, due.1
        ));
    }
    for (command, (first, last)) in places {
        tell(format_args!("found {command} {first} {last}"));
    }
    Ok(())
}

struct Records(Vec<Record>);

impl Source for Records {
    fn head(&self) -> u64 {
        self.0.len() as u64
    }

    fn records(&self, from: Seq, max: usize) -> Result<Vec<Record>, String> {
        Ok(self
            .0
            .iter()
            .skip(from.get() as usize - 1)
            .take(max)
            .cloned()
            .collect())
    }

    fn wait_beyond(&self, _: u64, timeout: Duration) -> u64 {
        std::thread::sleep(timeout.min(Duration::from_millis(20)));
        self.head()
    }
}

/// Until the views serve what is durable: as long as they are made again, look-ups say so.
async fn views_serve(ledger: &Ledger) -> Result<(), String> {
    let head = ledger.head().count();
    tokio::time::timeout(PATIENCE, ledger.at_least(Seq::new(head)))
        .await
        .map_err(|_| format!("views: at {:?} of {head}", ledger.view_positions()))?
        .map_err(|error| format!("views: {error}"))?;
    Ok(())
}

/// The views equal ones that were made anew of the same records.
async fn views(ledger: &Ledger, mut records: Vec<Record>) -> Result<(), String> {
    views_serve(ledger).await?;
    let head = ledger.head().count();
    let served = ledger
        .view_digests()
        .await
        .map_err(|error| format!("views: {error}"))?;
    records.truncate(head as usize);
    let fresh = tokio::task::spawn_blocking(move || fresh(records));
    let fresh = fresh.await.map_err(|error| error.to_string())??;
    let differ: Vec<_> = served.iter().filter(|view| !fresh.contains(view)).collect();
    match differ.is_empty() {
        true => tell("views equal"),
        false => tell(format_args!(
            "views differ at {head}: {differ:?}, fresh {fresh:?}"
        )),
    }
    Ok(())
}

pub(crate) type Digests = Vec<ViewDigest>;

/// Digests of views made anew of these records.
pub(crate) fn fresh(records: Vec<Record>) -> Result<Digests, String> {
    let memory = std::path::Path::new("/dev/shm");
    let scratch = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    let scratch = scratch.map_err(|error| error.to_string())?;
    let head = records.len() as u64;
    let source = Arc::new(Records(records));
    let views = Views::open(scratch.path(), ViewsOptions::default(), built_in(), source);
    let views = views.map_err(|error| format!("fresh views: {error}"))?;
    let digest = |view: &femtoclaw_ledger::projections::View| {
        view.at_least(head, Duration::from_secs(60))
            .map_err(|error| error.to_string())?;
        view.digest().map_err(|error| error.to_string())
    };
    let digests = views.all().map(digest).collect();
    views.close();
    digests
}

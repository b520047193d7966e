// SPDX-License-Identifier: Apache-2.0
//! The stores that are damaged: made by the ledger itself, closed, and never opened again but as copies.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::clock::ManualClock;
use femtoclaw_ledger::events::{AuditFamily, CommandId, Outcome};
use femtoclaw_ledger::{
    AuditEntry, CapabilityDefinition, Change, Context, Decision, Grant, Ledger, Options, Quota,
    Receipt, Request, Rights, Root, group::Command, runtime_metadata::SetModule,
};

use tokio::task::JoinSet;

use super::{BEGUN_NS, MEMTABLE_BYTES};
use crate::worker::content::{Id, content, hex, id};

/// What a store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Make {
    /// Many small records: tables of journal and views, saved states.
    Small,
    /// Large records: its log has gone on to another file while the older one is still needed, and
    /// tables have been moved on to another level.
    Rotated,
    /// Killed before the anchor had come up to the newest frame.
    Window,
}

/// What is asked of a store, and of its damaged copies.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Asked {
    pub(super) head: u64,
    pub(super) middle_ns: i64,
    pub(super) commands: Vec<String>,
    pub(super) executions: Vec<String>,
    pub(super) note: bool,
}

const SMALL: u64 = 400;
/// How the log rotates is up to the scheduler: one attempt in some five has what is wanted, fewer where much else runs.
const ATTEMPTS_MAX: usize = 200;
const LARGE_MAX: u64 = 2_000;
/// Some sixteen tables by the time that the log rotates.
const ROTATED_MEMTABLE_BYTES: u64 = 4 << 20;
/// Commands that are looked up, and executions that are asked for.
const COMMANDS: usize = 40;
const EXECUTIONS: usize = 6;
/// Executions that run do not end by themselves.
const PATIENCE: Duration = Duration::from_secs(1);

struct Maker {
    ledger: Ledger,
    root: Root,
    grant: Grant,
    clock: Arc<ManualClock>,
    commands: Vec<String>,
    executions: Vec<String>,
}

fn problem(error: impl std::fmt::Display) -> io::Error {
    io::Error::other(error.to_string())
}

/// Makes a store in `path`.
pub(super) async fn make(path: &Path, make: Make) -> io::Result<Asked> {
    for _ in 0..ATTEMPTS_MAX {
        if let Some(asked) = attempt(path, make).await? {
            return Ok(asked);
        }
        fs::remove_dir_all(path)?;
    }
    Err(problem("the log never had two files that were needed"))
}

async fn attempt(path: &Path, make: Make) -> io::Result<Option<Asked>> {
    let clock = Arc::new(ManualClock::new(BEGUN_NS));
    let options = Options {
        clock: clock.clone(),
        memtable_bytes: Some(match make {
            Make::Rotated => ROTATED_MEMTABLE_BYTES,
            Make::Small | Make::Window => MEMTABLE_BYTES,
        }),
        activity_interval: Duration::from_secs(3_600),
        snapshot_records: if make == Make::Rotated { 100 } else { 500 },
        disk_reserve_bytes: 0,
        ..Options::default()
    };
    let (ledger, root) = Ledger::open(path, options).await.map_err(problem)?;
    let grant = root.grant("damage", Rights::all(), Quota::default());
    let grant = grant.await.map_err(problem)?;
    let mut maker = Maker {
        ledger,
        root,
        grant,
        clock,
        commands: Vec::new(),
        executions: Vec::new(),
    };
    let small = if make == Make::Rotated { 40 } else { SMALL };
    for number in 0..small {
        maker.one(number).await?;
    }
    let middle_ns = BEGUN_NS + i64::try_from(small).unwrap_or(0) * 500_000;
    if make == Make::Rotated && !maker.until_rotated(path).await? {
        maker.root.close(PATIENCE).await.map_err(problem)?;
        return Ok(None);
    }
    let ledger = maker.ledger.clone();
    let head = ledger.head().count();
    ledger.at_least(ledger.head().seq).await.map_err(problem)?;
    let mut asked = maker.asked(head, middle_ns);
    if make == Make::Window {
        asked.head = maker.window(path).await?;
    } else {
        asked.head = maker
            .root
            .close(PATIENCE)
            .await
            .map_err(problem)?
            .head
            .count();
    }
    if make == Make::Small {
        let note = path.join("failure.note");
        let text = "1700000000000000007\nthe medium said no\n";
        let checksum = blake3::hash(text.as_bytes()).to_hex();
        fs::write(&note, format!("{text}checksum {checksum}\n"))?;
        fs::create_dir_all(path.join("quarantine"))?;
        fs::write(path.join("quarantine/wal-0-77-0badcafe.torn"), [7; 900])?;
        asked.note = true;
    }
    Ok(Some(asked))
}

impl Maker {
    fn asked(&self, head: u64, middle_ns: i64) -> Asked {
        let some = |all: &[String], most: usize| {
            let step = all.len().div_ceil(most).max(1);
            let mut some: Vec<_> = all.iter().step_by(step).cloned().collect();
            some.extend(all.last().cloned());
            some.dedup();
            some
        };
        Asked {
            head,
            middle_ns,
            commands: some(&self.commands, COMMANDS),
            executions: some(&self.executions, EXECUTIONS),
            note: false,
        }
    }

    fn context(&mut self, id: &Id) -> Context {
        self.commands.push(hex(id));
        Context::new().command(CommandId::from_bytes(*id))
    }

    fn entry(&mut self, id: &Id) -> AuditEntry {
        AuditEntry {
            context: self.context(id),
            family: AuditFamily::Lifecycle,
            action: "written".into(),
            subject: String::new(),
            outcome: Outcome::Success,
            execution: None,
            detail: content(id),
        }
    }

    async fn one(&mut self, number: u64) -> io::Result<()> {
        self.clock.advance(Duration::from_millis(1));
        let id = id(1, 0, number, false);
        match number % 10 {
            0 => self.execute(&id, !number.is_multiple_of(40)).await,
            1 => self.configure(&id, number).await,
            2 => self.describe(&id, number).await,
            3 => {
                let ids = [id, id_of(number, 1), id_of(number, 2)];
                let commands = ids
                    .iter()
                    .map(|id| Command::Audit(self.entry(id)))
                    .collect();
                let done = self.ledger.commit(&self.grant, commands).await;
                done.map(drop).map_err(problem)
            }
            _ => self.audit(&id).await.map(drop),
        }
    }

    async fn audit(&mut self, id: &Id) -> io::Result<Receipt> {
        let log = self.ledger.audit_log(&self.grant).map_err(problem)?;
        log.record(self.entry(id)).await.map_err(problem)
    }

    async fn execute(&mut self, id: &Id, ends: bool) -> io::Result<()> {
        let log = self.ledger.execution_log(&self.grant).map_err(problem)?;
        let request = Request {
            context: self.context(id),
            execution: None,
            input: None,
            capability: "message".into(),
            arguments: content(id),
            decision: Decision::Authorized,
            reason: "it may".into(),
            basis: self.ledger.in_force().basis(),
        };
        let begun = log.begin(request).await.map_err(problem)?;
        let running = begun.started().map_err(problem)?;
        self.executions.push(running.execution().to_string());
        if ends {
            let done = running.complete(Context::new(), content(id));
            done.await.map_err(problem)?;
        } else {
            // It runs until the process ends, as in a runtime that is busy.
            let _running = running.detach();
        }
        Ok(())
    }

    async fn configure(&mut self, id: &Id, number: u64) -> io::Result<()> {
        let configuration = self.ledger.configuration(&self.grant).map_err(problem)?;
        let change = Change {
            context: self.context(id),
            document: format!("document {}", number / 10 % 3),
            content: content(id),
            author: "load".into(),
            reason: "it is time".into(),
            expected_version: None,
        };
        configuration
            .change(change)
            .await
            .map(drop)
            .map_err(problem)
    }

    async fn describe(&mut self, id: &Id, number: u64) -> io::Result<()> {
        let metadata = self.ledger.runtime_metadata(&self.grant).map_err(problem)?;
        let context = self.context(id);
        if number % 20 == 2 {
            let module = format!("module {number}");
            let version = "1".to_owned();
            let set = metadata.set_module(SetModule {
                context,
                module,
                version,
            });
            return set.await.map(drop).map_err(problem);
        }
        let definition = CapabilityDefinition {
            version: "1".into(),
            description: "does something".into(),
            parameters: Vec::new(),
        };
        let name = format!("capability.{number}");
        let done = metadata.register(&name, definition, context);
        done.await.map(drop).map_err(problem)
    }

    /// Large records, several at a time, until the log has two files that are both needed: one
    /// write at least must have come between the engine's change of memtable and that of file. False
    /// where none had.
    async fn until_rotated(&mut self, path: &Path) -> io::Result<bool> {
        let mut number = 0;
        let mut writes = JoinSet::new();
        while number < LARGE_MAX {
            while writes.len() < 6 {
                number += 1;
                let entry = self.entry(&id(2, 0, number, true));
                let log = self.ledger.audit_log(&self.grant).map_err(problem)?;
                writes.spawn(async move { log.record(entry).await });
            }
            if newest_log(path)? > 0 {
                while let Some(write) = writes.join_next().await {
                    write.map_err(problem)?.map_err(problem)?;
                }
                // Whether the engine needs the older one shows when it has come to rest. The newest
                // one is to have batches too: then nothing writes into the older one again.
                tokio::time::sleep(Duration::from_millis(400)).await;
                self.audit(&id(2, 0, number + 1, false)).await?;
                return Ok(logs(path)?.len() > 1);
            }
            if let Some(write) = writes.join_next().await {
                write.map_err(problem)?.map_err(problem)?;
            }
        }
        Err(problem("the log never rotated"))
    }

    /// One more frame, and the anchor as it was before: as a kill between the two leaves it.
    async fn window(&mut self, path: &Path) -> io::Result<u64> {
        let anchor = path.join("ANCHOR");
        self.audit(&id_of(0, 3)).await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let claimed = fs::read(&anchor)?;
        let receipt = self.audit(&id_of(0, 4)).await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        // A copy is what a kill leaves: this process closes in its own time.
        let copy = path.with_extension("killed");
        super::copy(path, &copy)?;
        fs::write(copy.join("ANCHOR"), claimed)?;
        let closed = self.root.close(PATIENCE).await;
        closed.map_err(problem)?;
        fs::remove_dir_all(path)?;
        fs::rename(&copy, path)?;
        Ok(receipt.last.get())
    }
}

fn id_of(number: u64, part: u32) -> Id {
    id(3, part, number, false)
}

/// The numbers of the log's files.
fn logs(path: &Path) -> io::Result<Vec<u64>> {
    let mut logs = Vec::new();
    for entry in fs::read_dir(path.join("journal"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "jnl") {
            let number = path.file_stem().and_then(|it| it.to_str());
            logs.extend(number.and_then(|it| it.parse::<u64>().ok()));
        }
    }
    Ok(logs)
}

fn newest_log(path: &Path) -> io::Result<u64> {
    Ok(logs(path)?.into_iter().max().unwrap_or(0))
}

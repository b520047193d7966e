// SPDX-License-Identifier: Apache-2.0
//! The program under test, as the judge sees it: lines that came through a pipe and survive it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child as Process, ChildStdin, Command, Stdio};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;

use crate::machine::Seen;
use crate::worker::again::Rival;
use crate::worker::{Load, Subject};

/// What reaches the judge.
pub(crate) enum News {
    Line(String),
    Ended,
    Cut(Seen),
}

pub(crate) type Place = (u64, u64);

/// What one run told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) opened: bool,
    pub(crate) ready: bool,
    pub(crate) closed: bool,
    pub(crate) idle: bool,
    pub(crate) refused: Option<String>,
    pub(crate) checked: bool,
    pub(crate) found: BTreeMap<String, Place>,
    pub(crate) acks: BTreeMap<String, Place>,
    /// Commands that were not acknowledged.
    pub(crate) failed: Vec<String>,
    pub(crate) missing: Vec<String>,
    pub(crate) bad: Vec<String>,
    /// Callers that ended without an answer.
    pub(crate) panicked: Vec<String>,
    pub(crate) views: Vec<String>,
    /// What was called damaged.
    pub(crate) false_damage: Vec<String>,
    /// Tables of which the engine states what is not so.
    pub(crate) engine_faults: u64,
    pub(crate) reopened: bool,
    /// The code of the error where it was not opened again.
    pub(crate) not_reopened: Option<String>,
    /// What was wrong once it was opened again.
    pub(crate) again: Vec<String>,
    /// What others answered that tried to open it.
    pub(crate) rivals: Vec<String>,
    /// What is no line of ours: a panic, most likely.
    pub(crate) other: Vec<String>,
}

fn place(text: &str) -> Option<(String, Place)> {
    let mut words = text.split(' ');
    let id = words.next()?.to_owned();
    Some((
        id,
        (words.next()?.parse().ok()?, words.next()?.parse().ok()?),
    ))
}

impl Told {
    pub(crate) fn take(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest_owned = || rest.to_owned();
        match word {
            "opened" => self.opened = true,
            "ready" => self.ready = true,
            "closed" => self.closed = true,
            "idle" => self.idle = true,
            "checked" => self.checked = true,
            "refused" => self.refused = Some(rest_owned()),
            "found" => self.found.extend(place(rest)),
            "ack" => self.acks.extend(place(rest)),
            "failed" => self.failed.push(rest_owned()),
            "missing" => self.missing.push(rest_owned()),
            "bad" => self.bad.push(rest_owned()),
            "panicked" => self.panicked.push(rest_owned()),
            "reopened" => self.reopened = true,
            "not_reopened" => self.not_reopened = Some(rest_owned()),
            "again" => self.again.push(rest_owned()),
            "rival" => self.rivals.push(rest_owned()),
            "false_damage" => self.false_damage.push(rest_owned()),
            "engine_fault" => self.engine_faults += 1,
            "views" if rest == "equal" => {}
            "views" => self.views.push(rest_owned()),
            _ => self.other.push(line.to_owned()),
        }
    }

    /// A refusal that an operator would take for damage, while nothing is damaged.
    pub(crate) fn called_damaged(&mut self) {
        const CODES: [&str; 6] = [
            "damaged",
            "journal_damaged",
            "acknowledged_records_missing",
            "anchor",
            "history",
            "not_a_ledger",
        ];
        const NAMES: [&str; 6] = [
            "Damaged {",
            "Journal(",
            "AcknowledgedRecordsMissing",
            "Anchor {",
            "History(",
            "NotALedger",
        ];
        let refused = self.refused.iter();
        let mut refused: Vec<_> = refused
            .filter(|it| NAMES.iter().any(|name| it.starts_with(name)))
            .cloned()
            .collect();
        let again = self.not_reopened.iter();
        refused.extend(again.filter(|it| CODES.contains(&it.as_str())).cloned());
        self.false_damage.append(&mut refused);
    }
}

/// A run that will be killed.
pub(crate) struct Child {
    process: Process,
    stdin: Option<ChildStdin>,
    readers: Vec<JoinHandle<()>>,
}

/// What a run is started with.
pub(crate) struct Start<'a> {
    pub(crate) subject: Subject,
    pub(crate) directory: &'a Path,
    pub(crate) acks: &'a Path,
    pub(crate) load: Load,
    pub(crate) run: u32,
    pub(crate) each: Option<u64>,
    pub(crate) reopen: bool,
    pub(crate) verify: bool,
    pub(crate) rival: Option<Rival>,
}

/// A value of the command line, as its word.
fn word(value: impl clap::ValueEnum) -> String {
    let value = value.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

fn read(
    lines: impl std::io::Read + Send + 'static,
    news: Sender<News>,
    ends: bool,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(lines).lines().map_while(Result::ok) {
            // A judge that has stopped listening has seen enough.
            let _ = news.send(News::Line(line));
        }
        if ends {
            let _ = news.send(News::Ended);
        }
    })
}

impl Child {
    pub(crate) fn start(start: &Start<'_>, news: &Sender<News>) -> std::io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("worker")
            .args(["--subject", &word(start.subject)]);
        command.arg("--directory").arg(start.directory);
        command.arg("--acks").arg(start.acks);
        command.args(["--load", &word(start.load), "--run", &start.run.to_string()]);
        if let Some(each) = start.each {
            command.args(["--each", &each.to_string()]);
        }
        if start.reopen {
            command.arg("--reopen");
        }
        if start.verify {
            command.arg("--verify");
        }
        if let Some(rival) = start.rival {
            command.args(["--rival", &word(rival)]);
        }
        command.env("RUST_BACKTRACE", "0");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = command.spawn()?;
        let mut readers = Vec::new();
        if let Some(out) = process.stdout.take() {
            readers.push(read(out, news.clone(), true));
        }
        if let Some(err) = process.stderr.take() {
            readers.push(read(err, news.clone(), false));
        }
        let stdin = process.stdin.take();
        Ok(Self {
            process,
            stdin,
            readers,
        })
    }

    pub(crate) fn go(&mut self) {
        if let Some(stdin) = &mut self.stdin {
            // A child that has ended tells so itself.
            let _ = stdin.write_all(b"go\n");
        }
    }

    /// SIGKILL; every line that it wrote before has then been read.
    pub(crate) fn kill(mut self) -> std::io::Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        for reader in self.readers {
            let _ = reader.join();
        }
        Ok(())
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Cases are judged in processes of their own, many in each: one that hangs or dies is one case, and
//! the next process goes on behind it.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child as Process, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use super::base::Asked;
use super::judge::{Answers, Noticed, judge};
use super::store::{Fault, Store};

/// After this a child hangs, whatever it does.
const PATIENCE: Duration = Duration::from_secs(240);

/// A store, a copy of it, and what is wrong with the copy.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(super) struct Case {
    pub(super) store: usize,
    pub(super) faults: Vec<Fault>,
}

/// What became of a case.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(super) struct Verdict {
    pub(super) noticed: Noticed,
    pub(super) panics: Vec<String>,
    /// Files whose damaged bytes are nowhere any more.
    pub(super) destroyed: Vec<String>,
    /// Files that were called damaged, or set aside, although no byte of them had been changed.
    pub(super) false_damage: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Directories of the stores, and beside each, with `.asked`, what is asked of it.
    #[arg(long, required = true)]
    stores: Vec<PathBuf>,
    /// Where the copies are made.
    #[arg(long)]
    scratch: PathBuf,
}

static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn panics() -> std::sync::MutexGuard<'static, Vec<String>> {
    PANICS
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Reads cases, a line each, and writes verdicts.
pub(crate) fn work(args: &Args) -> std::io::Result<()> {
    std::panic::set_hook(Box::new(|panic| {
        panics().push(panic.to_string().replace('\n', " "));
    }));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let mut stores = Vec::new();
    for path in &args.stores {
        let store = Store::load(path)?;
        let asked = std::fs::read_to_string(path.with_extension("asked"))?;
        let asked: Asked = serde_json::from_str(&asked)?;
        // What the undamaged one answers, twice: all else is held against it.
        let twin = twin(&runtime, &store, &asked, &args.scratch, None)?;
        let twin = twin.map_err(std::io::Error::other)?;
        let again = self::twin(&runtime, &store, &asked, &args.scratch, Some(&twin))?;
        again.map_err(std::io::Error::other)?;
        stores.push((store, asked, twin));
    }
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        let case: Case = serde_json::from_str(&line?)?;
        let (store, asked, twin) = &stores[case.store];
        let copy = args.scratch.join("it");
        let damaged = store.damaged(&copy, &case.faults)?;
        panics().clear();
        let (noticed, answers) = runtime.block_on(judge(&copy, asked, Some(twin)));
        let false_damage = false_damage(&copy, &case.faults, &answers.named);
        let destroyed = match noticed {
            Noticed::Open(_) => damaged.changed(store)?,
            _ => damaged.destroyed(store)?,
        };
        let verdict = Verdict {
            noticed,
            panics: std::mem::take(&mut *panics()),
            destroyed,
            false_damage,
        };
        let line = serde_json::to_string(&verdict)? + "\n";
        let mut out = std::io::stdout().lock();
        out.write_all(line.as_bytes())?;
        out.flush()?;
    }
    match stores.iter().all(|(store, ..)| store.is_unchanged()) {
        true => Ok(()),
        false => Err(std::io::Error::other("a case changed what all share")),
    }
}

/// The parts of a ledger's directory: a fault is in one of them, and so must be what is said of it.
fn part(path: &Path) -> Option<&std::ffi::OsStr> {
    path.iter().next()
}

/// Damage told of a part of the directory in which nothing was changed, and views that were
/// set aside although none of their bytes was.
fn false_damage(copy: &Path, faults: &[Fault], named: &[PathBuf]) -> Vec<String> {
    let is_hit = |path: &Path| {
        faults
            .iter()
            .any(|fault| part(Path::new(fault.path())) == part(path))
    };
    let within = |path: &PathBuf| path.strip_prefix(copy).unwrap_or(path).to_owned();
    let mut found: Vec<String> = named
        .iter()
        .map(within)
        .filter(|path| !is_hit(path))
        .map(|path| format!("verify: {}", path.display()))
        .collect();
    let kept = std::fs::read_dir(copy.join("quarantine"));
    for entry in kept.into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("views-") && !is_hit(Path::new("views")) {
            found.push(format!("set aside: {name}"));
        }
    }
    found
}

fn twin(
    runtime: &tokio::runtime::Runtime,
    store: &Store,
    asked: &Asked,
    scratch: &Path,
    expected: Option<&Answers>,
) -> std::io::Result<Result<Answers, String>> {
    let copy = scratch.join("it");
    store.damaged(&copy, &[])?;
    let (noticed, answers) = runtime.block_on(judge(&copy, asked, expected));
    let problem = answers.problem();
    Ok(match (noticed, problem) {
        (Noticed::Harmless, None) => Ok(answers),
        (noticed, problem) => Err(format!("without damage: {noticed:?}, {problem:?}")),
    })
}

impl Answers {
    /// Findings that an undamaged store must not have.
    pub(super) fn problem(&self) -> Option<String> {
        let records = self
            .records
            .iter()
            .filter_map(|answer| answer.clone().err());
        let others = self.others.iter().filter_map(|(name, answer)| {
            let error = answer.as_ref().err()?;
            Some(format!("{name}: {error}"))
        });
        let views = self.views.clone().and_then(Result::err);
        records.chain(others).chain(views).next()
    }
}

/// A process that judges.
pub(super) struct Child {
    process: Process,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

impl Child {
    pub(super) fn start(stores: &[PathBuf], scratch: &Path) -> std::io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("damage-cases").arg("--scratch").arg(scratch);
        for store in stores {
            command.arg("--stores").arg(store);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let pipes = process.stdin.take().zip(process.stdout.take());
        let (stdin, stdout) = pipes.ok_or_else(|| std::io::Error::other("no pipes"))?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // A judge that has stopped listening has seen enough.
                let _ = sender.send(line);
            }
        });
        let child = Self {
            process,
            stdin,
            lines,
        };
        match child.lines.recv_timeout(PATIENCE) {
            Ok(line) if line == "ready" => Ok(child),
            other => Err(std::io::Error::other(format!("not ready: {other:?}"))),
        }
    }

    /// The verdict; an error's text where the process died or hangs, and is gone now.
    pub(super) fn judge(&mut self, case: &Case) -> std::io::Result<Result<Verdict, String>> {
        let line = serde_json::to_string(case)? + "\n";
        let sent = self.stdin.write_all(line.as_bytes());
        let heard = self.lines.recv_timeout(PATIENCE);
        Ok(match (sent, heard) {
            (Ok(()), Ok(line)) => Ok(serde_json::from_str(&line)?),
            (_, Err(RecvTimeoutError::Timeout)) => {
                self.process.kill()?;
                self.process.wait()?;
                Err("the process hangs".into())
            }
            _ => Err(format!("the process died: {:?}", self.process.wait()?)),
        })
    }

    /// Lets it end, and hears whether it found its stores unchanged.
    pub(super) fn end(self) -> std::io::Result<()> {
        let Self {
            mut process, stdin, ..
        } = self;
        drop(stdin);
        match process.wait()?.success() {
            true => Ok(()),
            false => Err(std::io::Error::other("a case changed what all share")),
        }
    }
}

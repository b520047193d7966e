// SPDX-License-Identifier: Apache-2.0
//! The program under test, as a process of its own: it opens what lies in a directory, tells what it
//! finds, and writes until it is killed. The judge reads its lines; it believes none about content that
//! it could not check itself: every content follows from its id.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{BufRead, Write};
use std::path::PathBuf;

pub(crate) mod again;
pub(crate) mod bare;
mod caller;
pub(crate) mod content;
pub(crate) mod ledger;

/// Small, so that memtables are flushed and tables compacted within a second of work.
pub(crate) const MEMTABLE_BYTES: u64 = 24 << 10;

/// What is put to the test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Subject {
    Ledger,
    /// The engine alone, every batch synced: the control.
    Bare,
}

/// What is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Load {
    /// Every kind of command, small.
    Mixed,
    /// Contents so large that the engine goes on to another WAL.
    Large,
    /// Mixed, and views are made again all the time.
    Rebuild,
    /// Nothing: close in order after the check.
    #[default]
    Close,
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[arg(long)]
    pub(crate) subject: Subject,
    /// The directory that is opened.
    #[arg(long)]
    pub(crate) directory: PathBuf,
    /// What was acknowledged: lines `id first last`.
    #[arg(long)]
    pub(crate) acks: PathBuf,
    #[arg(long)]
    pub(crate) load: Load,
    /// Makes ids unique over all runs on a directory.
    #[arg(long)]
    pub(crate) run: u32,
    /// How many write at the same time.
    #[arg(long, default_value_t = 8)]
    pub(crate) callers: u32,
    /// Each caller stops after so many; without it they go on until the process is killed.
    #[arg(long)]
    pub(crate) each: Option<u64>,
    /// Opens again in this process when the callers have stopped.
    #[arg(long)]
    pub(crate) reopen: bool,
    /// Verifies everything, and tells what is called damaged.
    #[arg(long)]
    pub(crate) verify: bool,
    /// Another process tries to open the directory meanwhile.
    #[arg(long)]
    pub(crate) rival: Option<again::Rival>,
}

impl Args {
    /// The acknowledged ids with their places.
    pub(crate) fn acknowledged(&self) -> BTreeMap<String, (u64, u64)> {
        let text = std::fs::read_to_string(&self.acks).unwrap_or_default();
        let parse = |line: &str| {
            let mut words = line.split(' ');
            let id = words.next()?.to_owned();
            Some((
                id,
                (words.next()?.parse().ok()?, words.next()?.parse().ok()?),
            ))
        };
        text.lines().filter_map(parse).collect()
    }
}

/// Tells the judge a line, at once and whole.
pub(crate) fn tell(line: impl Display) {
    let line = format!("{line}\n");
    let mut out = std::io::stdout().lock();
    // A judge that has gone has killed this process.
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}

/// One line, whatever it is made of.
pub(crate) fn one_line(text: impl Display) -> String {
    text.to_string().replace(['\n', '\r'], " ")
}

/// Waits for the judge's word to begin.
pub(crate) fn wait_for_go() {
    let mut line = String::new();
    let _ = std::io::stdin().lock().read_line(&mut line);
}

/// Until the judge kills this process.
pub(crate) fn wait_for_the_end() -> ! {
    loop {
        std::thread::park();
    }
}

pub(crate) fn run(args: &Args) {
    match args.subject {
        Subject::Ledger => ledger::run(args),
        Subject::Bare => bare::run(args),
    }
}

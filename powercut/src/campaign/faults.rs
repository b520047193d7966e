// SPDX-License-Identifier: Apache-2.0
//! Faults of the disk, one at a time, in each step of the ledger's work: then the ledger is opened
//! again in the same process, which may be refused as long as the fault is there; the same directory is
//! opened by another process, written on, the power is cut, and it is opened once more. A failed sync
//! that lost its pages shows only then.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::time::Instant;

use super::child::Told;
use super::document;
use super::judge::Broken;
use super::life::{Life, Session, Violation};
use super::steps::{ALWAYS, HANG, STEPS, Step, When, wrongs};
use crate::disk::Mode;
use crate::machine::{Fault, Wrong};
use crate::worker::{Load, Subject};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only every n-th case.
    #[arg(long, default_value_t = 1)]
    every: usize,
    /// Only steps with this word in their name, told in detail.
    #[arg(long)]
    step: Option<String>,
    /// Writes the table into this document, between its marks.
    #[arg(long)]
    report: Option<PathBuf>,
}

#[derive(Debug, Clone, Default)]
struct Row {
    cases: u64,
    struck: u64,
    acknowledged: u64,
    failed: u64,
    refused_meanwhile: u64,
    reopened: u64,
    /// Cases in which a fault of the engine was told as that.
    engine_faults: u64,
    /// Codes that the reopening in the same process answered with.
    not_reopened: BTreeMap<String, u64>,
    violations: Vec<Violation>,
}

/// What another process must answer that opens the directory meanwhile.
const REFUSED: &str = "refused";

/// True where nothing was broken.
pub(crate) fn run(args: &Args) -> io::Result<bool> {
    let since = Instant::now();
    let bases = [Mode::Strict, Mode::Ordered].map(|mode| base(mode, args.seed));
    let [strict, ordered] = bases;
    let (strict, ordered) = (strict?, ordered?);
    let mut rows: BTreeMap<(usize, &'static str), Row> = BTreeMap::new();
    let mut index = 0;
    for (at, step) in STEPS.iter().enumerate() {
        if args
            .step
            .as_ref()
            .is_some_and(|word| !step.name.contains(word.as_str()))
        {
            continue;
        }
        for (name, wrong, times) in wrongs(step) {
            for (base, nth) in [&strict, &ordered]
                .into_iter()
                .flat_map(|base| step.nths.iter().map(move |nth| (base, *nth)))
            {
                index += 1;
                if step.rival.is_none() && index % args.every != 0 {
                    continue;
                }
                let event = step.event;
                let fault = wrong.map(|wrong| Fault {
                    event,
                    nth,
                    times,
                    wrong,
                });
                let row = rows.entry((at, name)).or_default();
                case(step, fault, base, args.step.is_some(), row)?;
            }
        }
        eprintln!("{}: {} s", step.name, since.elapsed().as_secs());
    }
    let table = table(&rows);
    print!("{table}");
    for ((at, name), row) in &rows {
        for violation in &row.violations {
            println!("{}, {name}: {violation:?}", STEPS[*at].name);
        }
    }
    if let Some(path) = &args.report {
        let command = format!(
            "```console\n$ cargo run --release --manifest-path powercut/Cargo.toml -- faults --seed {} --every {}\n```\n\n{} s.\n",
            args.seed,
            args.every,
            since.elapsed().as_secs()
        );
        document::replace(path, "faults", &format!("{command}\n{table}"))?;
    }
    Ok(rows.values().all(|row| row.violations.is_empty()))
}

/// A directory with some history, closed in order.
fn base(mode: Mode, seed: u64) -> io::Result<Life> {
    let mut life = Life::new(Subject::Ledger, mode, seed, 1)?;
    let filled = life.session(Session {
        load: Load::Mixed,
        each: Some(20),
        ..Session::default()
    })?;
    life.remember(filled.told)?;
    let closed = life.session(Session::default())?;
    if !life.judge(&closed.told, false, closed.hung) {
        return Err(io::Error::other(format!(
            "without any fault: {:?}",
            life.uncut
        )));
    }
    Ok(life)
}

fn case(
    step: &Step,
    fault: Option<Fault>,
    base: &Life,
    is_verbose: bool,
    row: &mut Row,
) -> io::Result<()> {
    let mut life = match step.when {
        When::Creation => Life::new(Subject::Ledger, base.mode, base.seed, 1)?,
        When::Opening | When::Load => Life::like(base)?,
    };
    life.verbose = is_verbose;
    let mut heard = life.session(session(step, fault))?;
    row.take(&heard.told, life.struck());
    let changes = fault.is_some_and(|fault| matches!(fault.wrong, Wrong::Sync(_)));
    heard.told.called_damaged();
    if changes {
        // What a sync lost is lost: to say so is right.
        heard.told.false_damage.clear();
    }
    // What cannot be read is tried again later: a fault of many reads may still be there.
    if fault.is_none_or(|fault| fault.times == 1 || !step.is_read && fault.times != ALWAYS) {
        row.break_all(&heard.told.again);
    }
    if is_verbose {
        let told = &heard.told;
        println!(
            "{fault:?} {:?}: struck {}, {} acks, failed {:?}, refused {:?}, reopened {} {:?} {:?}, rivals {:?}",
            base.mode,
            life.struck(),
            told.acks.len(),
            told.failed.first(),
            told.refused,
            told.reopened,
            told.not_reopened,
            told.again,
            told.rivals
        );
    }
    // While the fault is there it may refuse to open, and say that it cannot read.
    heard.told.refused = None;
    heard.told.bad.clear();
    heard.told.views.clear();
    heard.told.checked &= step.when == When::Load;
    let kept = life.judge(&heard.told, false, heard.hung);
    life.remember(heard.told)?;
    if kept {
        afterwards(&mut life, !changes && step.rival.is_none())?;
    }
    row.violations.append(&mut life.uncut);
    Ok(())
}

/// The run in which the fault is there.
fn session(step: &Step, fault: Option<Fault>) -> Session {
    let faults: Vec<_> = fault.into_iter().collect();
    let hangs = fault.is_some_and(|fault| fault.wrong == Wrong::Hangs);
    let (at_once, later) = match step.when {
        When::Load => (Vec::new(), faults),
        When::Creation | When::Opening => (faults, Vec::new()),
    };
    let each = if step.load == Load::Large { 30 } else { 60 };
    Session {
        load: step.load,
        each: Some(each),
        faults_at_once: at_once,
        faults: later,
        lift_after: hangs.then_some(HANG),
        reopen: true,
        verify: step.rival.is_none(),
        rival: step.rival,
        ..Session::default()
    }
}

/// Another process works on, the power is cut, and it is opened once more.
fn afterwards(life: &mut Life, verify: bool) -> io::Result<()> {
    for session in [
        Session {
            load: Load::Mixed,
            each: Some(10),
            verify,
            ..Session::default()
        },
        Session {
            verify,
            ..Session::default()
        },
    ] {
        let is_last = session.each.is_none();
        if is_last {
            life.cut_now();
        }
        let heard = life.session(session)?;
        let kept = life.judge(&heard.told, false, heard.hung);
        life.remember(heard.told)?;
        if !kept {
            break;
        }
    }
    Ok(())
}

impl Row {
    /// Counts what the run told in which the fault was there.
    fn take(&mut self, told: &Told, struck: u64) {
        let is_refused = |answer: &&String| answer.as_str() == REFUSED;
        self.cases += 1;
        self.struck += u64::from(struck > 0 || told.rivals.iter().any(|it| is_refused(&it)));
        self.acknowledged += told.acks.len() as u64;
        self.failed += told.failed.len() as u64;
        self.refused_meanwhile += u64::from(told.refused.is_some());
        self.reopened += u64::from(told.reopened);
        self.engine_faults += u64::from(told.engine_faults > 0);
        if let Some(code) = &told.not_reopened {
            *self.not_reopened.entry(code.clone()).or_default() += 1;
        }
        self.break_all(told.rivals.iter().filter(|it| !is_refused(it)));
    }

    fn break_all<'a>(&mut self, details: impl IntoIterator<Item = &'a String>) {
        self.violations
            .extend(details.into_iter().map(|detail| Violation {
                broken: Broken::Damaged,
                detail: detail.clone(),
            }));
    }
}

fn table(rows: &BTreeMap<(usize, &'static str), Row>) -> String {
    let mut text = String::from(
        "| step | what goes wrong | cases | struck | acknowledged | told as failed | did not open \
         meanwhile | reopened in the same process | not, and why | lost | damaged | refused \
         afterwards | views differ | hung | false damage | engine's fault told |\n\
         |---|---|---:|---:|---:|---:|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for ((at, name), row) in rows {
        let count = |broken| {
            row.violations
                .iter()
                .filter(|it| it.broken == broken)
                .count()
        };
        let codes = row.not_reopened.iter();
        let codes: Vec<_> = codes
            .map(|(code, times)| format!("`{code}` {times}"))
            .collect();
        let _ = writeln!(
            text,
            "| {} | {name} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            STEPS[*at].name,
            row.cases,
            row.struck,
            row.acknowledged,
            row.failed,
            row.refused_meanwhile,
            row.reopened,
            codes.join(", "),
            count(Broken::Lost),
            count(Broken::Damaged),
            count(Broken::Refused),
            count(Broken::Views),
            count(Broken::Hung),
            count(Broken::FalseDamage),
            row.engine_faults
        );
    }
    text
}

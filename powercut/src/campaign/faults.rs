//! Faults of the disk, one at a time, in each step of the ledger's work: then the same directory is
//! opened by another process, written on, the power is cut, and it is opened once more. A failed sync
//! that lost its pages shows only then.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::document;
use super::judge::Broken;
use super::life::{Life, Session, Violation};
use crate::disk::{Mode, SyncEnd};
use crate::machine::{Event, Fault, Wrong};
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

/// When the fault is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Creation,
    Opening,
    Load,
}

/// A step that can fail.
struct Step {
    name: &'static str,
    event: Event,
    when: When,
    load: Load,
    /// Which of them.
    nths: &'static [u64],
    is_sync: bool,
}

const fn step(name: &'static str, event: Event, nths: &'static [u64], is_sync: bool) -> Step {
    Step {
        name,
        event,
        when: When::Load,
        load: Load::Mixed,
        nths,
        is_sync,
    }
}

const STEPS: &[Step] = &[
    step("commit: write", Event::WalWrite, &[1, 20], false),
    step("commit: sync", Event::WalSync, &[1, 20], true),
    Step {
        load: Load::Large,
        ..step("rotation: create", Event::WalCreate, &[1], false)
    },
    step("flush: create a table", Event::TableCreate, &[1, 3], false),
    step("flush: write a table", Event::TableWrite, &[1, 5], false),
    step("flush: sync a table", Event::TableSync, &[1, 3], true),
    step(
        "flush, compaction: list of tables",
        Event::Other,
        &[1, 4],
        false,
    ),
    step(
        "flush, compaction: sync the list",
        Event::OtherSync,
        &[1, 4],
        true,
    ),
    step("compaction", Event::Compaction, &[1, 3], false),
    step("views: change", Event::Views, &[1, 40], false),
    step("views: write", Event::ViewsWrite, &[1, 30], false),
    // Under load nothing syncs views but the change to one that was made again.
    Step {
        load: Load::Rebuild,
        ..step("views: sync", Event::ViewsSync, &[1, 3], true)
    },
    step("anchor: write", Event::Anchor, &[1, 5], false),
    step("anchor: sync", Event::AnchorSync, &[1, 5], true),
    Step {
        when: When::Creation,
        ..step(
            "creation: change",
            Event::Change,
            &[1, 6, 20, 40, 70, 110],
            false,
        )
    },
    Step {
        when: When::Creation,
        ..step("creation: sync", Event::OtherSync, &[1, 3, 6, 12], true)
    },
    Step {
        when: When::Opening,
        ..step("opening: change", Event::Change, &[1, 4, 15, 60], false)
    },
    Step {
        when: When::Opening,
        ..step("opening: open a file", Event::Open, &[1, 8, 20], false)
    },
    Step {
        when: When::Opening,
        ..step("opening: sync", Event::OtherSync, &[1, 2], true)
    },
];

const HANG: Duration = Duration::from_secs(3);

fn wrongs(step: &Step) -> Vec<(&'static str, Wrong, u64)> {
    const ALWAYS: u64 = u64::MAX;
    if step.is_sync {
        return vec![
            ("failed, lost", Wrong::Sync(SyncEnd::FailedAndLost), 1),
            (
                "failed but persisted",
                Wrong::Sync(SyncEnd::FailedButPersisted),
                1,
            ),
            (
                "fails from then on, lost",
                Wrong::Sync(SyncEnd::FailedAndLost),
                ALWAYS,
            ),
            (
                "slow: 0.3 s each, ten times",
                Wrong::Slow(Duration::from_millis(300)),
                10,
            ),
            ("hangs for 3 s", Wrong::Hangs, 1),
        ];
    }
    let mut wrongs = vec![
        ("EIO once", Wrong::Fails(libc::EIO), 1),
        ("EIO from then on", Wrong::Fails(libc::EIO), ALWAYS),
        ("disk full once", Wrong::Fails(libc::ENOSPC), 1),
        ("disk full from then on", Wrong::Fails(libc::ENOSPC), ALWAYS),
        ("read-only from then on", Wrong::Fails(libc::EROFS), ALWAYS),
        (
            "permission denied from then on",
            Wrong::Fails(libc::EACCES),
            ALWAYS,
        ),
    ];
    if matches!(
        step.event,
        Event::WalWrite | Event::TableWrite | Event::ViewsWrite
    ) {
        wrongs.push(("short write", Wrong::Short, 5));
        wrongs.push(("hangs for 3 s", Wrong::Hangs, 1));
    }
    wrongs
}

#[derive(Debug, Clone, Default)]
struct Row {
    cases: u64,
    struck: u64,
    acknowledged: u64,
    failed: u64,
    refused_meanwhile: u64,
    violations: Vec<Violation>,
}

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
                if index % args.every != 0 {
                    continue;
                }
                let fault = Fault {
                    event: step.event,
                    nth,
                    times,
                    wrong,
                };
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

fn case(step: &Step, fault: Fault, base: &Life, is_verbose: bool, row: &mut Row) -> io::Result<()> {
    let mut life = match step.when {
        When::Creation => Life::new(Subject::Ledger, base.mode, base.seed, 1)?,
        When::Opening | When::Load => Life::like(base)?,
    };
    life.verbose = is_verbose;
    let faults = vec![fault];
    let (at_once, later) = match step.when {
        When::Load => (Vec::new(), faults),
        When::Creation | When::Opening => (faults, Vec::new()),
    };
    let each = if step.load == Load::Large { 30 } else { 60 };
    let session = Session {
        load: step.load,
        each: Some(each),
        faults_at_once: at_once,
        faults: later,
        lift_after: (fault.wrong == Wrong::Hangs).then_some(HANG),
        ..Session::default()
    };
    let mut heard = life.session(session)?;
    row.cases += 1;
    row.struck += u64::from(life.struck() > 0);
    row.acknowledged += heard.told.acks.len() as u64;
    row.failed += heard.told.failed.len() as u64;
    row.refused_meanwhile += u64::from(heard.told.refused.is_some());
    if is_verbose {
        println!(
            "{fault:?} {:?}: struck {}, {} acks, failed {:?}, refused {:?}",
            base.mode,
            life.struck(),
            heard.told.acks.len(),
            heard.told.failed.first(),
            heard.told.refused
        );
    }
    // While the fault is there it may refuse to open, and say that it cannot read.
    heard.told.refused = None;
    heard.told.bad.clear();
    heard.told.views.clear();
    heard.told.checked &= step.when == When::Load;
    let mut kept = life.judge(&heard.told, false, heard.hung);
    life.remember(heard.told)?;
    for session in [
        Session {
            load: Load::Mixed,
            each: Some(10),
            ..Session::default()
        },
        Session::default(),
    ] {
        if !kept {
            break;
        }
        let is_last = session.each.is_none();
        if is_last {
            life.cut_now();
        }
        let heard = life.session(session)?;
        kept = life.judge(&heard.told, false, heard.hung);
        life.remember(heard.told)?;
    }
    row.violations.append(&mut life.uncut);
    Ok(())
}

fn table(rows: &BTreeMap<(usize, &'static str), Row>) -> String {
    let mut text = String::from(
        "| step | what goes wrong | cases | struck | acknowledged | told as failed | did not open \
         meanwhile | lost | damaged | refused afterwards | views differ | hung |\n\
         |---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for ((at, name), row) in rows {
        let count = |broken| {
            row.violations
                .iter()
                .filter(|it| it.broken == broken)
                .count()
        };
        let _ = writeln!(
            text,
            "| {} | {name} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            STEPS[*at].name,
            row.cases,
            row.struck,
            row.acknowledged,
            row.failed,
            row.refused_meanwhile,
            count(Broken::Lost),
            count(Broken::Damaged),
            count(Broken::Refused),
            count(Broken::Views),
            count(Broken::Hung)
        );
    }
    text
}

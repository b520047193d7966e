// SPDX-License-Identifier: Apache-2.0
//! The campaign: many lives, in both modes, of the ledger and of the control.

use std::io;
use std::path::PathBuf;
use std::time::Instant;

use crate::disk::Mode;
use crate::random::Random;
use crate::worker::Subject;

mod child;
pub(crate) mod document;
pub(crate) mod faults;
mod judge;
mod life;
mod plan;
mod steps;
mod tally;

use life::Life;
use tally::Tally;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How often the power is cut under the ledger; under the control a quarter of it.
    #[arg(long, default_value_t = 40)]
    cuts: usize,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Writes everything down here, one JSON object.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Writes the tables into this document, between its marks.
    #[arg(long)]
    report: Option<PathBuf>,
    /// Only this life, told in detail.
    #[arg(long)]
    life: Option<u64>,
    /// Only one of the two.
    #[arg(long)]
    subject: Option<Subject>,
    /// Only one of the two.
    #[arg(long)]
    mode: Option<Mode>,
}

/// Before the first opening has told how many changes it makes.
const OPENING_GUESS: u64 = 150;

/// True where every promise was kept, and the control's were not.
pub(crate) fn run(args: &Args) -> io::Result<bool> {
    let since = Instant::now();
    let mut tally = Tally::new(args.seed);
    for (subject, cuts) in [
        (Subject::Ledger, args.cuts),
        (Subject::Bare, args.cuts.div_ceil(4).max(20)),
    ] {
        if args.subject.is_none_or(|only| only == subject) {
            lives(args, subject, cuts, &mut tally)?;
        }
    }
    tally.finish(since.elapsed());
    print!("{}", tally.table());
    for line in tally.violations(Subject::Ledger).iter().take(20) {
        println!("{line}");
    }
    if let Some(path) = &args.json {
        std::fs::write(path, tally.json()?)?;
    }
    if let Some(path) = &args.report {
        tally.write_into(path)?;
    }
    let kept = tally.broken(Subject::Ledger) == 0;
    let bites = args.subject.is_some() || args.life.is_some() || tally.broken(Subject::Bare) > 0;
    if !bites {
        eprintln!("the control lost nothing: the bench does not bite");
    }
    Ok(kept && bites)
}

fn lives(args: &Args, subject: Subject, cuts: usize, tally: &mut Tally) -> io::Result<()> {
    let mut opening = OPENING_GUESS;
    let (mut done, mut index) = (0, 0);
    while done < cuts {
        let seed = Random::new(args.seed ^ (index << 8) ^ subject as u64).next();
        let even = if index % 2 == 0 {
            Mode::Strict
        } else {
            Mode::Ordered
        };
        let mode = args.mode.unwrap_or(even);
        let is_wanted = args.life.is_none_or(|only| only == index);
        if is_wanted {
            let mut life = Life::new(subject, mode, seed, opening)?;
            life.verbose = args.life.is_some();
            life.live(cuts - done)?;
            done += life.cuts.len().max(1);
            opening = life.opening().max(1);
            tally.add(index, &life);
            if index % 10 == 0 {
                eprintln!(
                    "{subject:?}: {done} of {cuts} cuts, {} broken",
                    tally.broken(subject)
                );
            }
        }
        index += 1;
        if args.life.is_some_and(|only| index > only) {
            break;
        }
    }
    Ok(())
}

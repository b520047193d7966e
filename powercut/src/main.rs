// SPDX-License-Identifier: Apache-2.0
//! Cuts the power under the ledger, again and again, and holds what is left against what was
//! acknowledged.
//!
//! `cargo run --release --manifest-path powercut/Cargo.toml -- campaign --cuts 1000 --seed 1`

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod campaign;
mod damage;
mod disk;
mod machine;
mod mount;
mod random;
mod worker;

/// A file system cannot be mounted here: nothing was tested. As automake's tests say it.
const SKIPPED: u8 = 77;

#[derive(Parser)]
#[command(about = "Cuts the power under the ledger")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Power cuts at chosen steps, with a control. Exit code 1: a promise was broken, or the control
    /// lost nothing; 77: no file system can be mounted here, nothing was tested.
    Campaign(campaign::Args),
    /// Faults of the disk in every step, one at a time. Exit codes as the campaign's.
    Faults(campaign::faults::Args),
    /// Damage to every kind of file of a closed store. Needs no file system of its own. Exit code 1: a
    /// promise was broken.
    Damage(damage::Args),
    /// Judges cases of damage; started by `damage`.
    #[command(hide = true)]
    DamageCases(damage::child::Args),
    /// The program under test; started by the others.
    #[command(hide = true)]
    Worker(worker::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Command::Worker(args) = &cli.command {
        worker::run(args);
        return ExitCode::SUCCESS;
    }
    match &cli.command {
        Command::Damage(args) => return ended(damage::run(args)),
        Command::DamageCases(args) => return ended(damage::child::work(args).map(|()| true)),
        _ => {}
    }
    if let Some(obstacle) = mount::obstacle() {
        eprintln!("SKIPPED: {obstacle}. This needs /dev/fuse, and root or fusermount3.");
        return ExitCode::from(SKIPPED);
    }
    match &cli.command {
        Command::Campaign(args) => ended(campaign::run(args)),
        Command::Faults(args) => ended(campaign::faults::run(args)),
        _ => ExitCode::SUCCESS,
    }
}

fn ended(outcome: std::io::Result<bool>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("powercut: {error}");
            ExitCode::FAILURE
        }
    }
}

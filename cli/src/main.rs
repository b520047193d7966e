// SPDX-License-Identifier: Apache-2.0
//! The program `femtoclaw-ledger`: see `femtoclaw-ledger --help`.
//!
//! Data goes to standard output, everything else to standard error. The program knows the library by its
//! public interface alone. Without the feature `engine` it verifies, and prints pages, and knows nothing of ledgers.

mod arguments;
mod bundle;
mod files;
#[cfg(feature = "engine")]
mod inspect;
mod outcome;
mod report;
#[cfg(feature = "engine")]
mod salvage;
mod verify;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use femtoclaw_ledger::integrity::text::shown;

use arguments::{Arguments, Verb};
use outcome::{Exit, Problem};

fn main() -> ExitCode {
    let (exit, printed) = match Arguments::try_parse() {
        Ok(arguments) => tell(arguments.command.map_or_else(help, run)),
        Err(error) => misused(&error),
    };
    // A verdict that nobody could read was not given.
    let exit = if printed.is_err() {
        Exit::Failure
    } else {
        exit
    };
    ExitCode::from(exit as u8)
}

fn run(command: Verb) -> Result<(Exit, String), Problem> {
    match command {
        Verb::Verify(what) => verify::run(&what).map(|text| (Exit::Ok, text)),
        Verb::Page { file } => bundle::page(&file).map(|text| (Exit::Ok, text)),
        #[cfg(feature = "engine")]
        Verb::Inspect {
            ledger,
            trust,
            output,
        } => inspect::run(&ledger, &trust, output.format),
        #[cfg(feature = "engine")]
        Verb::Salvage {
            ledger,
            new,
            disregard_anchor,
            output,
        } => salvage::run(&ledger, &new, disregard_anchor, output.format),
    }
}

/// Nothing was asked.
fn help() -> Result<(Exit, String), Problem> {
    Ok((Exit::Ok, Arguments::command().render_help().to_string()))
}

fn tell(outcome: Result<(Exit, String), Problem>) -> (Exit, std::io::Result<()>) {
    match outcome {
        Ok((exit, text)) => (exit, std::io::stdout().write_all(text.as_bytes())),
        Err(Problem { exit, text, data }) => {
            let printed = std::io::stdout().write_all(data.as_bytes());
            let printed =
                printed.and_then(|()| writeln!(std::io::stderr(), "error: {}", shown(&text)));
            (exit, printed)
        }
    }
}

/// The parser's own answer: help and version, which were asked for, or what is wrong with the arguments.
fn misused(error: &clap::Error) -> (Exit, std::io::Result<()>) {
    let text = error.render().to_string();
    // It repeats the arguments, which others may have written.
    let lines: String = text.lines().map(|line| shown(line) + "\n").collect();
    if error.use_stderr() {
        (Exit::Usage, std::io::stderr().write_all(lines.as_bytes()))
    } else {
        (Exit::Ok, std::io::stdout().write_all(lines.as_bytes()))
    }
}

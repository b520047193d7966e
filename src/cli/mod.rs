//! The program `femtoclaw-ledger`. Data goes to standard output, everything else to standard error.

mod arguments;
mod bundle;
mod files;
mod inspect;
mod report;
mod salvage;
mod verify;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use crate::integrity::text::shown;

use arguments::Arguments;

/// Exit codes, the same in every program around the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    Ok = 0,
    Failure = 1,
    Usage = 2,
    /// What was checked is not what it claims to be.
    Integrity = 3,
    /// Done, and there is something to be looked at.
    Warnings = 4,
    NoStore = 10,
    Locked = 11,
    OtherFormat = 13,
    NotFound = 14,
}

/// Why a command did not end well.
#[derive(Debug)]
struct Problem {
    exit: Exit,
    text: String,
    /// The same for programs, where they asked for it.
    data: String,
}

impl Problem {
    fn new(exit: Exit, text: impl Into<String>) -> Self {
        let (text, data) = (text.into(), String::new());
        Self { exit, text, data }
    }

    fn usage(text: impl Into<String>) -> Self {
        Self::new(Exit::Usage, text)
    }

    /// The error and everything that caused it, on one line.
    fn of(exit: Exit, what: &str, error: &dyn std::error::Error) -> Self {
        let mut text = format!("{what}: {error}");
        let mut cause = error.source();
        while let Some(error) = cause {
            text.push_str(&format!(": {error}"));
            cause = error.source();
        }
        Self::new(exit, text)
    }
}

const USAGE: &str = "\
femtoclaw-ledger verify checkpoint FILE TRUST
femtoclaw-ledger verify proof FILE --entry FILE TRUST
femtoclaw-ledger verify export DIRECTORY [--since FILE] TRUST
femtoclaw-ledger verify bundle PATH [--export DIRECTORY] TRUST
femtoclaw-ledger page FILE
femtoclaw-ledger inspect LEDGER [TRUST]
femtoclaw-ledger salvage LEDGER NEW [--disregard-anchor]

verify checks with public keys alone; no ledger is opened, nothing is changed.

  checkpoint  a signed note (C2SP tlog-checkpoint)
  proof       a proof (C2SP tlog-proof) that the record header in --entry is in a log
  export      a directory of tiles (C2SP tlog-tiles): every entry, every tile, the root; with
              --since also that it extends that earlier checkpoint
  bundle      evidence of one execution: a file, or the directory that holds it with its page;
              with --export also, from every header there, that no record of it is left out
  page        prints the page for people that a bundle gives, and checks nothing

TRUST is --policy FILE (C2SP tlog-policy), or --log KEY once or more, and --witness KEY with
--quorum NUMBER. A KEY is name+id+base64. --now SECONDS: cosignatures of later times do not count.
FILE can be - for standard input.

inspect reads all of a ledger, also of one that does not open, and tells what it holds and what is
wrong with it; with TRUST also whether each checkpoint that it recorded is signed as that demands, and
of its records. Nothing in its directory is changed.

salvage copies what verifies of a damaged ledger, from record 1 on to the first that does not, into
the new directory NEW, which must not exist; LEDGER is only read. Whole frames behind that record are
kept in NEW/quarantine/salvage. --disregard-anchor goes on where the record that the anchor claims is
another one.

--format table (default) or json; progress goes to standard error.

Exit codes: 0 verified, intact, salvaged as a whole; 1 failure; 2 usage; 3 damaged, or not what it claims
to be; 4 done, with something to be looked at; 10 no ledger there; 11 in use; 13 of another format;
14 not found.
";

/// Runs the program with these arguments, its own name left out.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let outcome =
        Arguments::parse(arguments).and_then(|arguments| match arguments.words().as_slice() {
            [] | ["help"] => Ok((Exit::Ok, USAGE.to_owned())),
            ["version"] => {
                let version = format!("femtoclaw-ledger {}\n", env!("CARGO_PKG_VERSION"));
                Ok((Exit::Ok, version))
            }
            ["verify", what, path] => {
                verify::run(what, path, &arguments).map(|text| (Exit::Ok, text))
            }
            ["page", path] => bundle::page(path, &arguments).map(|text| (Exit::Ok, text)),
            ["inspect", path] => inspect::run(path, &arguments),
            ["salvage", from, to] => salvage::run(from, to, &arguments),
            _ => Err(Problem::usage("no such command; try --help")),
        });
    let (exit, printed) = match outcome {
        Ok((exit, text)) => (exit, std::io::stdout().write_all(text.as_bytes())),
        Err(Problem { exit, text, data }) => {
            let printed = std::io::stdout().write_all(data.as_bytes());
            (
                exit,
                printed.and_then(|()| writeln!(std::io::stderr(), "error: {}", shown(&text))),
            )
        }
    };
    // A verdict that nobody could read was not given.
    let exit = if printed.is_err() {
        Exit::Failure
    } else {
        exit
    };
    ExitCode::from(exit as u8)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! The program `femtoclaw-ledger`: see `femtoclaw-ledger --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    femtoclaw_ledger::cli::run(std::env::args_os().skip(1))
}

// SPDX-License-Identifier: Apache-2.0
//! The same directory once more: by this process after its fault, by another one meanwhile.

use std::process::{Command, Stdio};
use std::time::Duration;

use femtoclaw_ledger::{Quota, Rights, Root};

use super::caller::Caller;
use super::ledger::{PATIENCE, called_damaged, check, options};
use super::{Args, one_line, tell, wait_for_the_end};

/// What everything gets to let go in.
const LETTING_GO: Duration = Duration::from_secs(10);
/// Commands after the reopening.
const AFTERWARDS: u64 = 3;

/// Who opens the directory while it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Rival {
    Beside,
    /// After every lock file was removed.
    WithoutLocks,
}

/// Opens again, checks everything, and writes on; or tells the code of the error.
pub(super) async fn reopen(args: &Args, root: &Root) {
    let reopened = root.reopen(options(), LETTING_GO);
    let (ledger, root) = match tokio::time::timeout(PATIENCE, reopened).await {
        Ok(Ok(reopened)) => reopened,
        Ok(Err(error)) => return tell(format_args!("not_reopened {}", error.code())),
        // The judge takes it for what it is.
        Err(_) => wait_for_the_end(),
    };
    tell("reopened");
    let granted = root.grant("load", Rights::all(), Quota::default());
    let grant = match tokio::time::timeout(PATIENCE, granted).await {
        Ok(Ok(grant)) => grant,
        Ok(Err(error)) => return tell(format_args!("again grant: {}", one_line(error))),
        Err(_) => wait_for_the_end(),
    };
    if let Err(problem) = check(args, &ledger, &grant).await {
        tell(format_args!("again {}", one_line(problem)));
    }
    called_damaged(args, &ledger).await;
    let caller = Caller::new(args, args.callers, &ledger, &grant);
    caller.write(AFTERWARDS).await;
}

/// Another process opens the same directory, and must be refused.
pub(super) async fn rival(args: &Args, rival: Rival) {
    let args = args.clone();
    let answer = tokio::task::spawn_blocking(move || open_elsewhere(&args, rival)).await;
    match answer {
        Ok(Ok(answer)) => tell(format_args!("rival {answer}")),
        Ok(Err(error)) => tell(format_args!("rival {}", one_line(error))),
        Err(error) => tell(format_args!("rival {}", one_line(error))),
    }
}

fn open_elsewhere(args: &Args, rival: Rival) -> std::io::Result<String> {
    if rival == Rival::WithoutLocks {
        for lock in ["LOCK", "journal/lock"] {
            std::fs::remove_file(args.directory.join(lock))?;
        }
    }
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["worker", "--subject", "ledger", "--load", "close"]);
    command.arg("--directory").arg(&args.directory);
    command.arg("--acks").arg(&args.acks);
    command.args(["--run", "0"]);
    let output = command.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    Ok(match said.lines().next() {
        Some(line) if line.starts_with("refused Locked") => "refused".to_owned(),
        other => format!("answered {}", one_line(format!("{other:?}"))),
    })
}

// SPDX-License-Identifier: Apache-2.0
//! A test again, in a process of its own: where it is killed, measured, or owns the process's recorder.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const CHILD: &str = "FEMTOCLAW_LEDGER_CHILD";

/// Where the child is to work; `None` in the parent.
pub(crate) fn child_path() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

/// This very test again, in a process of its own.
pub(crate) fn child_command(test: &str, path: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

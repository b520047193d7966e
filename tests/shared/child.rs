// SPDX-License-Identifier: Apache-2.0
//! A test again, in a process of its own: where it is killed, measured, or owns the process's recorder.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(dead_code, reason = "not every test file uses all of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

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

/// Runs this command as the user nobody, by a copy of this program at `program`, where that user can get to it.
pub(crate) fn as_nobody(command: &Command, program: &Path) -> Output {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    std::fs::copy(std::env::current_exe().unwrap(), program).unwrap();
    std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut child = Command::new(program);
    child.args(command.get_args());
    for (key, value) in command.get_envs() {
        child.env(key, value.unwrap());
    }
    child.uid(65_534).gid(65_534).current_dir("/");
    loop {
        match child.output() {
            // A process that another test starts has the copy open for writing until it runs its own program.
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            output => return output.unwrap(),
        }
    }
}

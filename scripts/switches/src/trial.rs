// SPDX-License-Identifier: Apache-2.0
//! Tests, alone and together, with a limit to each trial.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

pub enum Outcome {
    Passed,
    /// The test, or how the process ended.
    Failed(String),
    Late,
}

pub struct Trial<'a> {
    pub tree: &'a Path,
    pub program: &'a PathBuf,
    pub tests: Vec<&'a str>,
    pub set: Vec<(&'static str, String)>,
    /// Of this trial alone, removed after it.
    pub temporary: PathBuf,
    pub limit: Duration,
}

impl Trial<'_> {
    /// Until the first test fails.
    pub fn run(&self) -> Outcome {
        std::fs::create_dir_all(&self.temporary).expect("a temporary directory");
        let outcome = self.outcome();
        let _ = std::fs::remove_dir_all(&self.temporary);
        outcome
    }

    fn outcome(&self) -> Outcome {
        let mut child = self.started();
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines() {
                let Ok(line) = line else { return };
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let end = Instant::now() + self.limit;
        let mut last = String::new();
        let outcome = loop {
            match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if line.starts_with("test ") && line.ends_with("FAILED") {
                        break Some(Outcome::Failed(line));
                    }
                    if !line.is_empty() {
                        last = line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => break Some(Outcome::Late),
                Err(RecvTimeoutError::Disconnected) => break None,
            }
        };
        if let Some(outcome) = outcome {
            stop(&mut child);
            return outcome;
        }
        loop {
            match child.try_wait().expect("a child of ours") {
                Some(status) if status.success() => return Outcome::Passed,
                Some(status) => {
                    stop(&mut child);
                    return Outcome::Failed(format!("{status}, after: {last}"));
                }
                None if Instant::now() > end => {
                    stop(&mut child);
                    return Outcome::Late;
                }
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    fn started(&self) -> Child {
        // A mutant may take memory, or write, without end.
        let mut command = Command::new("bash");
        command.args(["-c", "ulimit -v 8000000 -f 6000000; exec \"$@\"", "trial"]);
        command
            .arg(self.program)
            .args(["--exact", "--test-threads=2"])
            .args(&self.tests);
        command
            .current_dir(self.tree)
            .env("CARGO_MANIFEST_DIR", self.tree)
            .env("TMPDIR", &self.temporary);
        command
            .env("RUST_BACKTRACE", "0")
            .envs(self.set.iter().map(|(name, value)| (name, value)));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0);
        command.spawn().expect("bash")
    }
}

/// And whatever it has started.
fn stop(child: &mut Child) {
    let group = format!("-{}", child.id());
    let _ = Command::new("kill")
        .args(["-9", "--", &group])
        .stderr(Stdio::null())
        .status();
    let _ = child.wait();
}

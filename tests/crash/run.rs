// SPDX-License-Identifier: Apache-2.0
//! One run of the example, what it told its parent, and its end.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use femtoclaw_ledger::events::CommandId;

use super::{MEMTABLE_BYTES, PATIENCE};

/// What the child said, as the parent read it.
#[derive(Debug)]
pub(crate) enum Said {
    Recovered {
        head: u64,
        epoch: u64,
        in_doubt: usize,
    },
    Acknowledged(CommandId, u64, u64),
}

pub(crate) fn parse(line: &str) -> Option<Said> {
    if line.starts_with('{') {
        let fact: serde_json::Value = serde_json::from_str(line).unwrap();
        let recovered = fact.get("recovered")?;
        return Some(Said::Recovered {
            head: recovered["head"].as_u64().unwrap(),
            epoch: recovered["epoch"].as_u64().unwrap(),
            in_doubt: recovered["in_doubt"].as_array().unwrap().len(),
        });
    }
    if line.starts_with('#') {
        return None;
    }
    let words: Vec<_> = line.split(' ').collect();
    assert_eq!(words.len(), 3, "not an acknowledgement: {line:?}");
    Some(Said::Acknowledged(
        words[0].parse().unwrap(),
        words[1].parse().unwrap(),
        words[2].parse().unwrap(),
    ))
}

/// A run of the example that will be killed.
pub(crate) struct Run {
    pub(crate) child: Child,
    pub(crate) said: Receiver<Said>,
    pub(crate) reader: JoinHandle<()>,
    pub(crate) since: Instant,
}

impl Run {
    pub(crate) fn start(program: &Path, work: &Path) -> Self {
        let root = env!("CARGO_MANIFEST_DIR");
        let mut child = Command::new(program)
            .args(["--json", "--quiet", "--concurrency", "64"])
            .args(["--repeat", "1000000", "--root", root])
            .args(["--memtable-bytes", &MEMTABLE_BYTES.to_string()])
            // Acknowledgements go the same way as the report: one pipe, read by the parent.
            .args(["--acks", "/dev/stdout"])
            .arg("--input")
            .arg(work.join("input.jsonl"))
            .arg("--data")
            .arg(work.join("ledger"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let since = Instant::now();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let (sender, said) = channel();
        let reader = std::thread::spawn(move || {
            for line in lines.split(b'\n') {
                let line = String::from_utf8(line.unwrap()).unwrap();
                if let Some(said) = parse(&line) {
                    sender.send(said).unwrap();
                }
            }
        });
        Self {
            child,
            said,
            reader,
            since,
        }
    }

    /// Takes down what is said until `enough`; the child must not end by itself.
    pub(crate) fn listen(&mut self, told: &mut Told, enough: impl Fn(&Told) -> bool) {
        while !enough(told) {
            match self.said.recv_timeout(PATIENCE) {
                Ok(said) => told.take(said, self.since),
                Err(RecvTimeoutError::Timeout) => panic!("nothing heard for {PATIENCE:?}"),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the program ended by itself: {:?}", self.child.wait())
                }
            }
        }
    }

    /// SIGKILL; then everything that was written to the pipe before it.
    pub(crate) fn kill(mut self, told: &mut Told) {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        self.reader.join().unwrap();
        for said in self.said.try_iter() {
            told.take(said, self.since);
        }
        assert_eq!(
            status.code(),
            None,
            "it ended before it was killed: {status}"
        );
    }
}

/// What one run told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) epoch: Option<u64>,
    pub(crate) head: u64,
    pub(crate) in_doubt: usize,
    pub(crate) opened_in: Duration,
    pub(crate) acks: Vec<(CommandId, u64, u64)>,
}

impl Told {
    pub(crate) fn take(&mut self, said: Said, since: Instant) {
        match said {
            Said::Recovered {
                head,
                epoch,
                in_doubt,
            } => {
                (self.head, self.epoch, self.in_doubt) = (head, Some(epoch), in_doubt);
                self.opened_in = since.elapsed();
            }
            Said::Acknowledged(command, first, last) => self.acks.push((command, first, last)),
        }
    }
}

/// The example lies beside the tests; it is built here too, for `cargo test --test crash` alone
/// would judge an old one.
pub(crate) fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let profile = tests.parent().unwrap().parent().unwrap();
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--example", "agent_runtime"]);
    build.arg("--target-dir").arg(profile.parent().unwrap());
    if profile.ends_with("release") {
        build.arg("--release");
    }
    let built = build.current_dir(env!("CARGO_MANIFEST_DIR")).status();
    assert!(built.unwrap().success(), "the example does not build");
    let program = profile.join("examples").join("agent_runtime");
    assert!(program.is_file(), "{}", program.display());
    program
}

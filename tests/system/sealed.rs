// SPDX-License-Identifier: Apache-2.0
//! A write that the system takes in part and then refuses: the ledger seals itself, and the bytes that it
//! leaves behind the last whole batch are that write's, and no damage.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use femtoclaw_ledger::{
    AppendError, Context, Ledger, Options,
    read_only::ReadOnlyOptions,
    verify::{Verified, VerifyOptions},
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::child::{child_command, child_path};
use crate::scene::{block_on, options, quarantined, record};
use crate::shared::{WAIT, everything, observation};

/// Of a record, so that the journal's log is the longest file by far.
const LARGE: usize = 200_000;
/// What is taken of the write that fails.
const TAKEN: u64 = 1_000;

/// No file may grow beyond this byte; `None`: as before.
fn file_size_max(bytes: Option<u64>) {
    let maximum = getrlimit(Resource::Fsize).maximum;
    let current = bytes.or(maximum);
    setrlimit(Resource::Fsize, Rlimit { current, maximum }).unwrap();
}

/// This very test again, in a process that a write beyond its limit does not kill.
fn in_a_process(test: &str, path: &Path) {
    let command = child_command(test, path);
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]);
    shell.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    let output = shell.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
}

/// Where the log's bytes end: it is preallocated.
fn used(log: &Path) -> u64 {
    let bytes = fs::read(log).unwrap();
    bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64 + 1
}

async fn verified(ledger: &Ledger) -> Verified {
    let verified = ledger.verify(VerifyOptions::threads(1), |_| {});
    verified.await.unwrap()
}

fn flip(log: &Path, at: u64) {
    let file = File::options().read(true).write(true).open(log).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
}

/// The places that are called damaged.
async fn damaged(ledger: &Ledger) -> Vec<(PathBuf, Option<u64>)> {
    let damages = verified(ledger).await.damages.into_iter();
    damages.map(|it| (it.path, it.offset)).collect()
}

fn large() -> Options {
    Options {
        memtable_bytes: Some(8 << 20),
        scrub_bytes_per_second: 1 << 30,
        scrub_pause: Duration::ZERO,
        // Nothing is written behind what the test knows to be the end.
        activity_interval: Duration::from_secs(3_600),
        ..options()
    }
}

async fn a_pass_of_the_scrub(ledger: &Ledger) {
    let passes = ledger.scrubbed().passes;
    let passed = async {
        while ledger.scrubbed().passes < passes + 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(WAIT, passed).await.expect("in time");
}

#[test]
fn the_torn_tail_of_a_failed_write_is_no_damage_and_what_lies_before_it_is() {
    let name = "sealed::the_torn_tail_of_a_failed_write_is_no_damage_and_what_lies_before_it_is";
    let Some(path) = child_path() else {
        let directory = tempfile::tempdir().unwrap();
        return in_a_process(name, &directory.path().join("ledger"));
    };
    block_on(async {
        let (ledger, root) = Ledger::open(&path, large()).await.unwrap();
        let grant = everything(&root).await;
        record(&ledger, &grant, 6, LARGE).await;
        ledger.at_least(ledger.head().seq).await.unwrap();
        assert_eq!(verified(&ledger).await.unfinished, []);
        let log = path.join("journal/0.jnl");
        let end = used(&log);
        file_size_max(Some(end + TAKEN));
        let mut observed = observation(Context::new(), "beat");
        observed.attributes = format!("\"{}\"", "x".repeat(LARGE)).into_bytes();
        let telemetry = ledger.telemetry(&grant).unwrap();
        let told = telemetry.record(observed).await.unwrap_err();
        assert!(matches!(told, AppendError::OutcomeUnknown { .. }), "{told}");
        assert!(!ledger.health().healthy && used(&log) > end);
        // It stays so while it is sealed, and is told as what it is.
        let sealed = verified(&ledger).await;
        assert_eq!(sealed.damages, []);
        let tail = &sealed.unfinished;
        assert_eq!(
            (tail.len(), &tail[0].path, tail[0].offset),
            (1, &log, Some(end))
        );
        assert!(sealed.is_sound(), "{:?}", sealed.unread);
        a_pass_of_the_scrub(&ledger).await;
        assert_eq!(ledger.scrubbed().damages, []);
        // Another process is told that it is open, and nothing of its files.
        let elsewhere = Ledger::open_read_only(&path, ReadOnlyOptions::default());
        assert_eq!(elsewhere.err().unwrap().code(), "locked");
        // A byte of what was acknowledged: in the last batch, and in one before it.
        for at in [end - 1_000, end - 1_000 - LARGE as u64] {
            flip(&log, at);
            let told = damaged(&ledger).await;
            assert!(told.iter().any(|(path, _)| *path == log), "{at}: {told:?}");
            flip(&log, at);
            assert_eq!(damaged(&ledger).await, []);
        }
        file_size_max(None);
        let (ledger, root) = root.reopen(large(), WAIT).await.unwrap();
        let whole = verified(&ledger).await;
        assert!(whole.is_sound() && whole.unfinished.is_empty(), "{whole:?}");
        let kept = quarantined(&path);
        assert!(
            kept.len() == 1 && kept[0].extension().is_some_and(|it| it == "torn"),
            "{kept:?}"
        );
        root.close(Duration::from_secs(30)).await.unwrap();
    });
}

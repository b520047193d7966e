// SPDX-License-Identifier: Apache-2.0
//! The ledger against a model: random commands go to both, and both must answer and show the same
//! (same answers, same views), over restarts with and without a close and with `views/` deleted.
//!
//! `cargo test --test model` runs 256 sequences, the same ones each time. The long form runs longer
//! ones, as many as it takes for at least so many commands, from another seed each time (it prints
//! the seed):
//!
//! ```text
//! FEMTOCLAW_LEDGER_MODEL_COMMANDS=100000 cargo test --release --test model -- --nocapture
//! FEMTOCLAW_LEDGER_MODEL_SEED=7          # and with it the same sequences again
//! ```
//!
//! Most sequences run on a journal in memory, one in sixteen on the real directory. A sequence that
//! fails is cut down by proptest and printed, with its seed. Afterwards every kind of command must
//! have been committed, every code that the library knows must have been answered, and each kind of
//! restart must have happened on each medium, or the test fails; refusals that need more than a
//! command are provoked in `scenarios`.

#![cfg(feature = "engine")]
#![allow(
    clippy::await_holding_lock,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod approving;
mod asking;
mod choose;
mod compare;
mod concrete;
mod drive;
mod embedders;
mod ending;
mod expire;
mod finding;
#[path = "../shared/held.rs"]
mod held;
mod ops;
mod plain;
mod reference;
mod scenarios;
mod searching;
mod send;
#[path = "../shared/standing.rs"]
mod standing;
mod step;
mod validity;
mod whom;
mod world;

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use femtoclaw_ledger::clock::{Entropy, SystemEntropy};
use femtoclaw_ledger::{group::Command, metrics};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use drive::COUNTED;
use world::Medium;

/// Sequences at least; one in so many runs on the real directory.
const SEQUENCES: u32 = 256;
const DIRECTORY_EVERY: u32 = 16;
/// Threads that run sequences in memory.
const THREADS: u32 = 2;
/// Far more than a sequence takes on the busiest machine.
const HANGS: Duration = Duration::from_secs(900);

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a number"))
}

fn random() -> u64 {
    let bytes = SystemEntropy::default().bytes16();
    u64::from_le_bytes(bytes[..8].try_into().unwrap())
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// What one thread runs.
struct Share {
    medium: Medium,
    sequences: u32,
    operations: usize,
    seed: u64,
    thread: u64,
    /// The first thread to fail: the others stop, it looks for a shorter sequence.
    failed: Arc<OnceLock<u64>>,
}

impl Share {
    /// Panics with the seed and the shortest sequence found that still fails.
    fn run(&self) {
        let runtime = runtime();
        let config = Config {
            cases: self.sequences,
            failure_persistence: None,
            max_shrink_iters: 400,
            max_shrink_time: 60_000,
            ..Config::default()
        };
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&self.seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.thread.to_le_bytes());
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(config, random);
        let outcome = runner.run(&ops::sequence(self.operations), |sequence| {
            if self
                .failed
                .get()
                .is_some_and(|thread| *thread != self.thread)
            {
                return Ok(());
            }
            let run = drive::run(self.medium, sequence);
            let outcome = runtime.block_on(async { tokio::time::timeout(HANGS, run).await });
            let outcome = outcome.unwrap_or_else(|_| Err("it hangs".to_owned()));
            outcome.map_err(|problem| {
                let _ = self.failed.set(self.thread);
                TestCaseError::fail(problem)
            })
        });
        if let Err(failure) = outcome {
            panic!("seed {}, {:?}: {failure}", self.seed, self.medium);
        }
    }
}

#[test]
fn the_ledger_answers_and_shows_what_the_model_does() {
    let commands = number("FEMTOCLAW_LEDGER_MODEL_COMMANDS");
    let operations: usize = if commands.is_some() { 200 } else { 60 };
    // Not every operation sends a command.
    let each = operations as u64 * 3 / 4;
    let wanted = commands.map_or(0, |commands| commands / each + 1);
    let count = SEQUENCES.max(u32::try_from(wanted).unwrap());
    let seed = number("FEMTOCLAW_LEDGER_MODEL_SEED");
    let seed = seed.unwrap_or_else(|| commands.map_or(1, |_| random()));
    println!("{count} sequences, seed {seed}");
    let on_disk = count / DIRECTORY_EVERY;
    let in_memory = (count - on_disk).div_ceil(THREADS);
    let failed = Arc::new(OnceLock::new());
    std::thread::scope(|scope| {
        for thread in 0..=u64::from(THREADS) {
            let (medium, sequences) = match thread {
                0 => (Medium::Directory, on_disk),
                _ => (Medium::Memory, in_memory),
            };
            let share = Share {
                medium,
                sequences,
                operations,
                seed,
                thread,
                failed: Arc::clone(&failed),
            };
            scope.spawn(move || share.run());
        }
    });
    runtime().block_on(async {
        scenarios::all().await;
        embedders::all().await;
    });
    everything_was_seen(commands.unwrap_or(0));
}

fn everything_was_seen(commands: u64) {
    let counted = COUNTED.lock().unwrap();
    println!(
        "{} commands, {} duplicates, restarts (closed, with views) {:?}\ncommitted: {:?}\nrefused: {:?}",
        counted.commands, counted.duplicates, counted.restarts, counted.kinds, counted.codes
    );
    assert!(
        counted.commands >= commands,
        "fewer commands than asked for"
    );
    assert!(counted.duplicates > 0);
    for medium in [Medium::Memory, Medium::Directory] {
        for (close, views) in [(false, false), (false, true), (true, false), (true, true)] {
            let restart = (medium, close, views);
            assert!(
                counted.restarts.contains_key(&restart),
                "no {restart:?} (closed, with views)"
            );
        }
    }
    for kind in Command::KINDS {
        assert!(
            counted.kinds.contains_key(kind),
            "{kind} was never committed"
        );
    }
    // All codes that there are, but the one that is no refusal; what a witness refuses is no command.
    let refusals = metrics::REFUSALS.labels[0].values;
    let codes: BTreeSet<&str> = refusals
        .iter()
        .copied()
        .filter(|code| !code.starts_with("witness_"))
        .chain(["outcome_unknown"])
        .collect();
    let answered: BTreeSet<&str> = counted.codes.keys().copied().collect();
    assert_eq!(
        answered, codes,
        "codes that were answered, and all that there are"
    );
}

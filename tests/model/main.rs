//! The ledger against a model: random commands go to both, and both must answer and show the same
//! (same answers, same views), over restarts with and without a close and with `views/` deleted.
//!
//! `cargo test --test model` runs 256 sequences. The long form runs as many sequences as it takes
//! for at least that many commands, from another seed each time (it prints the seed):
//!
//! ```text
//! FEMTOCLAW_LEDGER_MODEL_COMMANDS=100000 cargo test --release --test model -- --nocapture
//! FEMTOCLAW_LEDGER_MODEL_SEED=7          # the same sequences again
//! ```
//!
//! Most sequences run on a journal in memory, one in sixteen on the real directory. A sequence that
//! fails is cut down by proptest and printed. Afterwards every kind of command must have been
//! accepted and every refusal that there is must have been given at least once; those that need
//! more than a command are provoked in `scenarios`.

#![allow(
    clippy::await_holding_lock,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod choose;
mod compare;
mod concrete;
mod drive;
mod ops;
mod reference;
mod scenarios;
mod send;
mod step;
mod validity;
mod world;

use femtoclaw_ledger::clock::{Entropy, SystemEntropy};
use femtoclaw_ledger::metrics;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use drive::COUNTED;
use world::Medium;

/// Sequences at least; one in so many runs on the real directory.
const SEQUENCES: u32 = 256;
const DIRECTORY_EVERY: u32 = 16;
/// Threads that run sequences in memory.
const THREADS: u32 = 2;

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

fn sequences(medium: Medium, count: u32, operations: usize, seed: u64) {
    let runtime = runtime();
    let config = Config {
        cases: count,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, random);
    let outcome = runner.run(&ops::sequence(operations), |sequence| {
        let outcome = runtime.block_on(drive::run(medium, sequence));
        outcome.map_err(TestCaseError::fail)
    });
    if let Err(failure) = outcome {
        panic!("seed {seed}, {medium:?}: {failure}");
    }
}

#[test]
#[ignore = "too slow for every run as it stands: `cargo test --test model -- --ignored`"]
fn the_ledger_answers_and_shows_what_the_model_does() {
    let commands = number("FEMTOCLAW_LEDGER_MODEL_COMMANDS");
    let operations: u32 = if commands.is_some() { 200 } else { 24 };
    let wanted = commands.map_or(0, |commands| commands / u64::from(operations) + 1);
    let count = SEQUENCES.max(u32::try_from(wanted).unwrap());
    let seed = number("FEMTOCLAW_LEDGER_MODEL_SEED");
    let seed = seed.unwrap_or_else(|| commands.map_or(1, |_| random()));
    println!("{count} sequences, seed {seed}");
    let on_disk = count / DIRECTORY_EVERY;
    let in_memory = (count - on_disk).div_ceil(THREADS);
    std::thread::scope(|scope| {
        let operations = operations as usize;
        scope.spawn(move || sequences(Medium::Directory, on_disk, operations, seed));
        for thread in 1..=u64::from(THREADS) {
            let run =
                move || sequences(Medium::Memory, in_memory, operations, seed + (thread << 32));
            scope.spawn(run);
        }
    });
    runtime().block_on(scenarios::all());
    everything_was_seen(commands.unwrap_or(0));
}

fn everything_was_seen(commands: u64) {
    let counted = COUNTED.lock().unwrap();
    println!(
        "{} commands, {} duplicates, restarts (closed, with views) {:?}\naccepted: {:?}\nrefused: {:?}",
        counted.commands, counted.duplicates, counted.restarts, counted.kinds, counted.codes
    );
    assert!(
        counted.commands >= commands,
        "fewer commands than asked for"
    );
    assert!(counted.duplicates > 0);
    assert_eq!(
        counted.restarts.len(),
        4,
        "a kind of restart never happened"
    );
    for kind in ops::kinds() {
        assert!(
            counted.kinds.contains_key(kind),
            "{kind} was never accepted"
        );
    }
    let (_, refusals) = metrics::REFUSALS.labels[0];
    for code in refusals.iter().chain(&["outcome_unknown"]) {
        assert!(
            counted.codes.contains_key(code),
            "{code} was never answered"
        );
    }
}

// SPDX-License-Identifier: Apache-2.0
//! What tree and checkpoints cost, and how fast proofs are made.
//!
//! Three ledgers are open at once: one as it is by default, one that keeps its tree twice, and one that is
//! signed every 10,000 records. What the second tree costs is what the first one does. Each is driven by 1,000 callers for a while, in turn, in another order each
//! round; the rate's ratio is the median over rounds of that to the first ledger. Of processor time
//! for a record the first ratio is over all rounds together, the second such a median.
//! Views are waited for after each round, so that processor time has what they cost.
//! Then one ledger is filled, and proofs of records all over it are made and timed.
//!
//! `cargo bench --bench checkpoints -- [--quick] [--rounds 9] [--millis 1000] [--records 1000000]`

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a benchmark measures real time and may stop at the first error"
)]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::events::RecordHeader;
use femtoclaw_ledger::integrity::key::Algorithm;
use femtoclaw_ledger::integrity::note::Note;
use femtoclaw_ledger::integrity::secret::SigningKey;
use femtoclaw_ledger::projections::{Projection, ProjectionError, Tree, ViewBatch};
use femtoclaw_ledger::{
    Event, Grant, Ledger, Options, Record, Root, Seq,
    checkpoint::{CheckpointDirectory, CheckpointOptions},
    group::Command,
};

use support::{
    audit_entry, flag, fresh_directory, median, nanos, now, observation, percentile,
    processor_time, shown, value,
};

const CALLERS: usize = 1_000;
const CLOSE: Duration = Duration::from_secs(60);
/// Records of one commit while a ledger is filled.
const GROUP: usize = 250;
/// Checkpoints on the way, between which consistency is proven.
const STEPS: u64 = 20;

struct Driven {
    name: &'static str,
    ledger: Ledger,
    root: Root,
    grant: Grant,
    per_second: Vec<f64>,
    /// Records and processor time in nanoseconds of each round.
    spent: Vec<(f64, f64)>,
}

impl Driven {
    /// Processor time for a record, over all rounds: its clock ticks in 10 ms.
    fn for_a_record(&self) -> f64 {
        let rounds = self.spent.iter().skip(1);
        let (records, spent) = rounds.fold((0.0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        spent / records
    }

    /// The median over rounds of this one's processor time for a record to the other's.
    fn spent_to(&self, base: &Self) -> f64 {
        let pairs = self.spent.iter().zip(&base.spent).skip(1);
        median(pairs.map(|(with, without)| (with.1 / with.0) / (without.1 / without.0)))
    }
}

fn signing(kept: &Path, every_records: u64) -> CheckpointOptions {
    let key = SigningKey::from_seed("ledger.example/bench", Algorithm::Ed25519, &[1; 32]).unwrap();
    let kept = Arc::new(CheckpointDirectory::new(kept));
    let mut options = CheckpointOptions::new(Arc::new(key), vec![kept]);
    options.every_records = every_records;
    options.every = Duration::ZERO;
    options
}

/// The tree once more, under a name of its own.
struct SecondTree(Tree);

impl Projection for SecondTree {
    fn name(&self) -> &'static str {
        "second_tree"
    }

    fn version(&self) -> u32 {
        self.0.version()
    }

    fn wants(&self, header: &RecordHeader) -> bool {
        self.0.wants(header)
    }

    fn begin(&mut self) {
        self.0.begin();
    }

    fn apply_header(
        &mut self,
        header: &RecordHeader,
        batch: &mut ViewBatch,
    ) -> Result<(), ProjectionError> {
        self.0.apply_header(header, batch)
    }

    fn apply(
        &mut self,
        record: &Record,
        event: &Event,
        batch: &mut ViewBatch,
    ) -> Result<(), ProjectionError> {
        self.0.apply(record, event, batch)
    }

    fn finish(&mut self, batch: &mut ViewBatch) -> Result<(), ProjectionError> {
        self.0.finish(batch)
    }
}

async fn open(directory: &Path, name: &'static str) -> Driven {
    let checkpoints = (name == "signed").then(|| signing(&directory.join("kept"), 10_000));
    let mut options = Options {
        checkpoints,
        ..Options::default()
    };
    if name == "two trees" {
        options.projections.push(Box::new(SecondTree(Tree)));
    }
    let (ledger, root) = Ledger::open(directory.join(name), options).await.unwrap();
    let grant = support::grant(&root).await;
    Driven {
        name,
        ledger,
        root,
        grant,
        per_second: Vec::new(),
        spent: Vec::new(),
    }
}

/// One round of one ledger: its callers append one record after the other.
async fn round(driven: &mut Driven, time: Duration) {
    let log = driven.ledger.audit_log(&driven.grant).unwrap();
    let (before, spent, started) = (driven.ledger.head().count(), processor_time(), now());
    let tasks: Vec<_> = (0..CALLERS)
        .map(|_| {
            let log = log.clone();
            tokio::spawn(async move {
                while started.elapsed() < time {
                    log.record(audit_entry()).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let took = started.elapsed();
    let head = driven.ledger.head().count();
    driven.ledger.at_least(Seq::new(head)).await.unwrap();
    let records = (head - before) as f64;
    let spent = processor_time() - spent;
    driven.per_second.push(records / took.as_secs_f64());
    driven.spent.push((records, spent.as_nanos() as f64));
}

async fn cost(directory: &Path, rounds: usize, time: Duration) {
    let mut all = Vec::new();
    for name in ["default", "two trees", "signed"] {
        all.push(open(directory, name).await);
    }
    // The first one is for warmth alone.
    for number in 0..=rounds {
        for turn in 0..all.len() {
            let at = (turn + number) % all.len();
            round(&mut all[at], time).await;
        }
    }
    println!("{CALLERS} callers, {rounds} rounds of {time:?}");
    println!(
        "{:<10} {:>12} {:>8} {:>16} {:>8} {:>8}",
        "", "records/s", "ratio", "processor/record", "ratio", "median"
    );
    let base = all.first().unwrap();
    for driven in &all {
        let rate = median(driven.per_second.iter().skip(1).copied());
        // Of rounds that followed each other: what else the machine does changes slowly.
        let pairs = driven.per_second.iter().zip(&base.per_second);
        let ratio = median(pairs.skip(1).map(|(with, without)| with / without));
        let spent = driven.for_a_record();
        println!(
            "{:<10} {rate:>12.0} {ratio:>8.3} {:>16} {:>8.3} {:>8.3}",
            driven.name,
            format!("{spent:.0} ns"),
            spent / base.for_a_record(),
            driven.spent_to(base)
        );
    }
    for driven in all {
        driven.root.close(CLOSE).await.unwrap();
    }
}

/// Fills a ledger; gives the checkpoints that were signed on the way.
async fn filled((ledger, root): (&Ledger, &Root), grant: &Grant, records: u64) -> Vec<Note> {
    let mut notes = Vec::new();
    for step in 1..=STEPS {
        while ledger.head().count() < records * step / STEPS {
            let commands = (0..8).map(|_| {
                let group = (0..GROUP).map(|_| Command::Observe(observation()));
                ledger.commit(grant, group.collect())
            });
            for committed in commands {
                committed.await.unwrap();
            }
            // A refusal for lag would end it.
            ledger.at_least(ledger.head().seq).await.unwrap();
        }
        notes.push(root.checkpoint().await.unwrap());
    }
    notes
}

fn told(what: &str, mut took: Vec<u64>, mut bytes: Vec<u64>) {
    took.sort_unstable();
    bytes.sort_unstable();
    let (low, high) = (percentile(&bytes, 0.0), percentile(&bytes, 1.0));
    println!(
        "{what}: p50 {}, p99 {}; {low} to {high} bytes ({} made)",
        shown(percentile(&took, 0.5)),
        shown(percentile(&took, 0.99)),
        took.len()
    );
}

async fn proofs(directory: &Path, records: u64) {
    let options = Options {
        checkpoints: Some(signing(&directory.join("kept proofs"), 0)),
        ..Options::default()
    };
    let path = directory.join("proofs");
    let (ledger, root) = Ledger::open(path, options).await.unwrap();
    let grant = support::grant(&root).await;
    let notes = filled((&ledger, &root), &grant, records).await;
    let (newest, head) = (notes.last().unwrap(), ledger.head().count());
    println!("a ledger of {head} records");
    let (mut took, mut bytes) = (Vec::new(), Vec::new());
    for number in 0..2_000 {
        // All over, in no order.
        let seq = Seq::new(1 + number * 7_919_777 % records).unwrap();
        let started = now();
        let proof = ledger.prove(seq, newest).await.unwrap();
        took.push(nanos(started));
        bytes.push(proof.to_string().len() as u64);
    }
    told("inclusion, with its checkpoint", took, bytes);
    let (mut took, mut bytes) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        for earlier in &notes {
            let started = now();
            let path = ledger.prove_extension(earlier, newest).await.unwrap();
            took.push(nanos(started));
            bytes.push(path.len() as u64 * 32);
        }
    }
    told("consistency, hashes alone", took, bytes);
    root.close(CLOSE).await.unwrap();
}

#[tokio::main]
async fn main() {
    let quick = flag("--quick");
    let number = |name, long, short| {
        let default = if quick { short } else { long };
        value(name).map_or(default, |text| text.parse().unwrap())
    };
    let (rounds, millis) = (number("--rounds", 9, 3), number("--millis", 1_000, 150));
    let records = number("--records", 1_000_000, 20_000);
    let directory = fresh_directory();
    let rounds = usize::try_from(rounds).unwrap();
    cost(directory.path(), rounds, Duration::from_millis(millis)).await;
    proofs(directory.path(), records).await;
}

// SPDX-License-Identifier: Apache-2.0
//! What the anchor costs: latency of a commit, one caller and several, with and without it, in one
//! run, interleaved. `cargo bench --bench anchor -- --rounds 5 --commits 500`

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark measures real time and may stop at the first error"
)]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::{Ledger, Options, journal::Anchoring};

use support::{fresh_directory, nanos, now, percentile, shown, value};

const CALLERS: [usize; 3] = [1, 8, 64];

#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    anchoring: Anchoring,
}

const KINDS: [Kind; 3] = [
    Kind {
        name: "off",
        anchoring: Anchoring::Off,
    },
    Kind {
        name: "pipelined",
        anchoring: Anchoring::Pipelined,
    },
    Kind {
        name: "before every answer",
        anchoring: Anchoring::BeforeEveryAnswer,
    },
];

/// Latencies in nanoseconds of `commits` audit entries from each of `callers`.
async fn measure(path: &Path, kind: Kind, callers: usize, commits: usize) -> Vec<u64> {
    let options = Options {
        anchoring: kind.anchoring,
        ..Options::default()
    };
    let (ledger, root) = Ledger::open(path, options).await.unwrap();
    let grant = support::grant(&root).await;
    let log = Arc::new(ledger.audit_log(&grant).unwrap());
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let mut took = Vec::with_capacity(commits);
                for _ in 0..commits {
                    let started = now();
                    log.record(support::audit_entry()).await.unwrap();
                    took.push(nanos(started));
                }
                took
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    root.close(Duration::from_secs(10)).await.unwrap();
    all
}

#[tokio::main]
async fn main() {
    let number = |name, default| value(name).map_or(default, |text| text.parse().unwrap());
    let (rounds, commits) = (number("--rounds", 5), number("--commits", 500));
    let directory = fresh_directory();
    println!("{rounds} rounds of {commits} commits a caller");
    println!(
        "{:>8} {:<20} {:>10} {:>10}",
        "callers", "anchor", "p50", "p99"
    );
    for callers in CALLERS {
        let mut took: [Vec<u64>; 3] = Default::default();
        for round in 0..rounds {
            for (kind, took) in KINDS.into_iter().zip(&mut took) {
                let path = directory
                    .path()
                    .join(format!("{callers}-{round}-{}", kind.name));
                took.extend(measure(&path, kind, callers, commits).await);
            }
        }
        for (kind, took) in KINDS.into_iter().zip(&mut took) {
            took.sort_unstable();
            let at = |share| shown(percentile(took, share));
            println!(
                "{callers:>8} {:<20} {:>10} {:>10}",
                kind.name,
                at(0.50),
                at(0.99)
            );
        }
    }
}

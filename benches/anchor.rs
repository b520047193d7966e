// SPDX-License-Identifier: Apache-2.0
//! What the anchor costs: latency of a commit, one caller and several, with and without it, in one
//! run, interleaved. Each is opened from its parts: the journal, with the anchor over it or without.
//! `cargo bench --bench anchor -- --rounds 5 --commits 500`

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark measures real time and may stop at the first error"
)]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::journal::{
    Anchor, Anchored, Anchoring, FjallJournal, Journal, JournalOptions,
};
use femtoclaw_ledger::{Ledger, Options, Root};

use support::{fresh_directory, nanos, now, percentile, shown, value};

const CALLERS: [usize; 3] = [1, 8, 64];
const CLOSE: Duration = Duration::from_secs(10);

#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    /// `None`: no anchor.
    anchoring: Option<Anchoring>,
}

const KINDS: [Kind; 3] = [
    Kind {
        name: "off",
        anchoring: None,
    },
    Kind {
        name: "pipelined",
        anchoring: Some(Anchoring::Pipelined),
    },
    Kind {
        name: "before every answer",
        anchoring: Some(Anchoring::BeforeEveryAnswer),
    },
];

/// A new ledger over its journal.
async fn opened(path: &Path, kind: Kind) -> (Ledger, Root) {
    let (_, root) = Ledger::open(path, Options::default()).await.unwrap();
    root.close(CLOSE).await.unwrap();
    let below = path.join("journal");
    let journal = FjallJournal::open(&below, &JournalOptions::default()).unwrap();
    let journal: Arc<dyn Journal> = match kind.anchoring {
        None => Arc::new(journal),
        Some(anchoring) => {
            let anchor = Anchor::open(&Anchor::beside(&below)).unwrap();
            Arc::new(Anchored::open(journal, anchor, anchoring).unwrap())
        }
    };
    let views = path.join("views of its parts");
    let opened = Ledger::open_on(journal, &views, Options::default()).await;
    opened.unwrap()
}

/// Latencies in nanoseconds of `commits` audit entries from each of `callers`.
async fn measure(path: &Path, kind: Kind, callers: usize, commits: usize) -> Vec<u64> {
    let (ledger, root) = opened(path, kind).await;
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
    root.close(CLOSE).await.unwrap();
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

// SPDX-License-Identifier: Apache-2.0
//! What a command allocates does not creep up: the count of each kind, by the bench of the same name, is held to what it
//! is now. A time would depend on the machine; this does not.

#![cfg(feature = "engine")]
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test may panic, and what it shares with the benchmarks looks at the clock"
)]

#[path = "../benches/support/mod.rs"]
mod support;

#[path = "../benches/support/counted.rs"]
mod counted;

use counted::{Counted, CountedLedger};

/// What the commands of a frame share counts in parts, and how many share it is a matter of timing: the best of some rounds
/// counts, and this much above it.
const SLACK: f64 = 0.5;
const ROUNDS: usize = 5;

const fn most(command: Counted) -> f64 {
    match command {
        Counted::Telemetry => 6.2,
        Counted::Audit => 7.2,
        Counted::Begin => 11.2,
        Counted::Complete => 7.2,
    }
}

#[test]
fn no_command_allocates_more_than_it_did() {
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let ledger = CountedLedger::new(&place.path().join("ledger"));
    let rounds: Vec<_> = (0..ROUNDS).map(|_| ledger.each(64, 1_024)).collect();
    for command in Counted::ALL {
        let all = rounds.iter().flatten().filter(|(it, _)| *it == command);
        let best = all
            .map(|(_, taken)| taken.allocations)
            .fold(f64::MAX, f64::min);
        let most = most(command);
        println!("{}: {best:.2} allocations", command.name());
        assert!(
            best < most + SLACK,
            "{}: {best:.2}, {most} before",
            command.name()
        );
    }
}

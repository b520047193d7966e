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

/// What is shared by the commands of a wake-up or a frame counts in parts, and how many share it is a matter of timing.
const SLACK: f64 = 0.9;

const fn most(command: Counted) -> f64 {
    match command {
        Counted::Telemetry => 18.5,
        Counted::Audit => 19.5,
        Counted::Begin => 26.3,
        Counted::Complete => 21.3,
    }
}

#[test]
fn no_command_allocates_more_than_it_did() {
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let ledger = CountedLedger::new(&place.path().join("ledger"));
    for (command, taken) in ledger.each(64, 1_024) {
        let (now, most) = (taken.allocations, most(command));
        println!(
            "{}: {now:.2} allocations, {:.0} bytes",
            command.name(),
            taken.bytes
        );
        assert!(
            now < most + SLACK,
            "{}: {now:.2}, {most} before",
            command.name()
        );
    }
}

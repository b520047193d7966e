// SPDX-License-Identifier: Apache-2.0
//! Allocations and bytes a command on the path from its caller to the writer, by one caller and by 64 at a time.
//!
//! `cargo bench --bench allocations`

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark may stop at the first error"
)]

mod support;

#[path = "support/counted.rs"]
mod counted;

use counted::CountedLedger;

fn main() {
    let place = support::fresh_directory();
    let ledger = CountedLedger::new(&place.path().join("ledger"));
    println!("callers, command, allocations, bytes");
    for callers in [1, 64] {
        for (command, taken) in ledger.each(callers, callers.max(8) * 8) {
            let (allocations, bytes) = (taken.allocations, taken.bytes);
            println!(
                "{callers:7}  {:9}  {allocations:6.2}  {bytes:8.0}",
                command.name()
            );
        }
    }
}

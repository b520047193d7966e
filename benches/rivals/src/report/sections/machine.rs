// SPDX-License-Identifier: Apache-2.0
//! Where it was measured, and how.

use std::fmt::Write;

use super::{head, row};
use crate::machine::Machine;
use crate::report::Results;
use crate::show;

pub(super) const METHOD: &str = "\
    * **Systems.** Each runs in a process of its own, which the suite starts and tells what to do. Processor time, bytes and \
    memory are that process's and, of PostgreSQL, its server's too.\n\
    * **Rounds.** Rounds of all systems take turns within one run, each time begun with another. A tenth of a round goes before, \
    unmeasured. Processes whose turn it is not are held by SIGSTOP (PostgreSQL's server is not). A store of more than 1 GiB is \
    replaced by a fresh one before the next number of callers. Figures are medians over the rounds; *max* is the largest of all; *spread* is (largest − smallest) ÷ median of the \
    sustained rates.\n\
    * **Callers** wait for their answer before they ask again. An answer means that the record is durable.\n\
    * **Acknowledged** is commands a second until the last answer. **Sustained** counts the time until all views are at the head, \
    too. Rivals have nothing that lags: their indexes are part of the commit.\n\
    * **Processor, written, device.** After a round the suite waits until the system rests, at most 2 s, and counts that too. \
    *Written* is `write_bytes` of `/proc/PID/io`, a command. The kernel counts whole folios of its cache there: of a file that is written \
    over, far too many. *Device* is what the disk was sent meanwhile, by everything on the machine.\n\
    * **Memory** is the peak of the process in a round; of PostgreSQL, with the server's proportional set at its end.\n\
    * **The ledger** is used by its public interface. All built-in views and the command index are on. A cycle is *begin* and \
    *complete*: two commands, six records, the payload half in each.\n\
    * **Rows of rivals** have a number, a time, a time-ordered id, one of 64 components, one of 16 kinds, and the payload. Three \
    indexes are over the id, the component, and kind with time. Payloads are texts that hardly compress.\n\
    * **Fair or not.** A rival hashes nothing, checks no state, keeps no proof. A bare file keeps bytes alone. Stores grow over a \
    run, and a faster one is larger at its end. With 10,000 callers half of the figures are about the host's own tasks.\n\
    * **Soaks.** Open ones send what is due by exponential distances, whether or not earlier commands were answered. Latency counts \
    from when a command was due, so a stall shows in all that it holds up. Due times are kept to some 0.2 ms.\n\n";

fn machine(results: &Results) -> Option<&Machine> {
    let table = results.tables.first().map(|it| &it.machine);
    let soak = results.soaks.first().map(|it| &it.machine);
    let history = results.histories.first().map(|it| &it.machine);
    table
        .or(soak)
        .or(history)
        .or_else(|| results.memory.as_ref().map(|it| &it.machine))
}

pub(super) fn write_machine(text: &mut String, results: &Results) {
    text.push_str("## Machine\n\n");
    let Some(machine) = machine(results) else {
        return text.push_str("Nothing was measured.\n\n");
    };
    head(text, &["", ""]);
    let facts = [
        (
            "Processor",
            format!("{}, {} cores", machine.processor, machine.cores),
        ),
        (
            "Memory",
            format!("{} MiB", show::count(machine.memory_mib as f64)),
        ),
        ("Kernel", machine.kernel.clone()),
        (
            "File system",
            format!(
                "{}, {:.0} GiB free",
                machine.file_system, machine.free_disk_gib
            ),
        ),
        ("Allocator", machine.allocator.clone()),
        ("Load before", format!("{:.2}", machine.load)),
        ("Commit", format!("`{}`", machine.commit)),
        ("Compiler", machine.compiler.clone()),
    ];
    for (what, is) in facts.iter().cloned() {
        row(text, &[what.to_owned(), is]);
    }
    if let Some(table) = results.tables.first() {
        let disk = &table.disk;
        let latency = format!(
            "p50 {}, p99 {}, max {}",
            show::duration(disk.p50_ns as f64),
            show::duration(disk.p99_ns as f64),
            show::duration(disk.max_ns as f64)
        );
        row(text, &["4 KiB written over and synced".to_owned(), latency]);
    }
    for (name, version) in &machine.versions {
        row(text, &[name.clone(), version.clone()]);
    }
    text.push_str("\nHow each was set up:\n\n");
    for (name, setup) in &machine.setups {
        let _ = writeln!(text, "* **{name}**: {setup}.");
    }
    text.push('\n');
}

// SPDX-License-Identifier: Apache-2.0
//! How often the threads of an idle ledger wake, by thread name: voluntary context switches, which Linux counts.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use femtoclaw_ledger::Context;

use super::{CLOSE, support};

/// Voluntary context switches of each thread of this process so far, by its number.
fn switches() -> BTreeMap<u64, (String, u64)> {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    let mut found = BTreeMap::new();
    for task in tasks.flatten() {
        let status = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().trim().to_owned()
        };
        let number = task.file_name().to_string_lossy().parse().unwrap_or(0);
        let count = field("voluntary_ctxt_switches:").parse().unwrap_or(0);
        found.insert(number, (field("Name:"), count));
    }
    found
}

pub(crate) fn measure(runtime: &tokio::runtime::Runtime, directory: &Path, seconds: u64) {
    let path = directory.join("idle");
    let (ledger, root, _) = runtime.block_on(support::open(&path));
    runtime.block_on(async {
        let grant = support::grant(&root).await;
        let log = ledger.execution_log(&grant).unwrap();
        let begun = log.begin(support::request(&ledger, b"{}".to_vec())).await;
        let begun = begun.unwrap();
        log.complete(begun.execution(), Context::new(), b"{}".to_vec())
            .await
            .unwrap();
    });
    // The commands before are over, and told.
    std::thread::sleep(Duration::from_secs(16));
    let before = switches();
    std::thread::sleep(Duration::from_secs(seconds));
    let after = switches();
    let mut by_name: BTreeMap<String, u64> = BTreeMap::new();
    for (number, (name, count)) in after {
        let was = before.get(&number).map_or(0, |(_, count)| *count);
        *by_name.entry(name).or_default() += count - was;
    }
    println!("\nidle: wake-ups a second, by thread");
    let each = |count: u64| count as f64 / seconds as f64;
    for (name, count) in by_name.iter().filter(|(_, count)| **count > 0) {
        println!("{:>8.1} {name}", each(*count));
    }
    println!("{:>8.1} in all", each(by_name.values().sum()));
    runtime.block_on(root.close(CLOSE)).unwrap();
}

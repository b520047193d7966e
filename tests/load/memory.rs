// SPDX-License-Identifier: Apache-2.0
//! Memory does not grow with what is finished.
//!
//! A child process runs executions, 64 at a time, from start to finish, and tells after a tenth of
//! them and after all how much memory it had allocated at most, and how much was resident. What is
//! held to a bound is what was allocated: resident memory also grows by what the allocator cannot give
//! back, which is another with each allocator. The long form is the claim itself: the peak after
//! 1,000,000 is within 10 % of the peak after 100,000. Its caches are small, so that they are full long
//! before the first 100,000, and do not hide a few bytes for each execution.
//!
//! The short form is too small for that ratio to mean anything: the engine's memtables are still
//! filling, whatever the ledger does. So its executions carry 32 KiB of
//! arguments each, and it is held to bytes: the peak grows by less than half of what would lie there
//! if the finished ones were kept. It finds a payload that stays, the long form also the few bytes of
//! an id.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use femtoclaw_ledger::{Context, ExecutionLog, Ledger, Options, Request, Seq};

use crate::ALLOCATED;
use crate::child::{child_command, child_path};
use crate::shared::{everything, request};

const EXECUTIONS: &str = "FEMTOCLAW_LEDGER_LOAD_EXECUTIONS";
const LONG_FROM: u64 = 1_000_000;
const SHORT: u64 = 5_000;
const SHORT_ARGUMENTS: usize = 32 << 10;
const CALLERS: u64 = 64;
/// Views further behind than this are waited for. Commands that the views have not read are kept in
/// memory by design, up to `view_lag_max`; how far the views fall behind is not what is measured, so
/// they are not many.
const LAG_MAX: u64 = 4_000;
const TEST: &str = "memory::peak_memory_does_not_grow_with_what_is_finished";

/// Peak of this process's resident memory in KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let value = line.unwrap().trim().trim_end_matches(" kB");
    value.parse().unwrap()
}

fn executions() -> u64 {
    std::env::var(EXECUTIONS).map_or(SHORT, |value| value.parse().unwrap())
}

#[test]
fn peak_memory_does_not_grow_with_what_is_finished() {
    if let Some(path) = child_path() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        return runtime.block_on(many(&path, executions()));
    }
    if !cfg!(target_os = "linux") {
        println!("SKIPPED: resident memory is read from Linux's /proc/self/status");
        return;
    }
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let output = child_command(TEST, &place.path().join("ledger")).output();
    let output = output.unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    println!("{told}");
    let peaks = told.lines().filter_map(|line| line.strip_prefix("peak "));
    let peaks: Vec<u64> = peaks
        .map(|line| line.split(' ').next().unwrap().parse().unwrap())
        .collect();
    let [early, late] = peaks[..] else {
        panic!("{told}");
    };
    if executions() >= LONG_FROM {
        assert!(late * 10 <= early * 11, "{late} KiB after {early} KiB");
    } else {
        let kept = executions() / 10 * 9 * SHORT_ARGUMENTS as u64 / 1_024;
        assert!(late - early < kept / 2, "{late} KiB after {early} KiB");
    }
}

/// So many executions from start to finish; tells the peak after a tenth of them and at the end.
async fn many(path: &Path, executions: u64) {
    let long = executions >= LONG_FROM;
    let options = Options {
        cache_bytes: Some(2 << 20),
        memtable_bytes: if long { None } else { Some(1 << 20) },
        ..Options::default()
    };
    let (ledger, root) = Ledger::open(path, options).await.unwrap();
    let grant = everything(&root).await;
    let mut begin = request(&ledger, Context::new());
    if !long {
        begin.arguments = format!("\"{}\"", "x".repeat(SHORT_ARGUMENTS)).into_bytes();
    }
    let done = Arc::new(AtomicU64::new(0));
    for target in [executions / 10, executions] {
        let tasks: Vec<_> = (0..CALLERS)
            .map(|_| {
                let log = ledger.execution_log(&grant).unwrap();
                let done = Arc::clone(&done);
                tokio::spawn(run(ledger.clone(), log, begin.clone(), done, target))
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        done.store(target, Ordering::SeqCst);
        ledger.at_least(ledger.head().seq).await.unwrap();
        let head = ledger.head().count();
        eprintln!(
            "peak {} KiB allocated, {} KiB resident, after {target} executions, head {head}",
            ALLOCATED.peak_usage() / 1_024,
            resident_kib()
        );
    }
}

async fn run(ledger: Ledger, log: ExecutionLog, begin: Request, done: Arc<AtomicU64>, target: u64) {
    while done.fetch_add(1, Ordering::SeqCst) < target {
        let begun = log.begin(begin.clone()).await.unwrap();
        let context = Context::new();
        let result = br#"{"content":"hello"}"#.to_vec();
        log.complete(begun.execution(), context, result)
            .await
            .unwrap();
        let head = ledger.head().count();
        let positions = ledger.view_positions().into_iter();
        let slowest = positions.map(|it| it.position).min().unwrap_or(0);
        if head > slowest + LAG_MAX {
            ledger.at_least(Seq::new(head - LAG_MAX / 2)).await.unwrap();
        }
    }
}

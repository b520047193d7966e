// SPDX-License-Identifier: Apache-2.0
//! What processes have used, as `/proc` tells it: processor time, bytes written, memory, descriptors.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Sums at one moment; two of them make a difference.
#[derive(Clone, Default)]
pub(crate) struct Usage {
    pub(crate) own: Duration,
    pub(crate) server: Duration,
    pub(crate) written_bytes: u64,
    /// Nanoseconds of this process's threads, with their names.
    threads: BTreeMap<u32, (String, u64)>,
}

impl Usage {
    /// Of this process and of a server's, which `servers` lists.
    pub(crate) fn now(servers: &[u32]) -> Self {
        let server = servers.iter().map(|pid| processor(*pid)).sum();
        let written = servers.iter().map(|pid| written(&pid.to_string()));
        Self {
            own: own_processor(),
            server,
            written_bytes: written.sum::<u64>() + written_here(),
            threads: threads(),
        }
    }

    pub(crate) fn since(&self, before: &Self) -> Self {
        let threads = self.threads.iter().map(|(id, (name, nanos))| {
            let earlier = before.threads.get(id).map_or(0, |(_, nanos)| *nanos);
            (*id, (name.clone(), nanos.saturating_sub(earlier)))
        });
        Self {
            own: self.own.saturating_sub(before.own),
            server: self.server.saturating_sub(before.server),
            written_bytes: self.written_bytes.saturating_sub(before.written_bytes),
            threads: threads.filter(|(_, (_, nanos))| *nanos > 0).collect(),
        }
    }

    /// Nanoseconds of the threads, summed by name.
    pub(crate) fn threads(&self) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        for (name, nanos) in self.threads.values() {
            *sums.entry(name.clone()).or_insert(0) += nanos;
        }
        sums
    }

    /// Nanoseconds of the busiest thread of each name that several have.
    pub(crate) fn busiest(&self) -> BTreeMap<String, u64> {
        let sums = self.threads();
        let mut most = BTreeMap::new();
        for (name, nanos) in self.threads.values() {
            let busiest = most.entry(name.clone()).or_insert(0);
            *busiest = (*nanos).max(*busiest);
        }
        most.retain(|name, nanos| sums.get(name) != Some(nanos));
        most
    }

    pub(crate) fn processor(&self) -> Duration {
        self.own + self.server
    }
}

/// Of all threads of this process, also of those that have ended.
fn own_processor() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        time.tv_nsec.unsigned_abs() as u32,
    )
}

/// Of another process and of its children that have ended, in steps of 10 ms.
fn processor(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(4);
    let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

fn written_here() -> u64 {
    written("self")
}

/// Bytes that it caused to be sent to the disk.
fn written(pid: &str) -> u64 {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    field(&io, "write_bytes:")
}

fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Nanoseconds on a processor of the living threads.
fn threads() -> BTreeMap<u32, (String, u64)> {
    let tasks = fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    let thread = |task: fs::DirEntry| {
        let id = task.file_name().to_str()?.parse().ok()?;
        let name = fs::read_to_string(task.path().join("comm")).ok()?;
        let stat = fs::read_to_string(task.path().join("schedstat")).ok()?;
        let nanos = stat.split_whitespace().next()?.parse().ok()?;
        Some((id, (without_number(name.trim()), nanos)))
    };
    tasks.filter_map(thread).collect()
}

/// Threads of a pool count as one: `host-3` is `host`.
fn without_number(name: &str) -> String {
    name.trim_end_matches(|letter: char| {
        letter.is_ascii_digit() || matches!(letter, '-' | '#' | ':')
    })
    .to_owned()
}

/// KiB at most since [`forget_peak`].
pub(crate) fn peak_kib() -> u64 {
    field(
        &fs::read_to_string("/proc/self/status").unwrap_or_default(),
        "VmHWM:",
    )
}

pub(crate) fn resident_kib() -> u64 {
    field(
        &fs::read_to_string("/proc/self/status").unwrap_or_default(),
        "VmRSS:",
    )
}

/// The peak begins anew; where the kernel does not let it, it goes on.
pub(crate) fn forget_peak() {
    let _kept = fs::write("/proc/self/clear_refs", "5");
}

/// KiB of a server's processes, each shared page counted once.
pub(crate) fn server_kib(servers: &[u32]) -> u64 {
    let of = |pid: &u32| {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        field(&rollup, "Pss:")
    };
    servers.iter().map(of).sum()
}

pub(crate) fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// The process and its children.
pub(crate) fn with_children(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let mut all: Vec<u32> = children
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|child| child.parse().ok())
        .collect();
    all.push(pid);
    all
}

/// Bytes that the device below a path was sent so far, by whomever.
pub(crate) fn device_bytes(path: &Path) -> u64 {
    let device = rustix::fs::stat(path).map_or(0, |stat| stat.st_dev);
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let stat = fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/stat"));
    let sectors = stat.unwrap_or_default();
    let written = sectors.split_whitespace().nth(6);
    written.and_then(|it| it.parse::<u64>().ok()).unwrap_or(0) * 512
}

/// Bytes that a directory's files take on the disk.
pub(crate) fn disk_bytes(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let mut sum = 0;
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        let Ok(meta) = entry.metadata() else { continue };
        sum += if meta.is_dir() {
            disk_bytes(&entry.path())
        } else {
            meta.blocks() * 512
        };
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_proc_are_found() {
        let io = "rchar: 12\nwrite_bytes: 4096\ncancelled_write_bytes: 7\n";
        assert_eq!(field(io, "write_bytes:"), 4_096);
        assert_eq!(field("VmHWM:\t  1234 kB\n", "VmHWM:"), 1_234);
        assert_eq!(field("", "VmHWM:"), 0);
        assert_eq!(without_number("host-12"), "host");
        assert_eq!(without_number("ledger-views"), "ledger-views");
    }

    #[test]
    fn threads_of_one_name_are_summed_and_the_busiest_is_known() {
        let threads = [
            (1, ("host", 5)),
            (2, ("host", 7)),
            (3, ("ledger-writer", 9)),
        ];
        let threads = threads.map(|(id, (name, nanos))| (id, (name.to_owned(), nanos)));
        let usage = Usage {
            threads: threads.into(),
            ..Usage::default()
        };
        let sums = [("host".to_owned(), 12), ("ledger-writer".to_owned(), 9)];
        assert_eq!(usage.threads(), sums.into());
        assert_eq!(usage.busiest(), [("host".to_owned(), 7)].into());
    }

    #[test]
    fn this_process_uses_something() {
        let before = Usage::now(&[]);
        let mut sum = 0_u64;
        while own_processor() < before.own + Duration::from_millis(5) {
            sum = std::hint::black_box(sum + 1);
        }
        let used = Usage::now(&[]).since(&before);
        assert!(used.own >= Duration::from_millis(5) && used.server.is_zero());
        assert!(peak_kib() > 0 && resident_kib() > 0 && descriptors() > 2);
    }
}

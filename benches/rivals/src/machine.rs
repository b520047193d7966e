// SPDX-License-Identifier: Apache-2.0
//! Where it was measured: machine, disk, allocator, versions.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::rival::{ledger, postgres, redb, sqlite};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// Seconds since 1970.
    pub(crate) measured_at: u64,
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_mib: u64,
    pub(crate) kernel: String,
    pub(crate) file_system: String,
    pub(crate) free_disk_gib: f64,
    /// Of the last minute, at the start: what else ran.
    pub(crate) load: f64,
    pub(crate) allocator: String,
    pub(crate) commit: String,
    pub(crate) compiler: String,
    pub(crate) versions: Vec<(String, String)>,
    /// How each was set up.
    pub(crate) setups: Vec<(String, String)>,
}

impl Machine {
    /// As it is now, with the disk below `data`.
    pub(crate) fn here(data: &Path) -> Self {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let named = info
            .lines()
            .find_map(|line| line.strip_prefix("model name"));
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kib = memory
            .lines()
            .next()
            .and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let text = |path| {
            fs::read_to_string(path)
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        Self {
            measured_at: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |it| it.as_secs()),
            processor: named
                .unwrap_or("unknown")
                .trim_start_matches([' ', '\t', ':'])
                .to_owned(),
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            memory_mib: kib.unwrap_or(0) >> 10,
            kernel: text("/proc/sys/kernel/osrelease"),
            file_system: file_system(data),
            free_disk_gib: free_bytes(data) as f64 / (1_u64 << 30) as f64,
            load: load
                .split_whitespace()
                .next()
                .and_then(|it| it.parse().ok())
                .unwrap_or(0.0),
            allocator: if cfg!(feature = "mimalloc") {
                "mimalloc"
            } else {
                "the system's"
            }
            .to_owned(),
            commit: said(Command::new("git").args([
                "-C",
                env!("CARGO_MANIFEST_DIR"),
                "describe",
                "--always",
                "--dirty",
            ])),
            compiler: said(Command::new("rustc").arg("--version")),
            versions: versions(),
            setups: setups(),
        }
    }
}

fn file_system(path: &Path) -> String {
    let found = said(
        Command::new("findmnt")
            .args(["-n", "-o", "FSTYPE", "-T"])
            .arg(path),
    );
    if found == "unknown" {
        return said(Command::new("stat").args(["-f", "-c", "%T"]).arg(path));
    }
    found
}

fn versions() -> Vec<(String, String)> {
    let postgres = postgres::version().unwrap_or_else(|why| format!("absent: {why}"));
    let all = [
        ("SQLite", sqlite::version()),
        ("redb", redb::version()),
        ("PostgreSQL", postgres),
    ];
    all.map(|(name, version)| (name.to_owned(), version))
        .to_vec()
}

fn setups() -> Vec<(String, String)> {
    let all = [
        ("ledger", ledger::SETUP),
        (
            "file",
            "one file, payloads as they are, no hash, no encoding; a writer thread, one write and one fdatasync per group of \
            at most 1,024 records or 512 KiB; *preallocated*: 64 MiB of zeros, written over from the start when it is full",
        ),
        ("SQLite", sqlite::SETUP),
        ("redb", redb::SETUP),
        ("PostgreSQL", postgres::SETUP),
    ];
    all.map(|(name, setup)| {
        (
            name.to_owned(),
            setup.split_whitespace().collect::<Vec<_>>().join(" "),
        )
    })
    .to_vec()
}

/// The first line of what a program says.
fn said(command: &mut Command) -> String {
    let output = command
        .output()
        .map(|output| output.stdout)
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&output);
    text.lines().next().unwrap_or("unknown").trim().to_owned()
}

pub(crate) fn free_bytes(path: &Path) -> u64 {
    rustix::fs::statvfs(path).map_or(0, |it| it.f_bavail * it.f_frsize)
}

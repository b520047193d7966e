// SPDX-License-Identifier: Apache-2.0
//! The steps that can fail, and what can go wrong with each.

use std::time::Duration;

use crate::disk::SyncEnd;
use crate::machine::{Event, Wrong};
use crate::worker::Load;
use crate::worker::again::Rival;

/// When the fault is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Creation,
    Opening,
    Load,
}

/// A step that can fail.
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) event: Event,
    pub(super) when: When,
    pub(super) load: Load,
    /// Which of them.
    pub(super) nths: &'static [u64],
    is_sync: bool,
    /// It is read, and nothing is changed.
    pub(super) is_read: bool,
    /// Another process that opens the directory meanwhile, instead of a fault.
    pub(super) rival: Option<Rival>,
}

const fn step(name: &'static str, event: Event, nths: &'static [u64], is_sync: bool) -> Step {
    Step {
        name,
        event,
        when: When::Load,
        load: Load::Mixed,
        nths,
        is_sync,
        is_read: false,
        rival: None,
    }
}

const fn read(name: &'static str, event: Event, nths: &'static [u64], when: When) -> Step {
    Step {
        when,
        is_read: true,
        ..step(name, event, nths, false)
    }
}

pub(super) const STEPS: &[Step] = &[
    step("commit: write", Event::WalWrite, &[1, 20], false),
    step("commit: sync", Event::WalSync, &[1, 20], true),
    Step {
        load: Load::Large,
        ..step("rotation: create", Event::WalCreate, &[1], false)
    },
    step("flush: create a table", Event::TableCreate, &[1, 3], false),
    step("flush: write a table", Event::TableWrite, &[1, 5], false),
    step("flush: sync a table", Event::TableSync, &[1, 3], true),
    step(
        "flush, compaction: list of tables",
        Event::Other,
        &[1, 4],
        false,
    ),
    step(
        "flush, compaction: sync the list",
        Event::OtherSync,
        &[1, 4],
        true,
    ),
    step("compaction", Event::Compaction, &[1, 3], false),
    step("views: change", Event::Views, &[1, 40], false),
    step("views: write", Event::ViewsWrite, &[1, 30], false),
    // Under load nothing syncs views but the change to one that was made again.
    Step {
        load: Load::Rebuild,
        ..step("views: sync", Event::ViewsSync, &[1, 3], true)
    },
    step("anchor: write", Event::Anchor, &[1, 5], false),
    step("anchor: sync", Event::AnchorSync, &[1, 5], true),
    Step {
        when: When::Creation,
        ..step(
            "creation: change",
            Event::Change,
            &[1, 6, 20, 40, 70, 110],
            false,
        )
    },
    Step {
        when: When::Creation,
        ..step("creation: sync", Event::OtherSync, &[1, 3, 6, 12], true)
    },
    Step {
        when: When::Opening,
        ..step("opening: change", Event::Change, &[1, 4, 15, 60], false)
    },
    Step {
        when: When::Opening,
        ..step("opening: open a file", Event::Open, &[1, 8, 20], false)
    },
    Step {
        when: When::Opening,
        ..step("opening: sync", Event::OtherSync, &[1, 2], true)
    },
    Step {
        load: Load::Large,
        ..step(
            "flush: write a large table",
            Event::TableWrite,
            &[1, 9],
            false,
        )
    },
    read(
        "reads: tables, under load",
        Event::TableRead,
        &[1, 9],
        When::Load,
    ),
    read(
        "reads: views, under load",
        Event::ViewsRead,
        &[1, 40],
        When::Load,
    ),
    read(
        "opens: views, under load",
        Event::ViewsOpen,
        &[1, 9],
        When::Load,
    ),
    read(
        "opens: anything, under load",
        Event::Open,
        &[1, 20],
        When::Load,
    ),
    read(
        "reads: log, at opening",
        Event::WalRead,
        &[1, 4],
        When::Opening,
    ),
    read(
        "reads: tables, at opening",
        Event::TableRead,
        &[1, 9],
        When::Opening,
    ),
    read(
        "reads: views, at opening",
        Event::ViewsRead,
        &[1, 20],
        When::Opening,
    ),
    read(
        "opens: views, at opening",
        Event::ViewsOpen,
        &[1, 9],
        When::Opening,
    ),
    Step {
        rival: Some(Rival::Beside),
        ..step("two processes", Event::Change, &[1], false)
    },
    Step {
        rival: Some(Rival::WithoutLocks),
        ..step("removed lock files", Event::Change, &[1], false)
    },
];

pub(super) const HANG: Duration = Duration::from_secs(3);

/// A fault that does not end.
pub(super) const ALWAYS: u64 = u64::MAX;

/// What can go wrong with a step, and how often in a row.
pub(super) fn wrongs(step: &Step) -> Vec<(&'static str, Option<Wrong>, u64)> {
    if step.rival.is_some() {
        return vec![("another process opens it under load", None, 0)];
    }
    let some = |(name, wrong, times)| (name, Some(wrong), times);
    if step.is_read {
        return reads().map(some).to_vec();
    }
    if step.is_sync {
        let wrongs = [
            ("failed, lost", Wrong::Sync(SyncEnd::FailedAndLost), 1),
            (
                "failed but persisted",
                Wrong::Sync(SyncEnd::FailedButPersisted),
                1,
            ),
            (
                "fails from then on, lost",
                Wrong::Sync(SyncEnd::FailedAndLost),
                ALWAYS,
            ),
            (
                "slow: 0.3 s each, ten times",
                Wrong::Slow(Duration::from_millis(300)),
                10,
            ),
            ("hangs for 3 s", Wrong::Hangs, 1),
        ];
        return wrongs.map(some).to_vec();
    }
    let mut wrongs = vec![
        ("EIO once", Wrong::Fails(libc::EIO), 1),
        ("EIO from then on", Wrong::Fails(libc::EIO), ALWAYS),
        ("disk full once", Wrong::Fails(libc::ENOSPC), 1),
        ("disk full from then on", Wrong::Fails(libc::ENOSPC), ALWAYS),
        ("read-only from then on", Wrong::Fails(libc::EROFS), ALWAYS),
        (
            "permission denied from then on",
            Wrong::Fails(libc::EACCES),
            ALWAYS,
        ),
    ];
    if matches!(
        step.event,
        Event::WalWrite | Event::TableWrite | Event::ViewsWrite
    ) {
        // Of large tables each block is a write of its own, between small ones.
        let times = if step.load == Load::Large { 400 } else { 5 };
        wrongs.push(("short write", Wrong::Short, times));
        wrongs.push(("hangs for 3 s", Wrong::Hangs, 1));
    }
    wrongs.into_iter().map(some).collect()
}

fn reads() -> [(&'static str, Wrong, u64); 7] {
    [
        ("EIO once", Wrong::Fails(libc::EIO), 1),
        ("EIO thirty times", Wrong::Fails(libc::EIO), 30),
        ("EIO from then on", Wrong::Fails(libc::EIO), ALWAYS),
        (
            "permission denied thirty times",
            Wrong::Fails(libc::EACCES),
            30,
        ),
        (
            "permission denied from then on",
            Wrong::Fails(libc::EACCES),
            ALWAYS,
        ),
        (
            "no descriptors thirty times",
            Wrong::Fails(libc::EMFILE),
            30,
        ),
        (
            "no descriptors from then on",
            Wrong::Fails(libc::EMFILE),
            ALWAYS,
        ),
    ]
}

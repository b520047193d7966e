// SPDX-License-Identifier: Apache-2.0
//! A machine with one disk: its power can be cut at a chosen step, and its disk can be made to fail.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::disk::{Cut, Disk, Errno, SyncEnd};

/// What the kernel asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Op {
    Open,
    Read,
    Create,
    Mkdir,
    Link,
    Rename,
    Unlink,
    Rmdir,
    Write,
    Length,
    Allocate,
    Mode,
    Sync,
    SyncDirectory,
}

impl Op {
    /// True where it touches the medium, now or later.
    pub(crate) const fn changes(self) -> bool {
        !matches!(self, Self::Open | Self::Read)
    }

    const fn is_sync(self) -> bool {
        matches!(self, Self::Sync | Self::SyncDirectory)
    }
}

/// Steps that a cut or a fault is aimed at. WAL and tables are the journal's, not the views'.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Change,
    WalCreate,
    WalWrite,
    WalSync,
    TableCreate,
    TableWrite,
    TableSync,
    /// Tables become one, or move to another level: a manifest that names no table just made, or the
    /// end of a table.
    Compaction,
    Views,
    ViewsWrite,
    ViewsSync,
    Anchor,
    AnchorSync,
    /// Outside of the WAL, the tables, the anchor and the views.
    Other,
    OtherSync,
    Open,
    WalRead,
    TableRead,
    ViewsRead,
    ViewsOpen,
}

impl Event {
    fn is(self, op: Op, path: &str, moves: bool) -> bool {
        let views = path.contains("/views");
        let wal = !views && path.ends_with(".jnl");
        let table = !views && path.contains("/tables/");
        let anchor = path.contains("/ANCHOR");
        let other = !(views || wal || table || anchor);
        match self {
            Self::Change => op.changes(),
            Self::WalCreate => wal && op == Op::Create,
            Self::WalWrite => wal && op == Op::Write,
            Self::WalSync => wal && op == Op::Sync,
            Self::TableCreate => table && op == Op::Create,
            Self::TableWrite => table && op == Op::Write,
            Self::TableSync => table && op == Op::Sync,
            Self::Compaction => table && op == Op::Unlink || moves && is_manifest(op, path),
            Self::Views => views && op.changes(),
            Self::ViewsWrite => views && op == Op::Write,
            Self::ViewsSync => views && op.is_sync(),
            Self::Anchor => anchor && op.changes() && !op.is_sync(),
            Self::AnchorSync => anchor && op.is_sync(),
            Self::Other => other && op.changes() && !op.is_sync(),
            Self::OtherSync => other && op.is_sync(),
            Self::Open => op == Op::Open,
            Self::WalRead => wal && op == Op::Read,
            Self::TableRead => table && op == Op::Read,
            Self::ViewsRead => views && op == Op::Read,
            Self::ViewsOpen => views && op == Op::Open,
        }
    }
}

/// A new version of the journal's list of tables.
fn is_manifest(op: Op, path: &str) -> bool {
    let version = path.rsplit_once("/v").map_or("", |(_, version)| version);
    let is_number = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
    op == Op::Create && is_number && !path.contains("/views")
}

/// Where the power is cut: at the `nth` event (from 1) and then that many changes of any kind later.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Aim {
    pub(crate) event: Event,
    pub(crate) nth: u64,
    pub(crate) then: u64,
}

impl Aim {
    fn hits(&mut self, op: Op, path: &str, moves: bool) -> bool {
        if self.nth > 0 {
            self.nth -= u64::from(self.event.is(op, path, moves));
            return self.nth == 0 && self.then == 0;
        }
        if op.changes() && self.then > 0 {
            self.then -= 1;
            return self.then == 0;
        }
        false
    }
}

/// What goes wrong with a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    Fails(Errno),
    /// A write takes only half.
    Short,
    Sync(SyncEnd),
    Slow(Duration),
    /// Until the power is cut or the fault is lifted.
    Hangs,
}

/// From the `nth` event (from 1) on, so often, this goes wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) event: Event,
    pub(crate) nth: u64,
    pub(crate) times: u64,
    pub(crate) wrong: Wrong,
}

impl Fault {
    const fn delays(&self) -> bool {
        matches!(self.wrong, Wrong::Slow(_) | Wrong::Hangs)
    }

    fn strikes(&mut self, op: Op, path: &str, moves: bool) -> bool {
        if self.times == 0 || !self.event.is(op, path, moves) {
            return false;
        }
        self.nth = self.nth.saturating_sub(1);
        let strikes = self.nth == 0;
        self.times -= u64::from(strikes);
        strikes
    }
}

/// What a cut met: the step, and what no sync had covered.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct Seen {
    pub(crate) op: Op,
    pub(crate) path: String,
    #[serde(flatten)]
    pub(crate) cut: Cut,
}

/// Is told of a cut.
pub(crate) type Bell = Box<dyn FnOnce(Seen) + Send>;

pub(crate) struct Machine {
    pub(crate) disk: Disk,
    is_on: bool,
    aim: Option<Aim>,
    faults: Vec<Fault>,
    /// True while no table was made since the last manifest.
    moves: bool,
    /// How often a fault struck since they were set.
    pub(crate) struck: u64,
    /// Changes since the power came back.
    pub(crate) changes: u64,
    pub(crate) trace: Option<Vec<(Op, String)>>,
    bell: Option<Bell>,
    cuts: u32,
}

impl Machine {
    pub(crate) const fn new(disk: Disk) -> Self {
        Self {
            disk,
            is_on: true,
            aim: None,
            faults: Vec::new(),
            moves: false,
            struck: 0,
            changes: 0,
            trace: None,
            bell: None,
            cuts: 0,
        }
    }

    /// Power is on again; the bell rings at the next cut.
    pub(crate) fn boot(&mut self, aim: Option<Aim>, bell: Option<Bell>) {
        (self.is_on, self.aim, self.bell) = (true, aim, bell);
        (self.changes, self.struck) = (0, 0);
        self.faults.clear();
    }

    pub(crate) fn aim(&mut self, aim: Aim) {
        self.aim = Some(aim);
    }

    pub(crate) fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    pub(crate) fn lift_faults(&mut self) {
        self.faults.clear();
    }

    /// Cuts the power now, wherever things stand.
    pub(crate) fn cut(&mut self, op: Op, path: String) {
        if !std::mem::replace(&mut self.is_on, false) {
            return;
        }
        self.cuts += 1;
        let seen = Seen {
            op,
            path,
            cut: self.disk.cut(),
        };
        if let Some(bell) = self.bell.take() {
            bell(seen);
        }
    }

    /// One step. A cut comes in the middle of it: a change is made and not durable, a sync is under way.
    pub(crate) fn step<R>(
        &mut self,
        op: Op,
        path: &str,
        act: impl FnOnce(&mut Disk, Option<Wrong>) -> Result<R, Errno>,
    ) -> Result<R, Errno> {
        if !self.is_on {
            return Err(libc::EIO);
        }
        self.changes += u64::from(op.changes());
        if let Some(trace) = &mut self.trace {
            trace.push((op, path.to_owned()));
        }
        let moves = self.moves;
        if Event::TableCreate.is(op, path, false) {
            self.moves = false;
        } else if is_manifest(op, path) {
            self.moves = true;
        }
        let mut wrong = None;
        for fault in self.faults.iter_mut().filter(|fault| !fault.delays()) {
            if fault.strikes(op, path, moves) {
                self.struck += 1;
                wrong = Some(fault.wrong);
            }
        }
        if self
            .aim
            .as_mut()
            .is_some_and(|aim| aim.hits(op, path, moves))
        {
            if !op.is_sync() {
                let _ = act(&mut self.disk, wrong);
            }
            self.cut(op, path.to_owned());
            return Err(libc::EIO);
        }
        match wrong {
            Some(Wrong::Fails(errno)) => Err(errno),
            wrong => act(&mut self.disk, wrong),
        }
    }
}

/// The machine, shared between the file system's threads and the judge.
#[derive(Clone)]
pub(crate) struct Shared(Arc<(Mutex<Machine>, Condvar)>);

impl Shared {
    pub(crate) fn new(machine: Machine) -> Self {
        Self(Arc::new((Mutex::new(machine), Condvar::new())))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Machine> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends every hanging step: as the power does.
    pub(crate) fn lift_faults(&self) {
        self.lock().lift_faults();
        self.0.1.notify_all();
    }

    /// Runs `step`, later and on a thread of its own where a fault delays it.
    pub(crate) fn delayable(&self, op: Op, path: &str, step: impl FnOnce() + Send + 'static) {
        let mut machine = self.lock();
        let (moves, mut wrong) = (machine.moves, None);
        for fault in machine.faults.iter_mut().filter(|fault| fault.delays()) {
            if fault.strikes(op, path, moves) {
                wrong = Some(fault.wrong);
            }
        }
        machine.struck += u64::from(wrong.is_some());
        drop(machine);
        let wait: Box<dyn FnOnce(&Self) + Send> = match wrong {
            Some(Wrong::Slow(time)) => Box::new(move |_| std::thread::sleep(time)),
            Some(Wrong::Hangs) => Box::new(Self::wait_for_release),
            _ => return step(),
        };
        let shared = self.clone();
        std::thread::spawn(move || {
            wait(&shared);
            step();
        });
    }

    fn wait_for_release(&self) {
        let mut machine = self.lock();
        while machine.is_on
            && machine
                .faults
                .iter()
                .any(|fault| fault.wrong == Wrong::Hangs)
        {
            let pause = Duration::from_millis(20);
            let waited = self.0.1.wait_timeout(machine, pause);
            machine = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

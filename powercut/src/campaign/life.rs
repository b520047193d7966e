// SPDX-License-Identifier: Apache-2.0
//! One directory from its creation on: opened, checked, loaded, cut, opened again. What was
//! acknowledged is known to the judge alone, outside of the machine.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::child::{Child, News, Place, Start, Told};
use super::judge::Broken;
use super::plan::{self, Phase};
use crate::disk::{Disk, Mode};
use crate::machine::{Aim, Bell, Event, Fault, Machine, Op, Seen, Shared};
use crate::mount::Mounted;
use crate::random::Random;
use crate::worker::again::Rival;
use crate::worker::{Load, Subject};

/// Nothing that works takes this long, on a machine that does other work too.
const PATIENCE: Duration = Duration::from_secs(120);
/// After this an event that was aimed at is no longer waited for; a rotation, which takes 64 MB, is
/// waited for longer.
const AIMLESS: Duration = Duration::from_secs(6);
const AIMLESS_LARGE: Duration = Duration::from_secs(40);
const CAPACITY_BYTES: u64 = 4 << 30;

#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct Violation {
    pub(crate) broken: Broken,
    pub(crate) detail: String,
}

/// One cut and what became of it.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct CutRecord {
    pub(crate) phase: Phase,
    pub(crate) in_wal_sync: bool,
    #[serde(flatten)]
    pub(crate) seen: Seen,
    pub(crate) violations: Vec<Violation>,
}

/// How one boot goes.
#[derive(Debug, Default)]
pub(crate) struct Session {
    pub(crate) load: Load,
    /// Commands of each caller; without it until the cut.
    pub(crate) each: Option<u64>,
    pub(crate) phase: Option<Phase>,
    pub(crate) at_once: Option<Aim>,
    pub(crate) faults_at_once: Vec<Fault>,
    /// Set when the load begins.
    pub(crate) faults: Vec<Fault>,
    /// Lifted so long after they were set.
    pub(crate) lift_after: Option<Duration>,
    /// After the load it is opened again in the same process.
    pub(crate) reopen: bool,
    /// Whether everything is verified, and what is called damaged is told.
    pub(crate) verify: bool,
    /// Who tries to open it under the load.
    pub(crate) rival: Option<Rival>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) told: Told,
    pub(crate) seen: Option<Seen>,
    pub(crate) reached: Option<Phase>,
    pub(crate) hung: bool,
}

pub(crate) struct Life {
    pub(crate) subject: Subject,
    pub(crate) mode: Mode,
    pub(crate) seed: u64,
    random: Random,
    machine: Shared,
    scratch: tempfile::TempDir,
    pub(super) acks: BTreeMap<String, Place>,
    pub(crate) cuts: Vec<CutRecord>,
    /// Violations that no cut came before.
    pub(crate) uncut: Vec<Violation>,
    opening: u64,
    was_open: bool,
    run: u32,
    pub(crate) verbose: bool,
}

impl Life {
    pub(crate) fn new(subject: Subject, mode: Mode, seed: u64, opening: u64) -> io::Result<Self> {
        let mut random = Random::new(seed);
        let disk = Disk::new(mode, random.next(), CAPACITY_BYTES);
        let scratch = tempfile::tempdir()?;
        std::fs::create_dir(scratch.path().join("disk"))?;
        std::fs::write(scratch.path().join("acks"), "")?;
        Ok(Self {
            subject,
            mode,
            seed,
            random,
            machine: Shared::new(Machine::new(disk)),
            scratch,
            acks: BTreeMap::new(),
            cuts: Vec::new(),
            uncut: Vec::new(),
            opening,
            was_open: false,
            run: 0,
            verbose: false,
        })
    }

    /// A life that begins where another stands, on a disk of its own.
    pub(crate) fn like(base: &Self) -> io::Result<Self> {
        let mut life = Self::new(base.subject, base.mode, base.seed, base.opening)?;
        life.machine.lock().disk = base.machine.lock().disk.clone();
        (life.acks, life.was_open, life.run) = (base.acks.clone(), base.was_open, base.run);
        life.remember(Told::default())?;
        Ok(life)
    }

    /// How often a fault struck since the last boot.
    pub(crate) fn struck(&self) -> u64 {
        self.machine.lock().struck
    }

    pub(crate) fn cut_now(&self) {
        self.machine
            .lock()
            .cut(Op::Write, "between two runs".into());
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.acks.len()
    }

    /// Changes that the last whole opening made.
    pub(crate) const fn opening(&self) -> u64 {
        self.opening
    }

    /// Lives through its phases, at most `cuts_max` cuts, and a last opening without one.
    pub(crate) fn live(&mut self, cuts_max: usize) -> io::Result<()> {
        for phase in plan::life(&mut self.random, self.subject) {
            if self.cuts.len() >= cuts_max {
                break;
            }
            // Nothing to recover, nothing left to create.
            let phase = match phase {
                Phase::Recovery if !self.was_open => Phase::Create,
                Phase::Create if self.was_open => Phase::Recovery,
                phase => phase,
            };
            if !self.boot(Some(phase), phase.load())? {
                return Ok(());
            }
        }
        self.boot(None, Load::Close)?;
        Ok(())
    }

    fn acks_file(&self) -> PathBuf {
        self.scratch.path().join("acks")
    }

    /// One boot on the way: until the cut of `phase`, or until the ledger is closed. False where
    /// there is no going on.
    fn boot(&mut self, phase: Option<Phase>, load: Load) -> io::Result<bool> {
        let at_once = phase.filter(|phase| phase.is_opening());
        let at_once = at_once.map(|phase| phase.aim(&mut self.random, self.opening));
        let session = Session {
            load,
            phase,
            at_once,
            verify: self.subject == Subject::Ledger,
            ..Session::default()
        };
        let Heard {
            mut told,
            seen,
            reached,
            hung,
        } = self.session(session)?;
        let was_cut = seen.is_some();
        if !was_cut && self.subject == Subject::Ledger {
            // Nothing but power cuts befell it: whatever survived is what was written.
            told.called_damaged();
        }
        let going_on = self.judge(&told, was_cut, hung);
        if let (Some(seen), true) = (seen, going_on) {
            self.record(seen, &told, reached.or(phase).unwrap_or(Phase::Steady));
        }
        let ended_well = was_cut || told.closed;
        self.remember(told)?;
        Ok(going_on && ended_well)
    }

    /// Takes down what was acknowledged, for the judge and for the next run's look-ups.
    pub(crate) fn remember(&mut self, mut told: Told) -> io::Result<()> {
        self.acks.append(&mut told.acks);
        let lines = self
            .acks
            .iter()
            .map(|(id, place)| format!("{id} {} {}\n", place.0, place.1));
        std::fs::write(self.acks_file(), lines.collect::<String>())
    }

    /// Powers on, lets a child work until the session's end, and takes down what it told.
    pub(crate) fn session(&mut self, session: Session) -> io::Result<Heard> {
        let (news, heard) = channel();
        let bell = news.clone();
        let bell: Bell = Box::new(move |seen| {
            let _ = bell.send(News::Cut(seen));
        });
        let mut machine = self.machine.lock();
        machine.boot(session.at_once, Some(bell));
        session
            .faults_at_once
            .iter()
            .for_each(|fault| machine.fault(*fault));
        drop(machine);
        let mounted = Mounted::new(&self.machine, &self.scratch.path().join("disk"))?;
        self.run += 1;
        let acks = self.acks_file();
        let start = Start {
            subject: self.subject,
            directory: &mounted.path().join("it"),
            acks: &acks,
            load: session.load,
            run: self.run,
            each: session.each,
            reopen: session.reopen,
            verify: session.verify,
            rival: session.rival,
        };
        let mut child = Child::start(&start, &news)?;
        let mut told = Told::default();
        let (seen, reached) = self.listen(&heard, &mut child, &mut told, &session);
        let ended = told.closed || told.refused.is_some() || told.idle || reached.is_some();
        let was_ready = told.ready;
        // What hangs must not hang the judge.
        self.machine.lift_faults();
        child.kill()?;
        drop(mounted);
        let mut late = None;
        for news in heard.try_iter() {
            match news {
                News::Line(line) => told.take(&line),
                News::Cut(seen) => late = Some(seen),
                News::Ended => {}
            }
        }
        let seen = seen.or(late);
        // Without power every read fails: a check that had not ended before the cut proves nothing,
        // whatever the child told before it was killed.
        if seen.is_some() {
            told.ready &= was_ready;
        }
        let hung = seen.is_none() && !ended;
        Ok(Heard {
            told,
            seen,
            reached,
            hung,
        })
    }

    /// Until the cut, the end, or the end of patience. The phase that the cut turned out to be in,
    /// where it was not the one that was aimed at.
    fn listen(
        &mut self,
        heard: &Receiver<News>,
        child: &mut Child,
        told: &mut Told,
        session: &Session,
    ) -> (Option<Seen>, Option<Phase>) {
        let (mut since, mut reached) = (Instant::now(), None);
        let mut lift = session.lift_after;
        loop {
            let aimless = told.ready && session.phase.is_some() && reached.is_none();
            let mut patience = match (aimless, session.load) {
                (true, Load::Large) => AIMLESS_LARGE,
                (true, _) => AIMLESS,
                (false, _) => PATIENCE,
            };
            let is_struck = told.ready || !session.faults_at_once.is_empty();
            if let (true, Some(lift)) = (is_struck, lift) {
                patience = lift;
            }
            match heard.recv_timeout(patience.saturating_sub(since.elapsed())) {
                Ok(News::Cut(seen)) => return (Some(seen), reached),
                Ok(News::Ended) => return (None, reached),
                Ok(News::Line(line)) => {
                    let was = (told.opened, told.ready);
                    told.take(&line);
                    if told.opened && !was.0 {
                        self.opening = self.machine.lock().changes;
                        self.was_open = true;
                    }
                    if told.ready && !was.1 {
                        since = Instant::now();
                        reached = self.prepare(session);
                        child.go();
                    }
                    if told.idle && session.phase.is_none() {
                        return (None, reached);
                    }
                }
                Err(RecvTimeoutError::Timeout) if is_struck && lift.take().is_some() => {
                    self.machine.lift_faults();
                }
                Err(RecvTimeoutError::Timeout) if aimless => {
                    // What was aimed at did not come: then at the next step.
                    reached = Some(Phase::Steady);
                    since = Instant::now();
                    self.machine.lock().aim(Aim {
                        event: Event::Change,
                        nth: 1,
                        then: 0,
                    });
                }
                Err(_) => return (None, None),
            }
        }
    }

    /// What is aimed at the load. The phase, where an opening was to be cut and was too short.
    fn prepare(&mut self, session: &Session) -> Option<Phase> {
        let phase = session.phase;
        let reached = phase
            .filter(|phase| phase.is_opening())
            .map(|_| Phase::Steady);
        let aim = reached
            .or(phase)
            .map(|phase| phase.aim(&mut self.random, 0));
        let mut machine = self.machine.lock();
        if let Some(aim) = aim {
            machine.aim(aim);
        }
        session
            .faults
            .iter()
            .for_each(|fault| machine.fault(*fault));
        reached
    }

    fn record(&mut self, seen: Seen, told: &Told, phase: Phase) {
        let phase = match (told.opened, self.was_open) {
            (true, _) => phase,
            (false, true) => Phase::Recovery,
            (false, false) => Phase::Create,
        };
        let in_wal_sync =
            seen.op == Op::Sync && seen.path.ends_with(".jnl") && !seen.path.contains("/views");
        if self.verbose {
            println!(
                "  cut {} in {phase:?}: {seen:?}, {} acks",
                self.cuts.len() + 1,
                told.acks.len()
            );
        }
        self.cuts.push(CutRecord {
            phase,
            in_wal_sync,
            seen,
            violations: Vec::new(),
        });
    }
}

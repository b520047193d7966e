// SPDX-License-Identifier: Apache-2.0
//! `kill -9` of the real program, again and again over one ledger: what the parent read as
//! acknowledged must be there, once, in an unbroken chain (FC-STORAGE §10, §13).
//!
//! The judge is the parent's own copy: acknowledgements come through a pipe and survive the child.
//! `CRASH_SEED=<number>` repeats the choice of moments (not the scheduler's part in them).
//! `FEMTOCLAW_LEDGER_KILLS=<number>` is the long form: at least so many kills, over as many ledgers as it
//! takes, each killed under load, while it is opened, and some while they are being made.

#![cfg(feature = "engine")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic and read the clock"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::time::Duration;

use femtoclaw_ledger::events::{CommandId, ComponentId, Seq, Store};
use femtoclaw_ledger::journal::{FjallJournal, Journal, JournalOptions};

mod run;

use run::{Run, Told, program};

/// Kills of one ledger, without those during its creation: under load, and while it is being opened.
const LOADED: usize = 20;
const OPENING: usize = 8;
/// Of the loaded ones, those with large requests.
const LARGE: usize = 4;
/// Loaded kills that must have hit commits under way, and opening kills that must have hit one.
const IN_FLIGHT_MIN: usize = 15;
const OPENING_MIN: usize = 3;
/// Small enough that every run of the program flushes memtables into tables.
const MEMTABLE_BYTES: u64 = 64 << 10;
const PATIENCE: Duration = Duration::from_secs(60);
/// Kills of a ledger that is being created, each in a directory of its own.
const CREATING: usize = 4;
/// How many kills the long form makes at least.
const KILLS: &str = "FEMTOCLAW_LEDGER_KILLS";

/// Every kind of commit, and no effect that takes time: so nearly all of the 64 callers are inside
/// a commit at any moment.
const INPUT: &str = r#"{"message":{"content":"one"}}
{"message":{"content":"two"}}
{"tool_call":{"tool":"fs.list","args":{"path":"src"}}}
{"tool_call":{"tool":"fs.read","args":{"path":"src/none"}}}
{"tool_call":{"tool":"net.get","args":{}}}
{"message":{"content":"three"}}
not JSON
"#;

/// Sebastiano Vigna's `SplitMix64`: enough to choose moments, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    fn part_of(&mut self, whole: Duration) -> Duration {
        Duration::from_micros(self.below(u64::try_from(whole.as_micros()).unwrap()))
    }
}

/// Where each command's records are, and how many commits each epoch has that an execution is in.
#[derive(Debug, Default)]
struct Journaled {
    places: BTreeMap<CommandId, (u64, u64)>,
    executions: BTreeMap<u64, BTreeSet<CommandId>>,
}

/// Reads every frame: the reader holds each against the one before, `verify` every record against
/// its hash, and this every command against having been written twice or in parts.
fn read_all(work: &Path) -> Journaled {
    let options = JournalOptions::default();
    let journal = FjallJournal::open(&work.join("ledger/journal"), &options).unwrap();
    let mut found = Journaled::default();
    // The next record's place in its commit, and how many that has.
    let (mut expected, mut due) = (1, (0, 0));
    for frame in journal.frames(Seq::FIRST) {
        let frame = frame.unwrap();
        frame.verify().unwrap();
        for record in frame.records() {
            let header = record.unwrap().header;
            let (seq, command) = (header.seq.get(), header.command);
            assert_eq!(seq, expected, "a gap in the sequence");
            expected += 1;
            let place = found.places.entry(command).or_insert((seq, seq - 1));
            assert_eq!(place.1 + 1, seq, "command {command} was written twice");
            place.1 = seq;
            let (index, len) = (header.commit_index, header.commit_len);
            assert_eq!(index, due.0, "record {seq} is not the next of its commit");
            assert!(
                index == 0 || len == due.1,
                "record {seq} is of another commit"
            );
            due = if index + 1 == len {
                (0, 0)
            } else {
                (index + 1, len)
            };
            if header.component != ComponentId::LEDGER
                && header.stores.contains(Store::ExecutionLog)
            {
                let commands = found.executions.entry(frame.epoch).or_default();
                commands.insert(command);
            }
        }
    }
    assert_eq!((journal.head().unwrap().count(), due.0), (expected - 1, 0));
    journal.close();
    found
}

/// Holds what was acknowledged against what is there.
fn judge(told: &[Told], journaled: &Journaled) {
    let mut seen = BTreeSet::new();
    for (command, first, last) in told.iter().flat_map(|told| &told.acks) {
        assert!(seen.insert(*command), "{command} was acknowledged twice");
        let place = journaled.places.get(command);
        assert_eq!(
            place,
            Some(&(*first, *last)),
            "command {command} is missing"
        );
    }
}

/// Tables of the journal, and the number of its newest write-ahead file: more than 0 once the engine
/// has gone on to another.
fn files(work: &Path) -> (usize, u64) {
    let journal = work.join("ledger/journal");
    let names = |path: PathBuf| {
        let entries = std::fs::read_dir(path).unwrap();
        entries.map(|entry| entry.unwrap().path())
    };
    let keyspaces = names(journal.join("keyspaces"));
    let tables = keyspaces.map(|keyspace| names(keyspace.join("tables")).count());
    let wal = names(journal).filter(|path| path.extension().is_some_and(|it| it == "jnl"));
    let number = |path: PathBuf| path.file_stem().unwrap().to_str()?.parse().ok();
    // The engine keeps one table of its own.
    (
        tables.sum::<usize>() - 1,
        wal.filter_map(number).max().unwrap(),
    )
}

/// When a run is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Opening,
    Loaded,
    /// With requests so large that the engine goes on to another write-ahead file.
    Large,
}

/// The first ones also hit the creation of the ledger; the others come among the loaded ones.
fn moments(random: &mut Random) -> Vec<Moment> {
    let mut moments = vec![Moment::Loaded; LOADED - LARGE];
    moments.extend([Moment::Large; LARGE]);
    for _ in 2..OPENING {
        let at = usize::try_from(random.below(moments.len() as u64)).unwrap();
        moments.insert(at, Moment::Opening);
    }
    moments.splice(0..0, [Moment::Opening; 2]);
    moments
}

/// Runs and kills; gives what every run told.
fn campaign(random: &mut Random, program: &Path, work: &Path) -> Vec<Told> {
    let mut told: Vec<Told> = Vec::new();
    let (mut opened_in, mut most) = (Duration::from_millis(150), 0);
    let moments = moments(random);
    for moment in &moments {
        let large = format!(
            "{{\"message\":{{\"content\":\"{}\"}}}}\n",
            "x".repeat(200_000)
        );
        let input = if *moment == Moment::Large {
            &large
        } else {
            INPUT
        };
        std::fs::write(work.join("input.jsonl"), input).unwrap();
        let (mut run, mut now) = (Run::start(program, work), Told::default());
        if *moment == Moment::Opening {
            std::thread::sleep(random.part_of(opened_in));
        } else {
            let acks = match moment {
                Moment::Large => 240 + random.below(60),
                _ => 1 + random.below(400),
            };
            let acks = usize::try_from(acks).unwrap();
            run.listen(&mut now, |now| now.acks.len() >= acks);
            std::thread::sleep(random.part_of(Duration::from_millis(20)));
        }
        run.kill(&mut now);
        if now.epoch.is_some() {
            opened_in = now.opened_in;
            let head = now.head;
            assert!(head > most, "opened at {head}, acknowledged {most}");
        }
        most = now.acks.iter().map(|ack| ack.2).fold(most, u64::max);
        told.push(now);
        if told.len() == moments.len() / 2 {
            judge(&told, &read_all(work));
        }
    }
    told
}

/// How many kills hit commits under way: more became durable than was acknowledged, or the next
/// opening finds executions whose end was on its way.
fn in_flight(told: &[Told], journaled: &Journaled) -> usize {
    let mut count = 0;
    for (index, run) in told.iter().enumerate() {
        let acks: BTreeSet<_> = run.acks.iter().map(|ack| ack.0).collect();
        let durable = run.epoch.and_then(|epoch| journaled.executions.get(&epoch));
        let unheard = durable.map_or(0, |durable| durable.difference(&acks).count());
        let after = told
            .iter()
            .skip(index + 1)
            .find(|next| next.epoch.is_some());
        let in_doubt = after.map_or(0, |next| next.in_doubt);
        println!(
            "{index:2}: epoch {:?}, {} acknowledged, {unheard} more durable, {in_doubt} in doubt",
            run.epoch,
            acks.len()
        );
        count += usize::from(!acks.is_empty() && (unheard > 0 || in_doubt > 0));
    }
    count
}

/// Kills of a ledger in the making: whatever is left, the next opening makes a whole one of it, with
/// nothing in it that was not told. Gives how many of them came before it was made.
fn creations(random: &mut Random, program: &Path) -> usize {
    let (mut opened_in, mut cut) = (Duration::from_millis(100), 0);
    for _ in 0..CREATING {
        let work = tempfile::tempdir().unwrap();
        let work = work.path();
        std::fs::write(work.join("input.jsonl"), INPUT).unwrap();
        let mut told: Vec<Told> = Vec::new();
        // Again and again, until it has opened: the making is cut short at another step each time.
        while told.iter().all(|now| now.epoch.is_none()) && told.len() < 3 {
            let (run, mut now) = (Run::start(program, work), Told::default());
            std::thread::sleep(random.part_of(opened_in));
            run.kill(&mut now);
            cut += usize::from(now.epoch.is_none());
            if now.epoch.is_some() {
                opened_in = now.opened_in;
            }
            told.push(now);
        }
        let (mut run, mut now) = (Run::start(program, work), Told::default());
        run.listen(&mut now, |now| now.acks.len() >= 10);
        run.kill(&mut now);
        told.push(now);
        judge(&told, &read_all(work));
    }
    cut
}

/// What one ledger came to: kills, of these while opening, with commits in flight, acknowledgements.
fn ledger(random: &mut Random, program: &Path) -> [usize; 4] {
    let work = tempfile::tempdir().unwrap();
    let work = work.path();
    let told = campaign(random, program, work);
    let journaled = read_all(work);
    judge(&told, &journaled);
    let in_flight = in_flight(&told, &journaled);
    let cut_openings = told.iter().filter(|run| run.epoch.is_none()).count();
    let acks: usize = told.iter().map(|run| run.acks.len()).sum();
    let (tables, wal) = files(work);
    assert!(in_flight >= IN_FLIGHT_MIN, "only {in_flight} in flight");
    assert!(cut_openings >= OPENING_MIN, "only {cut_openings} openings");
    assert!(tables > 0, "no memtable was flushed");
    assert!(wal > 0, "the write-ahead file was never rotated");
    [told.len(), cut_openings, in_flight, acks]
}

#[test]
fn kill_9_at_random_moments_loses_nothing_acknowledged() {
    let seed = std::env::var("CRASH_SEED").ok();
    let seed = seed.map_or_else(
        || RandomState::new().build_hasher().finish(),
        |seed| seed.parse().unwrap(),
    );
    println!("CRASH_SEED={seed}");
    let kills = std::env::var(KILLS).map_or(0, |kills| kills.parse().unwrap());
    let (program, mut random) = (program(), Random(seed));
    let (mut sum, mut creating) = ([0; 4], 0);
    while sum[0] == 0 || sum[0] + creating < kills {
        creating += creations(&mut random, &program);
        let one = ledger(&mut random, &program);
        sum.iter_mut().zip(one).for_each(|(sum, one)| *sum += one);
    }
    let [killed, opening, in_flight, acks] = sum;
    println!(
        "{killed} kills, {opening} of them while opening, {in_flight} with commits in flight, and \
         {creating} while a ledger was being made; {acks} acknowledgements"
    );
    assert!(creating >= CREATING / 2, "only {creating} while being made");
}

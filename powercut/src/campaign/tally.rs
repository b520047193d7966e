// SPDX-License-Identifier: Apache-2.0
//! What a campaign counted, as a table, as JSON, and in the document.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::document;
use super::judge::Broken;
use super::life::{CutRecord, Life};
use super::plan::Phase;
use crate::disk::Mode;
use crate::worker::Subject;

/// One row: cuts of a phase.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
struct Row {
    cuts: u64,
    /// Of these, with changes that no sync had covered.
    unsynced: u64,
    in_wal_sync: u64,
    lost: u64,
    damaged: u64,
    refused: u64,
    views: u64,
    hung: u64,
    false_damage: u64,
}

impl Row {
    fn add(&mut self, cut: &CutRecord) {
        self.cuts += 1;
        self.unsynced += u64::from(cut.seen.cut.unsynced_changes > 0);
        self.in_wal_sync += u64::from(cut.in_wal_sync);
        for violation in &cut.violations {
            self.count(violation.broken);
        }
    }

    const fn count(&mut self, broken: Broken) {
        *match broken {
            Broken::Lost => &mut self.lost,
            Broken::Damaged => &mut self.damaged,
            Broken::Refused => &mut self.refused,
            Broken::Views => &mut self.views,
            Broken::Hung => &mut self.hung,
            Broken::FalseDamage => &mut self.false_damage,
        } += 1;
    }

    const fn broken(&self) -> u64 {
        self.lost + self.damaged + self.refused + self.views + self.hung + self.false_damage
    }

    const fn plus(self, other: Self) -> Self {
        Self {
            cuts: self.cuts + other.cuts,
            unsynced: self.unsynced + other.unsynced,
            in_wal_sync: self.in_wal_sync + other.in_wal_sync,
            lost: self.lost + other.lost,
            damaged: self.damaged + other.damaged,
            refused: self.refused + other.refused,
            views: self.views + other.views,
            hung: self.hung + other.hung,
            false_damage: self.false_damage + other.false_damage,
        }
    }
}

#[derive(serde::Serialize)]
struct LifeRecord {
    subject: Subject,
    mode: Mode,
    life: u64,
    seed: u64,
    acknowledged: usize,
    cuts: Vec<CutRecord>,
    without_cut: Vec<super::life::Violation>,
}

#[derive(serde::Serialize)]
pub(crate) struct Tally {
    seed: u64,
    seconds: u64,
    lives: Vec<LifeRecord>,
}

impl Tally {
    pub(crate) const fn new(seed: u64) -> Self {
        Self {
            seed,
            seconds: 0,
            lives: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, index: u64, life: &Life) {
        self.lives.push(LifeRecord {
            subject: life.subject,
            mode: life.mode,
            life: index,
            seed: life.seed,
            acknowledged: life.acknowledged(),
            cuts: life.cuts.clone(),
            without_cut: life.uncut.clone(),
        });
    }

    pub(crate) const fn finish(&mut self, took: Duration) {
        self.seconds = took.as_secs();
    }

    fn rows(&self, subject: Subject) -> BTreeMap<(bool, Phase), Row> {
        let mut rows: BTreeMap<(bool, Phase), Row> = BTreeMap::new();
        for life in self.lives.iter().filter(|life| life.subject == subject) {
            let ordered = life.mode == Mode::Ordered;
            for cut in &life.cuts {
                rows.entry((ordered, cut.phase)).or_default().add(cut);
            }
            for violation in &life.without_cut {
                rows.entry((ordered, Phase::Create))
                    .or_default()
                    .count(violation.broken);
            }
        }
        rows
    }

    pub(crate) fn broken(&self, subject: Subject) -> u64 {
        self.rows(subject).values().map(Row::broken).sum()
    }

    /// Each broken promise, with what repeats it.
    pub(crate) fn violations(&self, subject: Subject) -> Vec<String> {
        let mut lines = Vec::new();
        for life in self.lives.iter().filter(|life| life.subject == subject) {
            for (index, cut) in life.cuts.iter().enumerate() {
                for violation in &cut.violations {
                    lines.push(format!(
                        "life {} ({:?}) cut {} in {:?} at {:?} {} ({:?}): {:?}: {}",
                        life.life,
                        life.mode,
                        index + 1,
                        cut.phase,
                        cut.seen.op,
                        cut.seen.path,
                        cut.seen.cut.survivors,
                        violation.broken,
                        violation.detail
                    ));
                }
            }
            for violation in &life.without_cut {
                lines.push(format!(
                    "life {} ({:?}) without a cut: {violation:?}",
                    life.life, life.mode
                ));
            }
        }
        lines
    }

    pub(crate) fn json(&self) -> io::Result<String> {
        Ok(serde_json::to_string(self)? + "\n")
    }

    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        for subject in [Subject::Ledger, Subject::Bare] {
            let rows = self.rows(subject);
            if rows.is_empty() {
                continue;
            }
            let lives: Vec<_> = self
                .lives
                .iter()
                .filter(|life| life.subject == subject)
                .collect();
            let acknowledged: usize = lives.iter().map(|life| life.acknowledged).sum();
            let title = match subject {
                Subject::Ledger => "The ledger",
                Subject::Bare => {
                    "Control: the engine alone, every batch with `PersistMode::SyncAll`"
                }
            };
            let _ = writeln!(
                text,
                "**{title}**: {} directories, {acknowledged} acknowledged commands\n\n\
                 | mode | phase | cuts | with unsynced changes | inside a WAL sync | lost | damaged | \
                 refused to open | views differ | hung | false damage |\n\
                 |---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
                lives.len()
            );
            let mut sum = Row::default();
            let mut line = |mode: &str, phase: &str, row: &Row| {
                let _ = writeln!(
                    text,
                    "| {mode} | {phase} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                    row.cuts,
                    row.unsynced,
                    row.in_wal_sync,
                    row.lost,
                    row.damaged,
                    row.refused,
                    row.views,
                    row.hung,
                    row.false_damage
                );
            };
            for (ordered, mode) in [(false, "strict"), (true, "ordered")] {
                for phase in Phase::ALL {
                    if let Some(row) = rows.get(&(ordered, phase)) {
                        line(mode, &format!("{phase:?}").to_lowercase(), row);
                        sum = sum.plus(*row);
                    }
                }
            }
            line("**all**", "", &sum);
            text.push('\n');
        }
        text
    }

    /// Replaces what stands between the marks of a document.
    pub(crate) fn write_into(&self, path: &Path) -> io::Result<()> {
        let cuts: usize = self
            .lives
            .iter()
            .filter(|life| life.subject == Subject::Ledger)
            .map(|life| life.cuts.len())
            .sum();
        let command = format!(
            "```console\n$ cargo run --release --manifest-path powercut/Cargo.toml -- campaign --cuts {cuts} --seed {}\n```\n\n{} s.\n",
            self.seed, self.seconds
        );
        document::replace(path, "powercut", &format!("{command}\n{}", self.table()))
    }
}

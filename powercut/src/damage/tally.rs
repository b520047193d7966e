// SPDX-License-Identifier: Apache-2.0
//! What the cases came to, as a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::child::Verdict;
use super::judge::Noticed;

#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
struct Row {
    cases: u64,
    open: u64,
    read: u64,
    verify: u64,
    harmless: u64,
    set_aside: u64,
    lost: u64,
    wrong: u64,
    panics: u64,
    hung: u64,
    destroyed: u64,
    #[serde(default)]
    false_damage: u64,
}

impl Row {
    const fn broken(&self) -> u64 {
        self.lost + self.wrong + self.panics + self.hung + self.destroyed + self.false_damage
    }

    fn add(&mut self, other: &Self) {
        for (mine, others) in [
            (&mut self.cases, other.cases),
            (&mut self.open, other.open),
            (&mut self.read, other.read),
            (&mut self.verify, other.verify),
            (&mut self.harmless, other.harmless),
            (&mut self.set_aside, other.set_aside),
            (&mut self.lost, other.lost),
            (&mut self.wrong, other.wrong),
            (&mut self.panics, other.panics),
            (&mut self.hung, other.hung),
            (&mut self.destroyed, other.destroyed),
            (&mut self.false_damage, other.false_damage),
        ] {
            *mine += others;
        }
    }
}

/// Where a case is counted: place in the table, kind of file, kind of fault.
pub(super) type Place = (usize, String, String);

#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
#[serde(from = "Kept", into = "Kept")]
pub(super) struct Tally {
    rows: BTreeMap<Place, Row>,
    /// How long it has taken, in all pieces.
    pub(super) seconds: u64,
    /// What broke a promise, told in full.
    pub(super) broken: Vec<String>,
}

/// As it is kept between two pieces: the keys of rows are no words.
#[derive(serde::Serialize, serde::Deserialize)]
struct Kept {
    rows: Vec<(Place, Row)>,
    seconds: u64,
    broken: Vec<String>,
}

impl From<Kept> for Tally {
    fn from(kept: Kept) -> Self {
        Self {
            rows: kept.rows.into_iter().collect(),
            seconds: kept.seconds,
            broken: kept.broken,
        }
    }
}

impl From<Tally> for Kept {
    fn from(tally: Tally) -> Self {
        Self {
            rows: tally.rows.into_iter().collect(),
            seconds: tally.seconds,
            broken: tally.broken,
        }
    }
}

impl Tally {
    /// Cases that were judged.
    pub(super) fn cases(&self) -> usize {
        self.rows.values().map(|row| row.cases as usize).sum()
    }

    /// `may_end_early`: the newest frame is not covered by the anchor, and may be set aside.
    pub(super) fn take(
        &mut self,
        place: &Place,
        case: &str,
        verdict: &Verdict,
        may_end_early: bool,
    ) {
        let row = self.rows.entry(place.clone()).or_default();
        let before = row.broken();
        row.cases += 1;
        *match &verdict.noticed {
            Noticed::Open(_) => &mut row.open,
            Noticed::Read(_) => &mut row.read,
            Noticed::Verify(_) => &mut row.verify,
            Noticed::Harmless => &mut row.harmless,
            Noticed::SetAside(_) if may_end_early => &mut row.set_aside,
            Noticed::SetAside(_) | Noticed::Lost(_) => &mut row.lost,
            Noticed::Wrong(_) => &mut row.wrong,
            Noticed::Hung(_) => &mut row.hung,
        } += 1;
        row.panics += u64::from(!verdict.panics.is_empty());
        row.destroyed += u64::from(!verdict.destroyed.is_empty());
        row.false_damage += u64::from(!verdict.false_damage.is_empty());
        if row.broken() > before {
            self.broken
                .push(format!("{}, {}: {case}: {verdict:?}", place.1, place.2));
        }
    }

    /// A case that took its process with it.
    pub(super) fn died(&mut self, place: &Place, case: &str, how: &str) {
        let row = self.rows.entry(place.clone()).or_default();
        row.cases += 1;
        *if how.contains("hangs") {
            &mut row.hung
        } else {
            &mut row.panics
        } += 1;
        self.broken
            .push(format!("{}, {}: {case}: {how}", place.1, place.2));
    }

    pub(super) fn table(&self) -> String {
        let mut text = String::from(
            "| file | damage | cases | at open | at read | by verify | harmless | set aside and told | \
             lost in silence | wrong answer | panic | hung | evidence lost | false damage |\n\
             |---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        );
        let mut line = |file: &str, damage: &str, row: &Row| {
            let _ = writeln!(
                text,
                "| {file} | {damage} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                row.cases,
                row.open,
                row.read,
                row.verify,
                row.harmless,
                row.set_aside,
                row.lost,
                row.wrong,
                row.panics,
                row.hung,
                row.destroyed,
                row.false_damage
            );
        };
        let mut sum = Row::default();
        for ((_, file, damage), row) in &self.rows {
            line(file, damage, row);
            sum.add(row);
        }
        line("**all**", "", &sum);
        text
    }
}

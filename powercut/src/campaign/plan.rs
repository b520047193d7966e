// SPDX-License-Identifier: Apache-2.0
//! When the power goes: phases, and the steps in them that a cut is aimed at.

use crate::machine::{Aim, Event};
use crate::random::Random;
use crate::worker::{Load, Subject};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    /// While what lies in the directory is made.
    Create,
    /// Commits, and nothing else.
    Steady,
    /// The engine goes on to another WAL.
    Rotation,
    /// A memtable becomes a table.
    Flush,
    /// Tables become one.
    Compaction,
    /// While it is opened again after a cut.
    Recovery,
    /// A view is made again.
    Rebuild,
}

impl Phase {
    pub(crate) const ALL: [Self; 7] = [
        Self::Create,
        Self::Steady,
        Self::Rotation,
        Self::Flush,
        Self::Compaction,
        Self::Recovery,
        Self::Rebuild,
    ];

    pub(crate) const fn load(self) -> Load {
        match self {
            Self::Rotation => Load::Large,
            Self::Rebuild => Load::Rebuild,
            _ => Load::Mixed,
        }
    }

    /// Cut while opening, not under load.
    pub(crate) const fn is_opening(self) -> bool {
        matches!(self, Self::Create | Self::Recovery)
    }

    /// The step that is aimed at; `opening` is how many changes the last opening made.
    pub(crate) const fn aim(self, random: &mut Random, opening: u64) -> Aim {
        let (event, nth, then) = match self {
            Self::Create | Self::Recovery => (Event::Change, 1 + random.below(opening), 0),
            Self::Steady if random.chance(85) => (Event::WalSync, 1 + random.below(40), 0),
            Self::Steady => (Event::Change, 1 + random.below(250), 0),
            Self::Rotation => (Event::WalCreate, 1, random.below(12)),
            Self::Flush => (Event::TableCreate, 1 + random.below(3), random.below(16)),
            Self::Compaction => (Event::Compaction, 1 + random.below(4), random.below(8)),
            Self::Rebuild => (Event::Views, 1 + random.below(250), 0),
        };
        Aim { event, nth, then }
    }
}

/// The phases of one life: a directory from its creation on, cut again and again.
pub(crate) fn life(random: &mut Random, subject: Subject) -> Vec<Phase> {
    let mut phases = Vec::new();
    if random.chance(60) {
        phases.push(Phase::Create);
    }
    // Much is written for one rotation: several in a life of their own.
    if random.chance(25) {
        phases.extend([
            Phase::Rotation,
            Phase::Rotation,
            Phase::Recovery,
            Phase::Rotation,
            Phase::Steady,
            Phase::Rotation,
        ]);
        return phases;
    }
    for _ in 0..8 {
        let phase = match random.below(100) {
            0..36 => Phase::Steady,
            36..54 => Phase::Flush,
            54..70 => Phase::Compaction,
            70..88 => Phase::Recovery,
            _ if subject == Subject::Ledger => Phase::Rebuild,
            _ => Phase::Steady,
        };
        phases.push(phase);
    }
    phases
}

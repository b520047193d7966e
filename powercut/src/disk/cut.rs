// SPDX-License-Identifier: Apache-2.0
//! The cut: which of the changes that no sync has covered had reached the medium by themselves.

use std::collections::BTreeMap;

use super::content::{Content, SECTOR};
use super::{Change, Disk, FileNode, Ino, Kind, Mode, Pending, ROOT};
use crate::random::Random;

/// What survives, drawn anew for every cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Survivors {
    /// Nothing that was not synced.
    Nothing,
    /// Everything, synced or not.
    Everything,
    /// What came first.
    First,
    /// Some changes as a whole, whatever their order.
    Some,
    /// Some sectors of each write, whatever their order.
    Sectors,
}

/// How much the cut met.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub(crate) struct Cut {
    pub(crate) survivors: Survivors,
    pub(crate) unsynced_changes: u64,
    pub(crate) unsynced_bytes: u64,
}

/// Draws the fate of each change.
struct Fate {
    survivors: Survivors,
    percent: u64,
    /// The last change of those that came first.
    last: u64,
    random: Random,
}

impl Fate {
    fn whole(&mut self, id: u64) -> bool {
        match self.survivors {
            Survivors::Nothing => false,
            Survivors::Everything => true,
            Survivors::First => id <= self.last,
            Survivors::Some | Survivors::Sectors => self.random.chance(self.percent),
        }
    }

    /// Puts what survives of a write; true where that is all of it.
    fn put(&mut self, content: &mut Content, id: u64, offset: u64, data: &[u8]) -> bool {
        if self.survivors != Survivors::Sectors {
            let whole = self.whole(id);
            if whole {
                content.put(offset, data);
            }
            return whole;
        }
        let (end, mut at, mut whole) = (offset + data.len() as u64, offset, true);
        while at < end {
            let next = (at / SECTOR * SECTOR + SECTOR).min(end);
            if self.random.chance(self.percent) {
                let part = (at - offset) as usize..(next - offset) as usize;
                content.put(at, &data[part]);
            } else {
                whole = false;
            }
            at = next;
        }
        whole
    }
}

impl Disk {
    /// The power goes, and comes back: what is shown is what was durable, and what had got there by
    /// itself.
    pub(crate) fn cut(&mut self) -> Cut {
        let (unsynced_changes, unsynced_bytes) = self.unsynced();
        let mut fate = self.fate();
        // The journal's last commit; only what is ordered has one.
        let journal = match (self.mode, fate.survivors) {
            (Mode::Strict, _) | (Mode::Ordered, Survivors::Nothing) => 0,
            (Mode::Ordered, Survivors::Everything) => u64::MAX,
            (Mode::Ordered, _) => fate.last,
        };
        let names = std::mem::take(&mut self.names).into_iter();
        let names = match self.mode {
            Mode::Strict => names.filter(|change| fate.whole(change.id)).collect(),
            Mode::Ordered => names.filter(|change| change.id <= journal).collect(),
        };
        self.apply_names(names);
        for inode in self.inodes.values_mut() {
            let Kind::File(file) = &mut inode.kind else {
                continue;
            };
            for pending in std::mem::take(&mut file.pending) {
                if let Change::Mode(mode) = pending.change {
                    let kept = match self.mode {
                        Mode::Strict => fate.whole(pending.id),
                        Mode::Ordered => pending.id <= journal,
                    };
                    inode.durable_mode = if kept { mode } else { inode.durable_mode };
                } else {
                    file.pending.push(pending);
                }
            }
            match self.mode {
                Mode::Strict => file.survive_strictly(&mut fate),
                Mode::Ordered => file.survive_in_order(&mut fate, journal),
            }
        }
        self.random = fate.random;
        self.boot();
        Cut {
            survivors: fate.survivors,
            unsynced_changes,
            unsynced_bytes,
        }
    }

    fn fate(&mut self) -> Fate {
        let mut random = self.random.clone();
        let survivors = match random.below(10) {
            0 | 1 => Survivors::Nothing,
            2 => Survivors::Everything,
            3 => Survivors::First,
            4 | 5 => Survivors::Some,
            _ => Survivors::Sectors,
        };
        let ids = self.inodes.values().flat_map(|inode| match &inode.kind {
            Kind::File(file) => file.pending.as_slice(),
            Kind::Directory(_) => &[],
        });
        let ids = ids.map(|pending| pending.id);
        let first = ids.chain(self.names.iter().map(|change| change.id)).min();
        let first = first.unwrap_or(self.next_id);
        let last = first + random.below(self.next_id + 1 - first);
        let percent = [10, 50, 90, 97][random.below(4) as usize];
        Fate {
            survivors,
            percent,
            last,
            random,
        }
    }

    /// What is durable is all there is.
    pub(crate) fn boot(&mut self) {
        self.names.clear();
        let mut links: BTreeMap<Ino, u32> = BTreeMap::from([(ROOT, 1)]);
        let mut waiting = vec![ROOT];
        while let Some(ino) = waiting.pop() {
            let Some(inode) = self.inodes.get_mut(&ino) else {
                continue;
            };
            let Kind::Directory(directory) = &mut inode.kind else {
                continue;
            };
            // Of a directory that was moved twice both moves may be there: it stays at the first.
            let durable = std::mem::take(&mut directory.durable);
            let mut kept = BTreeMap::new();
            for (name, child) in durable {
                let is_directory = |inode: &super::Inode| matches!(inode.kind, Kind::Directory(_));
                let seen = links.contains_key(&child);
                match self.inodes.get_mut(&child) {
                    Some(inode) if !(seen && is_directory(inode)) => {
                        inode.is_at(ino, &name);
                        *links.entry(child).or_insert(0) += 1;
                        waiting.extend((!seen).then_some(child));
                        kept.insert(name, child);
                    }
                    _ => {}
                }
            }
            if let Some(super::Inode {
                kind: Kind::Directory(directory),
                ..
            }) = self.inodes.get_mut(&ino)
            {
                directory.shown.clone_from(&kept);
                directory.durable = kept;
            }
        }
        self.used_pages = 0;
        self.inodes.retain(|ino, _| links.contains_key(ino));
        for (ino, inode) in &mut self.inodes {
            inode.links = links.get(ino).copied().unwrap_or(0);
            (inode.handles, inode.mode) = (0, inode.durable_mode);
            if let Kind::File(file) = &mut inode.kind {
                file.pending.clear();
                file.shown = file.durable.clone();
                self.used_pages += file.shown.pages();
            }
        }
    }
}

impl FileNode {
    /// Bytes, and that the file grew, reach the medium independently.
    fn survive_strictly(&mut self, fate: &mut Fate) {
        for Pending { id, change } in std::mem::take(&mut self.pending) {
            match change {
                Change::Write { offset, data } => {
                    let whole = fate.put(&mut self.durable, id, offset, &data);
                    let grows = match fate.survivors {
                        Survivors::Some | Survivors::Sectors => fate.whole(id),
                        _ => whole,
                    };
                    if grows {
                        self.durable.grow(offset + data.len() as u64);
                    }
                }
                Change::Length(len) if fate.whole(id) => self.durable.set_len(len),
                Change::Length(_) | Change::Mode(_) => {}
            }
        }
        self.durable.trim();
    }

    /// A length that was set is there with the journal; a file grows by writes only as far as all
    /// bytes up to there are.
    fn survive_in_order(&mut self, fate: &mut Fate, journal: u64) {
        let mut grows = true;
        for Pending { id, change } in std::mem::take(&mut self.pending) {
            match change {
                Change::Length(len) if id <= journal => self.durable.set_len(len),
                // What was written to a length that never was went to blocks that never were.
                Change::Length(_) => break,
                Change::Write { offset, data } => {
                    let inside = self.durable.len().saturating_sub(offset) as usize;
                    let (inside, beyond) = data.split_at(inside.min(data.len()));
                    let mut whole = fate.put(&mut self.durable, id, offset, inside);
                    if !beyond.is_empty() && grows {
                        let from = offset + inside.len() as u64;
                        whole &= fate.put(&mut self.durable, id, from, beyond);
                        if whole {
                            self.durable.grow(from + beyond.len() as u64);
                        }
                    }
                    grows &= whole;
                }
                Change::Mode(_) => {}
            }
        }
        self.durable.trim();
    }
}

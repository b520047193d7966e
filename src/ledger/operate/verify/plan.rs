// SPDX-License-Identifier: Apache-2.0
//! Which large files are read before which part of the walk: tables before the one in which they begin. Then the walk
//! finds their frames in the system's cache.
//!
//! It is about time alone. Every file is read once, wherever it stands here, and what a part holds
//! is what the journal gives.

use std::ops::Range;

use super::files::FilesToVerify;
use super::large_file::LargeFile;
use super::progress::ProgressTracker;

pub(super) struct Plan<'a> {
    files: Option<&'a FilesToVerify>,
    parts: Vec<Vec<&'a LargeFile>>,
    /// Bytes of the files of each part.
    bytes: Vec<u64>,
}

impl<'a> Plan<'a> {
    /// For so many parts (at least one) of `step` records each.
    pub(super) fn new(files: Option<&'a FilesToVerify>, parts: u64, step: u64) -> Self {
        let all = files.into_iter().flat_map(|files| &files.large);
        let begins = all.map(|file| (file.first_record(), file)).collect();
        let parts = placed(begins, parts, step);
        let length = |file: &&LargeFile| file.bytes();
        let bytes = parts.iter().map(|files| files.iter().map(length).sum());
        Self {
            files,
            bytes: bytes.collect(),
            parts,
        }
    }

    /// Bytes of the files of these parts.
    pub(super) fn bytes(&self, parts: Range<usize>) -> u64 {
        self.bytes.get(parts).into_iter().flatten().sum()
    }

    pub(super) fn parts(&self) -> usize {
        self.parts.len()
    }

    /// Reads the files before this part; what is wrong with them is kept with them. False
    /// where it was told to stop.
    pub(super) fn read(&self, part: usize, tracker: &ProgressTracker<'_>) -> bool {
        let Some(files) = self.files else {
            return true;
        };
        let mut part = self.parts.get(part).into_iter().flatten();
        part.all(|file| files.read(file, tracker))
    }
}

/// Each file in the part in which it begins. Those of which that is not known are put between them evenly: they
/// are read and hashed, and leave the processors to the frames.
fn placed<T>(begins: Vec<(Option<u64>, &T)>, parts: u64, step: u64) -> Vec<Vec<&T>> {
    let unknown = begins.iter().filter(|(seq, _)| seq.is_none()).count() as u64;
    let mut others = 0..unknown;
    let mut part_of: Vec<(u64, &T)> = Vec::new();
    for (seq, file) in begins {
        let part = match seq {
            Some(seq) => seq.saturating_sub(1) / step.max(1),
            None => others.next().unwrap_or(0).saturating_mul(parts) / unknown.max(1),
        };
        part_of.push((part.min(parts.saturating_sub(1)), file));
    }
    let mut placed: Vec<Vec<&T>> = (0..parts).map(|_| Vec::new()).collect();
    for (part, file) in part_of {
        let part = usize::try_from(part).ok();
        if let Some(part) = part.and_then(|part| placed.get_mut(part)) {
            part.push(file);
        }
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For any statement of a file: none is left out, none is read twice.
    #[test]
    fn every_file_is_read_once_and_where_it_begins() {
        let files: Vec<u64> = (0..23).collect();
        for (parts, step) in [(1, 1_024), (2, 1_024), (9, 100), (40, 7)] {
            let begins = |id: u64| match id {
                0 => Some(u64::MAX),
                1 => Some(0),
                2..12 => Some(1 + id * 70),
                _ => None,
            };
            let given = files.iter().map(|id| (begins(*id), id));
            let placed = placed(given.collect(), parts, step);
            assert_eq!(placed.len() as u64, parts);
            let mut seen: Vec<u64> = placed.iter().flatten().map(|id| **id).collect();
            seen.sort_unstable();
            assert_eq!(seen, files);
            for (part, files) in (0..parts).zip(&placed) {
                for seq in files.iter().filter_map(|id| begins(**id)) {
                    let place = (seq.max(1) - 1) / step;
                    assert_eq!(part, place.min(parts - 1), "record {seq}");
                }
                let others = files.iter().filter(|id| begins(***id).is_none());
                assert!(others.count() as u64 <= 11_u64.div_ceil(parts));
            }
        }
    }
}

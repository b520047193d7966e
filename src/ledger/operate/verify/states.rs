// SPDX-License-Identifier: Apache-2.0
//! Saved states: every byte of them is vouched for by a record of the journal, or they are damaged.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::database::{Damage, files};
use crate::error::Fault;
use crate::integrity::RunningDigest;
use crate::journal::Journal;
use crate::ledger::recover::saved_states::{self, Doubt};
use crate::ledger::recover::snapshots;

use super::met::{Met, Unread};
use super::{Damaged, OpenDirectory};

/// Read at a time.
const STEP: usize = 256 << 10;

/// How many files there are, and what is wrong with them.
pub(super) fn check(place: &OpenDirectory, journal: &dyn Journal) -> (u64, Vec<Met>) {
    let (mut count, mut met) = (0, Vec::new());
    let directory = snapshots::directory(&place.root);
    let paths = match entries(&directory) {
        Ok(paths) => paths,
        Err(error) => return (0, vec![Met::from(&Damage::io(&directory, error))]),
    };
    for path in paths {
        if path.extension().is_none_or(|it| it != snapshots::SUFFIX) {
            continue;
        }
        count += 1;
        let file = match files::open(&path) {
            Ok(file) => file,
            // Old ones are removed when a new one is there.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                met.push(Met::from(&Damage::io(&path, error)));
                continue;
            }
        };
        let mut states = StateDigests {
            file: BufReader::with_capacity(STEP, file),
            at: 0,
        };
        met.extend(match states.check(place, journal) {
            Ok(()) => None,
            Err(Doubt::Wrong(what)) => Some(damaged(&path, states.at, what).into()),
            Err(Doubt::Io(error)) => Some(Met::from(&Damage::io(&path, error))),
            Err(Doubt::Unread(what)) => Some(Unread::of(&path, Fault::Unknown, what).into()),
        });
    }
    (count, met)
}

fn damaged(path: &Path, at: u64, what: String) -> Damaged {
    Damaged {
        offset: Some(at),
        ..Damaged::of(path, what)
    }
}

struct StateDigests {
    file: BufReader<File>,
    /// Where what is being read begins.
    at: u64,
}

impl StateDigests {
    fn check(&mut self, place: &OpenDirectory, journal: &dyn Journal) -> Result<(), Doubt> {
        let head: [u8; 24] = self.take()?.ok_or("it ends too early")?;
        let head = head.split_first_chunk::<8>();
        let is_ours = head.is_some_and(|(magic, ledger)| {
            magic == saved_states::MAGIC && ledger == place.ledger.as_bytes()
        });
        if !is_ours {
            return Err("it is not of this ledger".into());
        }
        self.at = 24;
        while let Some([state]) = self.take()? {
            let mut number = || {
                let bytes: [u8; 8] = self.take()?.ok_or("it ends too early")?;
                Ok::<_, Doubt>(u64::from_be_bytes(bytes))
            };
            let (seq, length) = (number()?, number()?);
            let mut digest = RunningDigest::default();
            let (mut left, mut piece) = (length, vec![0; STEP]);
            while left > 0 {
                let want = usize::try_from(left).unwrap_or(STEP).min(STEP);
                let part = piece.get_mut(..want).unwrap_or_default();
                self.file.read_exact(part).map_err(Doubt::Io)?;
                digest.add(part);
                left -= want as u64;
            }
            if saved_states::vouched(journal, seq, state, length)?.digest != digest.finish() {
                return Err(saved_states::unvouched(seq).into());
            }
            self.at += 17 + length;
        }
        Ok(())
    }

    /// The next bytes; `None` at the end of the file.
    fn take<const N: usize>(&mut self) -> Result<Option<[u8; N]>, Doubt> {
        let mut bytes = [0; N];
        let mut filled = 0;
        while filled < N {
            match self.file.read(bytes.get_mut(filled..).unwrap_or_default()) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err("it ends too early".into()),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Doubt::Io(error)),
            }
        }
        Ok(Some(bytes))
    }
}

/// Entries of a directory that may be missing.
pub(super) fn entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths: Vec<_> = paths.collect::<io::Result<_>>()?;
    paths.sort();
    Ok(paths)
}

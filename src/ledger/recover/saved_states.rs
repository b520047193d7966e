// SPDX-License-Identifier: Apache-2.0
//! A file of saved states, read one by one: bytes are believed where a record of the journal holds their digest.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use crate::database::files;
use crate::events::{Event, LedgerId, Seq, SnapshotTakenV1};
use crate::integrity::digest;
use crate::journal::{Journal, ReadFailure};

pub(in crate::ledger) const MAGIC: &[u8; 8] = b"FCLSTATE";

/// Why saved states are not believed.
#[derive(Debug)]
pub(in crate::ledger) enum Doubt {
    /// They are not what was saved.
    Wrong(String),
    /// Their file could not be read.
    Io(std::io::Error),
    /// The journal could not be asked: nothing is known.
    Unread(String),
}

impl std::fmt::Display for Doubt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Wrong(what) | Self::Unread(what) => f.write_str(what),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl From<&str> for Doubt {
    fn from(what: &str) -> Self {
        Self::Wrong(what.to_owned())
    }
}

impl From<String> for Doubt {
    fn from(what: String) -> Self {
        Self::Wrong(what)
    }
}

impl From<ReadFailure> for Doubt {
    fn from(failure: ReadFailure) -> Self {
        match failure {
            ReadFailure::Damaged { .. } => Self::Wrong(failure.to_string()),
            _ => Self::Unread(failure.to_string()),
        }
    }
}

pub(in crate::ledger) fn unvouched(seq: u64) -> String {
    format!("record {seq} does not vouch for its bytes")
}

/// The record that holds the digest of a state of this length: bytes without that digest are
/// anybody's word.
pub(in crate::ledger) fn vouched(
    journal: &dyn Journal,
    seq: u64,
    state: u8,
    length: u64,
) -> Result<SnapshotTakenV1, Doubt> {
    let place = Seq::new(seq).ok_or("invalid record number: 0")?;
    let frame = journal
        .frame_at(place)?
        .ok_or("it is of a later record than the journal holds")?;
    frame.verify()?;
    let record = frame.record(place)?;
    match record.event() {
        Ok(Event::SnapshotTaken(taken)) if taken.state == state && taken.length == length => {
            Ok(taken)
        }
        _ => Err(unvouched(seq).into()),
    }
}

/// What of a file has not been read.
pub(super) struct Rest {
    file: BufReader<File>,
    left: u64,
}

/// One state's bytes, and the record that vouches for them.
pub(super) struct NextState {
    pub(super) taken: SnapshotTakenV1,
    pub(super) seq: u64,
    pub(super) bytes: Vec<u8>,
}

impl Rest {
    pub(super) fn of(path: &Path, ledger: LedgerId) -> Result<Self, String> {
        let file = files::open(path).map_err(|error| error.to_string())?;
        let length = file.metadata().map_err(|error| error.to_string())?.len();
        let mut rest = Self {
            file: BufReader::new(file),
            left: length,
        };
        if rest.take(MAGIC.len() as u64)? != MAGIC || rest.take(16)? != ledger.as_bytes() {
            return Err("it is not of this ledger".to_owned());
        }
        Ok(rest)
    }

    /// The next state; `None` at the end of the file.
    pub(super) fn next(&mut self, journal: &dyn Journal) -> Result<Option<NextState>, String> {
        if self.left == 0 {
            return Ok(None);
        }
        let state = self.take(1)?.first().copied().unwrap_or(0);
        let (seq, length) = (self.number()?, self.number()?);
        // Before its bytes are read: the record says how many there are.
        let taken = vouched(journal, seq, state, length).map_err(|doubt| doubt.to_string())?;
        let bytes = self.take(length)?;
        match digest(&bytes) == taken.digest {
            true => Ok(Some(NextState { taken, seq, bytes })),
            false => Err(unvouched(seq)),
        }
    }

    fn take(&mut self, count: u64) -> Result<Vec<u8>, String> {
        self.left = self.left.checked_sub(count).ok_or("it ends too early")?;
        let mut bytes = vec![0; usize::try_from(count).map_err(|error| error.to_string())?];
        let read = self.file.read_exact(&mut bytes);
        read.map_err(|error| format!("it cannot be read: {error}"))?;
        Ok(bytes)
    }

    fn number(&mut self) -> Result<u64, String> {
        let bytes = self.take(8)?.first_chunk::<8>().copied();
        Ok(u64::from_be_bytes(bytes.unwrap_or_default()))
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Reads what is to be checked, and never more of it than there can be.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use femtoclaw_ledger::events::HEADER_LEN;
use femtoclaw_ledger::integrity::export::ExportSource;
use femtoclaw_ledger::integrity::merkle::{HASH_LEN, Tile, TileSource};

use crate::outcome::{Exit, Problem};

/// Reads a file, or standard input for `-`, of at most `max` bytes.
pub(crate) fn read(path: &str, max: usize) -> Result<Vec<u8>, Problem> {
    let bytes = if path == "-" {
        limited(io::stdin().lock(), max)
    } else {
        File::open(path).and_then(|file| limited(file, max))
    };
    bytes.map_err(|error| {
        let exit = match error.kind() {
            io::ErrorKind::NotFound => Exit::NotFound,
            io::ErrorKind::FileTooLarge => Exit::Integrity,
            _ => Exit::Failure,
        };
        Problem::of(exit, path, &error)
    })
}

fn limited(source: impl Read, max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > max {
        let problem = format!("more than the {max} bytes that this can have");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, problem));
    }
    Ok(bytes)
}

/// An export in a directory.
pub(crate) struct ExportDirectory(PathBuf);

impl ExportDirectory {
    pub(crate) fn new(path: &str) -> Self {
        Self(path.into())
    }

    /// Reads a file of the width asked for; the full one serves for a partial one that is gone.
    fn width(&self, tile: Tile, of: fn(Tile) -> String, max: usize) -> io::Result<(Vec<u8>, bool)> {
        let open = |tile| File::open(self.0.join(Path::new(&of(tile))));
        match open(tile) {
            Ok(file) => Ok((limited(file, max)?, tile.is_full())),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !tile.is_full() => {
                let file = open(tile.full()).map_err(|_| error)?;
                Ok((limited(file, max)?, true))
            }
            Err(error) => Err(error),
        }
    }
}

impl TileSource for ExportDirectory {
    type Error = io::Error;

    fn tile(&self, tile: Tile) -> Result<Vec<u8>, io::Error> {
        let (mut bytes, full) = self.width(tile, Tile::path, 256 * HASH_LEN)?;
        if full {
            bytes.truncate(usize::from(tile.width()) * HASH_LEN);
        }
        Ok(bytes)
    }
}

impl ExportSource for ExportDirectory {
    fn entries(&self, tile: Tile) -> Result<Vec<u8>, io::Error> {
        // Entries have 224 bytes; a bundle of larger ones is refused by its first entry.
        let (bytes, full) = self.width(tile, Tile::entries_path, 256 * (2 + HEADER_LEN))?;
        if !full || tile.is_full() {
            return Ok(bytes);
        }
        let mut end = 0;
        for _ in 0..tile.width() {
            let length = bytes.get(end..).and_then(|rest| rest.first_chunk::<2>());
            end += 2 + length.map_or(0, |length| usize::from(u16::from_be_bytes(*length)));
        }
        Ok(bytes.get(..end).map(<[u8]>::to_vec).unwrap_or(bytes))
    }
}

// SPDX-License-Identifier: Apache-2.0
//! The engine's tables, whole: a manifest states the XXH3-128 of every table file, which covers
//! data, index, filter and meta blocks and the trailer alike. The engine itself checks a block when
//! it reads it, and what it does not read it does not check.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::{blocks, damage::Damage, files};

/// Read at a time.
const STEP: usize = 256 << 10;
/// A block: magic, type u8, XXH3-128 of the data u128, length u32, length uncompressed u32, low half
/// of the XXH3-128 of all this u32; then the data. Little endian.
const BLOCK_HEADER_LEN: usize = 33;
const BLOCK_MAGIC: [u8; 4] = *b"LSM\x03";
/// No block is larger: a frame fits into one.
const BLOCK_BYTES_MAX: u64 = 64 << 20;

/// A table that a manifest names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) path: PathBuf,
    pub(crate) id: u64,
    pub(super) checksum: u128,
}

impl Table {
    /// The key that it begins with, where that has eight bytes; nothing but the first block's header
    /// vouches for it. An entry: kind u8, number varint, length varint, key.
    pub(crate) fn first_key(&self) -> Option<[u8; 8]> {
        let mut front = [0; BLOCK_HEADER_LEN + 20];
        let file = files::open(&self.path).ok()?;
        file.read_exact_at(&mut front, 0).ok()?;
        let (header, entry) = front.split_first_chunk()?;
        block(header)?;
        let number = entry.get(1..)?;
        let end = number.iter().position(|byte| byte & 0x80 == 0)?;
        let key = number.get(end + 1..)?.strip_prefix(&[8])?;
        key.first_chunk().copied()
    }

    /// Begins to read it.
    pub(crate) fn begin(&self) -> Result<TableReading, Damage> {
        let file = files::open(&self.path).map_err(|error| Damage::io(&self.path, error))?;
        Ok(TableReading {
            table: self.clone(),
            file,
            hash: Box::default(),
            piece: vec![0; STEP],
        })
    }

    /// Reads all of it. `step` is told of every piece and says whether to go on; gives false where
    /// it did not.
    pub(crate) fn check(&self, step: &mut dyn FnMut(u64) -> bool) -> Result<bool, Damage> {
        let mut reading = self.begin()?;
        loop {
            match reading.piece()? {
                0 => return Ok(true),
                read if !step(read) => return Ok(false),
                _ => {}
            }
        }
    }
}

/// A table that is being read.
pub(crate) struct TableReading {
    table: Table,
    file: File,
    hash: Box<Xxh3>,
    piece: Vec<u8>,
}

impl TableReading {
    /// Reads the next piece and gives its length; 0 at the end, where the whole was what it is to be.
    pub(crate) fn piece(&mut self) -> Result<u64, Damage> {
        let path = &self.table.path;
        let read = loop {
            match self.file.read(&mut self.piece) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read.map_err(|error| Damage::io(path, error))?,
            }
        };
        self.hash.update(self.piece.get(..read).unwrap_or_default());
        if read > 0 || self.hash.digest128() == self.table.checksum {
            return Ok(read as u64);
        }
        let problem = "the table is not the one that the manifest names";
        Err(match first_bad_block(&self.file) {
            Ok(Some(offset)) => Damage::at(path, offset, problem),
            Ok(None) => match blocks::are_right(&self.file, self.table.id) {
                Ok(true) => Damage::engine(path),
                Ok(false) => Damage::of(path, problem),
                Err(error) => Damage::io(path, error),
            },
            Err(error) => Damage::io(path, error),
        })
    }
}

/// Where the first block begins that is not as it was written; `None` where all blocks are, and it
/// is something after them.
fn first_bad_block(file: &File) -> io::Result<Option<u64>> {
    let length = file.metadata()?.len();
    let mut at = 0;
    loop {
        let mut header = [0; BLOCK_HEADER_LEN];
        if at + BLOCK_HEADER_LEN as u64 > length {
            return Ok(None);
        }
        file.read_exact_at(&mut header, at)?;
        let Some((checksum, data_len)) = block(&header) else {
            // Blocks lie at the front, without gaps; what comes after them begins otherwise too.
            return Ok((at == 0 || header.starts_with(&BLOCK_MAGIC)).then_some(at));
        };
        let data_at = at + BLOCK_HEADER_LEN as u64;
        if data_len > BLOCK_BYTES_MAX || data_at + data_len > length {
            return Ok(Some(at));
        }
        let mut data = vec![0; usize::try_from(data_len).unwrap_or(0)];
        file.read_exact_at(&mut data, data_at)?;
        if xxh3_128(&data) != checksum {
            return Ok(Some(at));
        }
        at = data_at + data_len;
    }
}

/// Checksum and length of a block's data.
fn block(header: &[u8; BLOCK_HEADER_LEN]) -> Option<(u128, u64)> {
    let (stated, sum) = header.split_last_chunk::<4>()?;
    let whole = xxh3_128(stated) as u32;
    let rest = stated.strip_prefix(&BLOCK_MAGIC)?;
    let (checksum, rest) = rest.get(1..)?.split_first_chunk::<16>()?;
    let (data_len, _) = rest.split_first_chunk::<4>()?;
    let block = (
        u128::from_le_bytes(*checksum),
        u32::from_le_bytes(*data_len).into(),
    );
    (u32::from_le_bytes(*sum) == whole).then_some(block)
}

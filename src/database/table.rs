// SPDX-License-Identifier: Apache-2.0
//! One table of the engine's, read without the engine. Little endian: blocks one behind the other,
//! those with data first.
//!
//! ```text
//! "LSM" 3 | type u8 | XXH3-128 of the data u128 | length u32 | length u32 | XXH3-128 of these 29 bytes, its low 4
//! ```
//!
//! Data is not compressed (the journal's keyspace says so), so a value lies in it byte for byte.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

const MAGIC: [u8; 4] = *b"LSM\x03";
const CHECKED_LEN: usize = 4 + 1 + 16 + 4 + 4;
const HEADER_LEN: u64 = CHECKED_LEN as u64 + 4;
const DATA: u8 = 0;
/// Read at a time.
const STEP: usize = 256 << 10;

/// A stretch of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TablePart {
    pub(super) start: u64,
    pub(super) end: u64,
    /// It is in its place, and what the engine wrote.
    pub(super) intact: bool,
}

struct Block {
    kind: u8,
    checksum: u128,
    end: u64,
}

fn block(file: &File, at: u64, length: u64) -> io::Result<Option<Block>> {
    let mut header = [0; HEADER_LEN as usize];
    if at + HEADER_LEN > length {
        return Ok(None);
    }
    file.read_exact_at(&mut header, at)?;
    Ok(parse(&header, at).filter(|block| block.end <= length))
}

fn parse(header: &[u8], at: u64) -> Option<Block> {
    let (checked, sum) = header.split_at_checked(CHECKED_LEN)?;
    let low = xxh3_128(checked).to_le_bytes();
    let rest = checked.strip_prefix(&MAGIC)?;
    if !low.starts_with(sum) {
        return None;
    }
    let (kind, rest) = rest.split_first()?;
    let (checksum, rest) = rest.split_first_chunk::<16>()?;
    let (data, _) = rest.split_first_chunk::<4>()?;
    Some(Block {
        kind: *kind,
        checksum: u128::from_le_bytes(*checksum),
        end: at + HEADER_LEN + u64::from(u32::from_le_bytes(*data)),
    })
}

/// XXH3-128 of these bytes of the file.
pub(super) fn checksum(file: &File, mut at: u64, end: u64) -> io::Result<u128> {
    let mut hash = Xxh3::new();
    let mut buffer = vec![0; STEP];
    while at < end {
        let size = usize::try_from(end - at).unwrap_or(STEP).min(STEP);
        let part = buffer.get_mut(..size).unwrap_or_default();
        file.read_exact_at(part, at)?;
        hash.update(part);
        at += size as u64;
    }
    Ok(hash.digest128())
}

/// Every stretch with data, in order. `believed`: the file as a whole is known to be whole.
pub(super) fn parts(
    file: &File,
    length: u64,
    believed: bool,
    each: &mut dyn FnMut(TablePart),
) -> io::Result<()> {
    let (mut at, mut searched) = (0, false);
    while at < length {
        let Some(found) = block(file, at, length)? else {
            // No block where one should begin: on with the next whole header, if there is one.
            let next = next_block(file, at + 1, length)?.unwrap_or(length);
            each(TablePart {
                start: at,
                end: next,
                intact: false,
            });
            // From here on even a block whose checksum matches may be one that somebody wrote into a value.
            (at, searched) = (next, true);
            continue;
        };
        if found.kind != DATA {
            return Ok(());
        }
        let start = at + HEADER_LEN;
        let intact = believed || (!searched && checksum(file, start, found.end)? == found.checksum);
        each(TablePart {
            start,
            end: found.end,
            intact,
        });
        at = found.end;
    }
    Ok(())
}

fn next_block(file: &File, mut at: u64, length: u64) -> io::Result<Option<u64>> {
    let mut buffer = vec![0; STEP];
    while at + HEADER_LEN <= length {
        let size = usize::try_from(length - at).unwrap_or(STEP).min(STEP);
        let part = buffer.get_mut(..size).unwrap_or_default();
        file.read_exact_at(part, at)?;
        let places = part
            .windows(MAGIC.len())
            .enumerate()
            .filter(|(_, four)| **four == MAGIC);
        for (place, _) in places {
            let place = at + place as u64;
            if block(file, place, length)?.is_some() {
                return Ok(Some(place));
            }
        }
        // A header may lie across the end of what was read.
        at += (size + 1).saturating_sub(MAGIC.len()).max(1) as u64;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(kind: u8, data: &[u8]) -> Vec<u8> {
        let mut block = MAGIC.to_vec();
        block.push(kind);
        block.extend_from_slice(&xxh3_128(data).to_le_bytes());
        for _ in 0..2 {
            block.extend_from_slice(&(data.len() as u32).to_le_bytes());
        }
        let sum = xxh3_128(&block).to_le_bytes();
        block.extend_from_slice(&sum[..4]);
        block.extend_from_slice(data);
        block
    }

    fn found(bytes: &[u8]) -> Vec<(u64, u64, bool)> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("1");
        std::fs::write(&path, bytes).unwrap();
        let mut found = Vec::new();
        let mut tell = |part: TablePart| found.push((part.start, part.end, part.intact));
        let file = File::open(&path).unwrap();
        parts(&file, bytes.len() as u64, false, &mut tell).unwrap();
        found
    }

    /// A value can hold bytes that look like a whole block.
    #[test]
    fn what_a_search_finds_is_never_intact() {
        let inner = block(DATA, b"forged");
        let outer = block(DATA, &[b"value ".as_slice(), &inner].concat());
        let mut table = [outer.clone(), block(DATA, b"more"), block(1, b"index")].concat();
        let end = outer.len() as u64;
        let more = end + HEADER_LEN;
        assert_eq!(found(&table), [(33, end, true), (more, more + 4, true)]);
        table[40] ^= 1; // data
        assert_eq!(found(&table), [(33, end, false), (more, more + 4, true)]);
        table[40] ^= 1;
        table[6] ^= 1; // header
        let forged = 33 + 6 + HEADER_LEN;
        let expected = [
            (0, 39, false),
            (forged, forged + 6, false),
            (more, more + 4, false),
        ];
        assert_eq!(found(&table), expected);
    }
}

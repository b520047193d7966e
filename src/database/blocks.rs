// SPDX-License-Identifier: Apache-2.0
//! A table whose checksum differs although every block in it is right: the engine's own fault.
//!
//! The engine adds to the checksum of the file what it hands to a write, and where the system takes less
//! of it than that, the rest goes in twice (lsm-tree, `ChecksummedWriter`). The bytes in the file are all
//! right, and the manifest states a checksum of others. What passes over the engine's buffer goes to the
//! system in one piece, and only what is as large can be taken in parts.
//!
//! ```text
//! sections, one behind the other: blocks ("data", "tli", "index", "filter", "filter_tli", "meta"), or the byte 3 ("table_version")
//! "TOC!" | count u32 | per section: position u64 | length u64 | name length u16 | name
//! "SFA!" | 1 | 0 | XXH3-128 of "TOC!" and what follows it u128 | position of "TOC!" u64 | length u64
//! ```

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use xxhash_rust::xxh3::xxh3_128;

use crate::parse::take;

/// As large as the engine's buffer before a table: what is smaller is never written in part.
const UNBUFFERED: usize = 65_535;
const TRAILER_LEN: usize = 4 + 1 + 1 + 16 + 8 + 8;
const TRAILER: [u8; 6] = *b"SFA!\x01\x00";
/// No table of contents is larger: a table has some seven sections.
const TOC_MAX: u64 = 4_096;
const HEADER_LEN: usize = 33;
const MAGIC: [u8; 4] = *b"LSM\x03";
const BLOCK_BYTES_MAX: u32 = 64 << 20;
const DATA: u8 = 0;
const META: u8 = 3;

struct Section {
    start: u64,
    end: u64,
    name: Vec<u8>,
}

/// What was found of the blocks so far.
#[derive(Default)]
struct Seen {
    last_key: Option<Vec<u8>>,
    has_large: bool,
    is_named: bool,
}

/// Whether the table with this number is whole to its last byte, block for block and in order, so that
/// a checksum of the file that differs can be nothing but the engine's mistake.
pub(super) fn are_right(file: &File, id: u64) -> io::Result<bool> {
    let length = file.metadata()?.len();
    let Some(sections) = sections(file, length)? else {
        return Ok(false);
    };
    let (mut seen, mut at) = (Seen::default(), 0);
    for section in sections {
        if section.start != at || section.end < at {
            return Ok(false);
        }
        at = section.end;
        let is_right = match section.name.as_slice() {
            b"table_version" => version(file, &section)?,
            b"data" | b"tli" | b"index" | b"filter" | b"filter_tli" | b"meta" => {
                blocks(file, &section, id, &mut seen)?
            }
            _ => false,
        };
        if !is_right {
            return Ok(false);
        }
    }
    Ok(seen.has_large && seen.is_named)
}

/// The sections, the table of contents itself the last; `None` where they are not as they were written.
fn sections(file: &File, length: u64) -> io::Result<Option<Vec<Section>>> {
    let mut trailer = [0; TRAILER_LEN];
    let Some(trailer_at) = length.checked_sub(TRAILER_LEN as u64) else {
        return Ok(None);
    };
    file.read_exact_at(&mut trailer, trailer_at)?;
    let parse = |mut rest: &[u8]| {
        let ours = take::<6>(&mut rest)? == TRAILER;
        let sum = u128::from_le_bytes(take(&mut rest)?);
        let (at, long) = (take(&mut rest)?, take(&mut rest)?);
        let (at, long) = (u64::from_le_bytes(at), u64::from_le_bytes(long));
        let ends = at.checked_add(long) == Some(trailer_at) && long <= TOC_MAX;
        (ours && ends).then_some((sum, at, long))
    };
    let Some((sum, at, long)) = parse(&trailer) else {
        return Ok(None);
    };
    let mut toc = vec![0; usize::try_from(long).unwrap_or(0)];
    file.read_exact_at(&mut toc, at)?;
    if xxh3_128(&toc) != sum {
        return Ok(None);
    }
    let sections = entries(&toc);
    Ok(sections.filter(|found| found.last().is_some_and(|last| last.end == at)))
}

fn entries(toc: &[u8]) -> Option<Vec<Section>> {
    let mut rest = toc.strip_prefix(b"TOC!")?;
    let count = u32::from_le_bytes(take(&mut rest)?);
    let mut sections = Vec::new();
    for _ in 0..count {
        let start = u64::from_le_bytes(take(&mut rest)?);
        let length = u64::from_le_bytes(take(&mut rest)?);
        let name = u16::from_le_bytes(take(&mut rest)?);
        let (name, after) = rest.split_at_checked(usize::from(name))?;
        rest = after;
        sections.push(Section {
            start,
            end: start.checked_add(length)?,
            name: name.to_vec(),
        });
    }
    rest.is_empty().then_some(sections)
}

fn version(file: &File, section: &Section) -> io::Result<bool> {
    let mut version = [0];
    file.read_exact_at(&mut version, section.start)?;
    Ok(section.end - section.start == 1 && version == [3])
}

/// Every byte of the section is a block's, and the block is what was written.
fn blocks(file: &File, section: &Section, id: u64, seen: &mut Seen) -> io::Result<bool> {
    let mut at = section.start;
    while at < section.end {
        let mut header = [0; HEADER_LEN];
        if section.end - at < HEADER_LEN as u64 {
            return Ok(false);
        }
        file.read_exact_at(&mut header, at)?;
        let Some((kind, checksum, length)) = parse(&header) else {
            return Ok(false);
        };
        at += HEADER_LEN as u64;
        if length > BLOCK_BYTES_MAX || section.end - at < u64::from(length) {
            return Ok(false);
        }
        let mut data = vec![0; length as usize];
        file.read_exact_at(&mut data, at)?;
        at += u64::from(length);
        if xxh3_128(&data) != checksum || !seen.block(kind, &data, section, id) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn parse(header: &[u8; HEADER_LEN]) -> Option<(u8, u128, u32)> {
    let (stated, sum) = header.split_last_chunk::<4>()?;
    let mut rest = stated.strip_prefix(&MAGIC)?;
    let [kind] = take(&mut rest)?;
    let checksum = u128::from_le_bytes(take(&mut rest)?);
    let length = u32::from_le_bytes(take(&mut rest)?);
    let is_whole = u32::from_le_bytes(*sum) == xxh3_128(stated) as u32;
    is_whole.then_some((kind, checksum, length))
}

impl Seen {
    /// Whether the block is one of this section, behind the blocks before it.
    fn block(&mut self, kind: u8, data: &[u8], section: &Section, id: u64) -> bool {
        self.has_large |= data.len() >= UNBUFFERED;
        match section.name.as_slice() {
            b"data" => {
                let key = first_key(data);
                let follows = key > self.last_key.as_deref();
                self.last_key = key.map(<[u8]>::to_vec);
                kind == DATA && follows
            }
            b"meta" => {
                let own = [b"table_id\x08".as_slice(), &id.to_le_bytes()].concat();
                self.is_named |= data.windows(own.len()).any(|found| found == own);
                kind == META
            }
            _ => kind != DATA && kind != META,
        }
    }
}

/// The key that a data block begins with. An entry: kind u8, number varint, length varint, key.
fn first_key(data: &[u8]) -> Option<&[u8]> {
    let number = data.get(1..)?;
    let end = number.iter().position(|byte| byte & 0x80 == 0)?;
    let mut rest = number.get(end + 1..)?;
    let (mut length, mut shift) = (0_usize, 0);
    loop {
        let [byte] = take(&mut rest)?;
        length |= usize::from(byte & 0x7F).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return rest.get(..length);
        }
        shift += 7;
        if shift > 21 {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const ID: u64 = 7;

    fn block(kind: u8, data: &[u8]) -> Vec<u8> {
        let length = (data.len() as u32).to_le_bytes();
        let stated = [
            MAGIC.as_slice(),
            &[kind],
            &xxh3_128(data).to_le_bytes(),
            &length,
            &length,
        ]
        .concat();
        let sum = xxh3_128(&stated) as u32;
        [stated.as_slice(), &sum.to_le_bytes(), data].concat()
    }

    /// A data block with one entry.
    fn entry(key: &[u8], value_len: usize) -> Vec<u8> {
        let value = vec![b'v'; value_len];
        let start = [DATA, 1, key.len() as u8];
        block(DATA, &[start.as_slice(), key, &value].concat())
    }

    fn meta(id: u64) -> Vec<u8> {
        block(
            META,
            &[b"table_id\x08".as_slice(), &id.to_le_bytes()].concat(),
        )
    }

    /// The sections of a table that the engine could have written.
    fn whole() -> Vec<(&'static str, Vec<u8>)> {
        vec![
            ("data", [entry(b"a", UNBUFFERED), entry(b"b", 9)].concat()),
            ("tli", block(1, b"index")),
            ("filter", block(2, b"filter")),
            ("table_version", vec![3]),
            ("meta", [meta(ID), block(META, b"more")].concat()),
        ]
    }

    /// Whether a table of these sections is right; `gap` bytes lie before the second one.
    fn is_right(sections: &[(&str, Vec<u8>)], gap: usize) -> bool {
        let mut table = Vec::new();
        let mut toc = b"TOC!".to_vec();
        toc.extend_from_slice(&(sections.len() as u32).to_le_bytes());
        for (at, (name, bytes)) in sections.iter().enumerate() {
            table.resize(table.len() + if at == 1 { gap } else { 0 }, 0);
            toc.extend_from_slice(&(table.len() as u64).to_le_bytes());
            toc.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            toc.extend_from_slice(&(name.len() as u16).to_le_bytes());
            toc.extend_from_slice(name.as_bytes());
            table.extend_from_slice(bytes);
        }
        let at = table.len() as u64;
        table.extend_from_slice(&toc);
        table.extend_from_slice(&TRAILER);
        table.extend_from_slice(&xxh3_128(&toc).to_le_bytes());
        table.extend_from_slice(&at.to_le_bytes());
        table.extend_from_slice(&(toc.len() as u64).to_le_bytes());
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&table).unwrap();
        are_right(&file, ID).unwrap()
    }

    /// The engine's mistake is only believed of a table that is whole: anything else is damage.
    #[test]
    fn a_table_with_anything_wrong_in_it_is_no_mistake_of_the_engines() {
        assert!(is_right(&whole(), 0));
        assert!(!is_right(&whole(), 1), "bytes between two sections");
        let others = [
            (
                0,
                [entry(b"b", UNBUFFERED), entry(b"a", 9)].concat(),
                "keys out of order",
            ),
            (
                0,
                [entry(b"a", 9), entry(b"b", 9)].concat(),
                "nothing that is written in parts",
            ),
            (0, block(1, b"index"), "another kind of block"),
            (
                1,
                [block(1, b"index"), vec![0]].concat(),
                "a byte that is no block's",
            ),
            (3, vec![4], "another version"),
            (3, vec![3, 3], "a longer version"),
            (4, meta(ID + 1), "another table"),
        ];
        for (at, bytes, what) in others {
            let mut sections = whole();
            sections[at].1 = bytes;
            assert!(!is_right(&sections, 0), "{what}");
        }
        let mut unknown = whole();
        unknown[2].0 = "other";
        assert!(!is_right(&unknown, 0), "an unknown section");
    }
}

// SPDX-License-Identifier: Apache-2.0
//! One batch of the engine's write-ahead log, byte for byte. Little endian:
//!
//! ```text
//! START 1 | items u32 | number u64
//! per item: ITEM 2 | type u8 | compression 0 | keyspace u64 | key u16 | value u32 | stored u32 | key | value
//!       or: CLEAR 4 | keyspace u64
//! END 3 | XXH3-64 of the items u64 | "FJL" 3
//! ```
//!
//! The checksum covers the items and neither count nor number.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use xxhash_rust::xxh3::Xxh3;

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
/// Ends every whole batch.
const TRAILER: [u8; 4] = *b"FJL\x03";
/// Numbers from here on have another meaning to the engine.
const NUMBER_MAX: u64 = 1 << 62;

pub(super) const START_LEN: u64 = 1 + 4 + 8;
const ITEM_LEN: u64 = 1 + 1 + 1 + 8 + 2 + 4 + 4;
const CLEAR_LEN: u64 = 1 + 8;
const END_LEN: u64 = 1 + 8 + 4;
/// A key's length is stated once: what exceeds this, less than any batch, is not believed.
const KEY_SURE_MAX: u16 = 32;
/// Read at a time.
const BLOCK: usize = 256 << 10;

/// A whole batch whose checksum matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Batch {
    /// Its first byte in the file.
    pub(crate) start: u64,
    /// The byte after its last.
    pub(crate) end: u64,
    /// Its number: rises from batch to batch.
    pub(crate) number: u64,
    /// Where the value of its last item lies.
    pub(crate) last_value: (u64, u32),
    /// The highest keyspace that it names.
    pub(crate) keyspace_max: u64,
    sure: bool,
}

/// Why there is no whole batch.
#[derive(Debug)]
pub(crate) enum NoBatch {
    /// Not one that was written to its end, and where reading stopped.
    Broken {
        /// What was expected in vain.
        what: &'static str,
        /// The end that its own lengths state, where both lengths of each value agree.
        stated_end: Option<u64>,
        /// The keys are short: one wrong length of a key cannot make it swallow other batches.
        sure: bool,
    },
    /// The medium did not answer.
    Io(io::Error),
}

impl From<io::Error> for NoBatch {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

const fn broken(what: &'static str) -> NoBatch {
    let (stated_end, sure) = (None, false);
    NoBatch::Broken {
        what,
        stated_end,
        sure,
    }
}

/// A log file, read forward through one buffer.
pub(crate) struct LogSource {
    file: File,
    /// Bytes that count; what lies behind is not looked at.
    pub(super) length: u64,
    buffer: Vec<u8>,
    buffered_at: u64,
}

impl LogSource {
    pub(super) fn new(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self {
            file,
            length,
            buffer: Vec::new(),
            buffered_at: 0,
        })
    }

    /// Bytes from `at`, at most `want`; fewer at the end of the file and of the buffer.
    pub(super) fn bytes(&mut self, at: u64, want: usize) -> io::Result<&[u8]> {
        let from = usize::try_from(at.wrapping_sub(self.buffered_at)).unwrap_or(usize::MAX);
        let held = self.buffer.len().saturating_sub(from);
        if at < self.buffered_at || held < want.min(64) {
            let size = u64::min(BLOCK as u64, self.length.saturating_sub(at));
            self.buffer
                .resize(usize::try_from(size).unwrap_or(BLOCK), 0);
            self.file.read_exact_at(&mut self.buffer, at)?;
            self.buffered_at = at;
        }
        let from = usize::try_from(at - self.buffered_at).unwrap_or(usize::MAX);
        let held = self.buffer.get(from..).unwrap_or_default();
        Ok(held.get(..want.min(held.len())).unwrap_or_default())
    }

    pub(super) fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, at)
    }

    fn take<const N: usize>(&mut self, at: u64) -> Result<[u8; N], NoBatch> {
        let bytes = self.bytes(at, N)?;
        let bytes = bytes.try_into();
        bytes.map_err(|_| broken("the file ends within a batch"))
    }

    fn hash(&mut self, mut at: u64, end: u64, hash: &mut Xxh3) -> io::Result<()> {
        while at < end {
            let want = usize::try_from(end - at).unwrap_or(BLOCK);
            let bytes = self.bytes(at, want)?;
            if bytes.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            hash.update(bytes);
            at += bytes.len() as u64;
        }
        Ok(())
    }
}

impl Batch {
    /// The batch at `start`.
    pub(super) fn read(source: &mut LogSource, start: u64) -> Result<Self, NoBatch> {
        let [tag] = source.take(start)?;
        if tag != START {
            return Err(broken("no batch begins here"));
        }
        let items = u32::from_le_bytes(source.take(start + 1)?);
        let number = u64::from_le_bytes(source.take(start + 5)?);
        if items == 0 || number >= NUMBER_MAX {
            return Err(broken("the batch's header is not one"));
        }
        let mut batch = Self {
            start,
            end: start + START_LEN,
            number,
            last_value: (0, 0),
            keyspace_max: 0,
            sure: true,
        };
        // First the lengths alone: a batch that does not end where they say is not worth hashing.
        for _ in 0..items {
            batch.step(source)?;
        }
        let stated_end = batch.end + END_LEN;
        let sure = batch.sure;
        let cut = |what| NoBatch::Broken {
            what,
            stated_end: Some(stated_end),
            sure,
        };
        if stated_end > source.length {
            return Err(cut("the file ends within a batch"));
        }
        let end = source.take::<13>(batch.end)?;
        let (Some((&END, rest)), true) = (end.split_first(), end.ends_with(&TRAILER)) else {
            return Err(cut("the batch does not end where its lengths say"));
        };
        let stated = rest.first_chunk::<8>().map(|sum| u64::from_le_bytes(*sum));
        let mut hash = Xxh3::new();
        source.hash(start + START_LEN, batch.end, &mut hash)?;
        if Some(hash.digest()) != stated {
            return Err(cut("the batch's checksum does not match"));
        }
        batch.end = stated_end;
        Ok(batch)
    }

    /// Passes over one item at `self.end`.
    fn step(&mut self, source: &mut LogSource) -> Result<(), NoBatch> {
        let at = self.end;
        let keyspace = match source.take(at)? {
            [ITEM] => {
                let [kind, compression] = source.take(at + 1)?;
                if kind > 2 || compression != 0 {
                    return Err(broken("an item is of an unknown kind"));
                }
                let key = u16::from_le_bytes(source.take(at + 11)?);
                let value = u32::from_le_bytes(source.take(at + 13)?);
                if value != u32::from_le_bytes(source.take(at + 17)?) {
                    return Err(broken("an item's lengths contradict each other"));
                }
                self.sure &= key <= KEY_SURE_MAX;
                let value_at = at + ITEM_LEN + u64::from(key);
                self.last_value = (value_at, value);
                self.end = value_at + u64::from(value);
                u64::from_le_bytes(source.take(at + 3)?)
            }
            [CLEAR] => {
                self.end += CLEAR_LEN;
                u64::from_le_bytes(source.take(at + 1)?)
            }
            _ => return Err(broken("no item begins where one should")),
        };
        self.keyspace_max = self.keyspace_max.max(keyspace);
        // Beyond the file there is nothing to step on.
        if self.end > source.length {
            return Err(NoBatch::Broken {
                what: "the file ends within a batch",
                stated_end: Some(self.end + END_LEN),
                sure: self.sure,
            });
        }
        Ok(())
    }
}

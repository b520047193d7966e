// SPDX-License-Identifier: Apache-2.0
//! A segment as it is written.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::database::files::Replacement;
use crate::events::Hash;
use crate::integrity::digest;

use super::SegmentError;
use super::block::BlockBuilder;
use super::encoding::put_number;
use super::filter::{filter_of, hash};
use super::index::{NODE_BLOCKS, SegmentHead, put_child, put_head};
use super::op::{EntrySink, OpRef};
use super::segment::{END_MAGIC, MAGIC};

/// Bytes that are gathered before they are written.
const WRITE_BYTES: usize = 256 << 10;
/// Bytes after which what was written is made durable: a journal on the same volume never waits for more of them.
const SYNC_BYTES: u64 = 4 << 20;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::projections) struct Finished {
    /// Digest of the root: whoever opens the segment states it.
    pub(in crate::projections) digest: Hash,
    /// Bytes of the file.
    pub(in crate::projections) bytes: u64,
    /// Number of keys.
    pub(in crate::projections) entries: u64,
}

/// Children of a part that is being gathered.
#[derive(Debug, Default)]
struct GatheredChildren {
    count: usize,
    bytes: Vec<u8>,
    first_key: Vec<u8>,
}

impl GatheredChildren {
    fn add(&mut self, first_key: &[u8], offset: u64, part: &[u8]) {
        if self.count == 0 {
            self.first_key.clear();
            self.first_key.extend_from_slice(first_key);
        }
        self.count += 1;
        put_child(
            &mut self.bytes,
            first_key,
            offset,
            part.len() as u64,
            &digest(part),
        );
    }
}

/// Writes a segment: entries come in the order of their keys, each key once. Until [`SegmentWriter::finish`] nothing
/// lies under the segment's name; what is left under `<name>.creating` counts for nothing.
pub(in crate::projections) struct SegmentWriter {
    path: PathBuf,
    replacement: Replacement,
    head: SegmentHead,
    /// Not written yet.
    pending: Vec<u8>,
    /// Bytes of the file, with those.
    bytes: u64,
    synced: u64,
    entries: u64,
    block: BlockBuilder,
    first_key: Vec<u8>,
    blocks: GatheredChildren,
    /// Of the keys under the index node at hand.
    hashes: Vec<u64>,
    nodes: GatheredChildren,
}

impl SegmentWriter {
    /// Begins a file.
    ///
    /// # Errors
    /// As the operating system says.
    pub(in crate::projections) fn create(
        path: &Path,
        head: SegmentHead,
    ) -> Result<Self, SegmentError> {
        let begun = Replacement::begin(path);
        let replacement = begun.map_err(|error| SegmentError::io(path, error))?;
        Ok(Self {
            path: path.to_owned(),
            replacement,
            head,
            pending: MAGIC.to_vec(),
            bytes: MAGIC.len() as u64,
            synced: 0,
            entries: 0,
            block: BlockBuilder::default(),
            first_key: Vec::new(),
            blocks: GatheredChildren::default(),
            hashes: Vec::new(),
            nodes: GatheredChildren::default(),
        })
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// As the operating system says; also where the key does not follow the one before.
    pub(in crate::projections) fn push(
        &mut self,
        key: &[u8],
        op: OpRef<'_>,
    ) -> Result<(), SegmentError> {
        let path = &self.path;
        let refused = |problem| {
            let error = io::Error::new(io::ErrorKind::InvalidInput, problem);
            Err(SegmentError::io(path, error))
        };
        if self.entries > 0 && key <= self.block.last_key() {
            return refused("keys out of order");
        }
        let bytes = key.len() + op.value().map_or(0, <[u8]>::len);
        if bytes > u32::MAX as usize / 2 {
            return refused("entry too long");
        }
        if self.block.is_full_for(bytes) {
            self.end_block()?;
        }
        if self.block.is_empty() {
            self.first_key.clear();
            self.first_key.extend_from_slice(key);
        }
        self.block.push(key, op);
        self.hashes.push(hash(key));
        self.entries += 1;
        Ok(())
    }

    fn end_block(&mut self) -> Result<(), SegmentError> {
        let block = self.block.finish();
        self.blocks.add(&self.first_key, self.bytes, block);
        self.pending.extend_from_slice(block);
        self.bytes += block.len() as u64;
        self.block.clear();
        self.flush(WRITE_BYTES)
    }

    /// Ends the index node where its blocks are as many as it can have.
    fn end_node(&mut self) -> Result<(), SegmentError> {
        let mut node = Vec::new();
        put_number(&mut node, self.blocks.count as u64);
        node.append(&mut self.blocks.bytes);
        node.extend(filter_of(&self.hashes));
        self.hashes.clear();
        self.blocks.count = 0;
        self.nodes.add(&self.blocks.first_key, self.bytes, &node);
        self.bytes += node.len() as u64;
        self.pending.append(&mut node);
        self.flush(WRITE_BYTES)
    }

    fn flush(&mut self, bytes_min: usize) -> Result<(), SegmentError> {
        if self.pending.len() < bytes_min {
            return Ok(());
        }
        let mut flush = || {
            self.replacement.file.write_all(&self.pending)?;
            self.pending.clear();
            if self.bytes - self.synced >= SYNC_BYTES {
                self.replacement.file.sync_data()?;
                self.synced = self.bytes;
            }
            Ok(())
        };
        flush().map_err(|error| SegmentError::io(&self.path, error))
    }

    /// Ends the file, makes it durable and gives it its name.
    ///
    /// # Errors
    /// As the operating system says: then nobody knows whether it has its name.
    pub(in crate::projections) fn finish(mut self) -> Result<Finished, SegmentError> {
        if !self.block.is_empty() {
            self.end_block()?;
        }
        if self.blocks.count > 0 {
            self.end_node()?;
        }
        let mut root = Vec::new();
        put_head(&mut root, &self.head, self.entries, self.block.last_key());
        put_number(&mut root, self.nodes.count as u64);
        root.append(&mut self.nodes.bytes);
        let root_offset = self.bytes;
        self.pending.extend_from_slice(&root);
        self.pending.extend_from_slice(&root_offset.to_le_bytes());
        self.pending
            .extend_from_slice(&(root.len() as u64).to_le_bytes());
        self.pending.extend_from_slice(&END_MAGIC);
        self.flush(0)?;
        let Self {
            path,
            replacement,
            entries,
            ..
        } = self;
        let finished = replacement.finish();
        finished.map_err(|error| SegmentError::io(&path, error))?;
        Ok(Finished {
            digest: digest(&root),
            bytes: root_offset + root.len() as u64 + 24,
            entries,
        })
    }
}

impl EntrySink for SegmentWriter {
    fn push(&mut self, key: &[u8], op: OpRef<'_>) -> Result<(), SegmentError> {
        SegmentWriter::push(self, key, op)
    }
}

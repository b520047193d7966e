// SPDX-License-Identifier: Apache-2.0
//! A segment that is open: its root in memory, everything else read when it is wanted.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::database::files;
use crate::events::Hash;
use crate::integrity::digest;

use super::SegmentError;
use super::block::DataBlock;
use super::cache::SegmentCache;
use super::filter::hash;
use super::index::{Child, IndexNode, SegmentHead, SegmentRoot};
use super::op::Op;

/// What a file begins with: a name, and the number of its format.
pub(super) const MAGIC: [u8; 8] = *b"FCLSEG\x00\x01";
/// What a file ends with: offset and length of the root, eight bytes each, and this.
pub(super) const END_MAGIC: [u8; 8] = *b"FCLSEGND";
const TRAILER: u64 = 24;
const STRAY: &str = "bytes that belong to no part";

/// A segment that is open.
#[derive(Debug)]
pub(in crate::projections) struct Segment {
    path: PathBuf,
    /// Its number in the cache.
    id: u64,
    cache: Arc<SegmentCache>,
    root: SegmentRoot,
    /// Where the root begins: all other parts lie before.
    root_offset: u64,
    bytes: u64,
    digest: Hash,
    /// Set where its file goes with it: the number of the file, so that no other one goes that lies there by then.
    goes: OnceLock<u64>,
}

impl Segment {
    /// Opens a file whose root has this digest. Reads the root and no more.
    ///
    /// # Errors
    /// [`SegmentError::Damaged`] where the file is another or none; [`SegmentError::Io`] where it could not be read.
    pub(in crate::projections) fn open(
        path: &Path,
        expected: &Hash,
        cache: &Arc<SegmentCache>,
    ) -> Result<Self, SegmentError> {
        let id = cache.next_segment();
        let opened = Self::open_as(id, path, expected, cache);
        if opened.is_err() {
            cache.close(id);
        }
        opened
    }

    fn open_as(
        id: u64,
        path: &Path,
        expected: &Hash,
        cache: &Arc<SegmentCache>,
    ) -> Result<Self, SegmentError> {
        let file = cache.file(id, path);
        let file = file.map_err(|error| SegmentError::read(path, 0, error))?;
        let frame = SegmentFrame::read(&file, path, expected)?;
        Ok(Self {
            path: path.to_owned(),
            id,
            cache: cache.clone(),
            root: frame.root,
            root_offset: frame.root_offset,
            bytes: frame.bytes,
            digest: *expected,
            goes: OnceLock::new(),
        })
    }

    /// Others have taken its place: its file is removed as soon as nobody reads from it any more. Until then it is
    /// found by its path, however often it was closed in between.
    pub(in crate::projections) fn remove_when_unused(&self) {
        match fs::symlink_metadata(&self.path) {
            // That it was set before changes nothing.
            Ok(found) => drop(self.goes.set(found.ino())),
            Err(error) => self.stays(&error),
        }
    }

    /// It goes with the next opening.
    fn stays(&self, error: &io::Error) {
        let path = self.path.display();
        tracing::warn!(%error, %path, "a segment that was replaced stays");
    }

    /// What it holds, and of which records.
    pub(in crate::projections) fn head(&self) -> &SegmentHead {
        &self.root.head
    }

    /// Number of keys.
    pub(in crate::projections) fn entries(&self) -> u64 {
        self.root.entries
    }

    /// Bytes of the file.
    pub(in crate::projections) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Digest of its root.
    pub(in crate::projections) fn digest(&self) -> &Hash {
        &self.digest
    }

    /// Its file.
    pub(in crate::projections) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn root(&self) -> &SegmentRoot {
        &self.root
    }

    pub(super) fn damaged(&self, offset: u64, problem: &'static str) -> SegmentError {
        SegmentError::damaged(&self.path, offset, problem)
    }

    /// What it says of this key; `None` where it says nothing. That costs a search in the root, one look into the
    /// cache for an index node, and its filter.
    ///
    /// # Errors
    /// As [`SegmentError`].
    pub(in crate::projections) fn get(&self, key: &[u8]) -> Result<Option<Op>, SegmentError> {
        self.get_hashed(key, hash(key))
    }

    /// As [`Self::get`], for who asks several segments.
    pub(super) fn get_hashed(&self, key: &[u8], hash: u64) -> Result<Option<Op>, SegmentError> {
        let Some(node) = self.root.before(key, true) else {
            return Ok(None);
        };
        if key > self.root.last_key() {
            return Ok(None);
        }
        let node = self.node(node, true)?;
        if !node.may_hold(hash) {
            return Ok(None);
        }
        let Some(at) = node.before(key, true) else {
            return Ok(None);
        };
        let block = self.block(&node, at, true)?;
        let offset = node.blocks.get(at).map_or(0, |it| it.offset);
        let found = block.get(key);
        let found = found.ok_or_else(|| self.damaged(offset, "malformed block"))?;
        Ok(found.map(|op| op.to_op()))
    }

    /// Index node number `index`; kept in memory where `keep` says so.
    pub(super) fn node(&self, index: usize, keep: bool) -> Result<Arc<IndexNode>, SegmentError> {
        let child = self.root.nodes.get(index);
        let child = child.ok_or_else(|| self.damaged(self.root_offset, "malformed root"))?;
        if let Some(node) = self.cache.node(self.id, child.offset) {
            return Ok(node);
        }
        let node = IndexNode::parse(self.read(child)?);
        let node = node.ok_or_else(|| self.damaged(child.offset, "malformed index node"))?;
        let node = Arc::new(node);
        if keep {
            self.cache.keep_node(self.id, child.offset, &node);
        }
        Ok(node)
    }

    /// Block number `index` of a node; kept in memory where `keep` says so.
    pub(super) fn block(
        &self,
        node: &IndexNode,
        index: usize,
        keep: bool,
    ) -> Result<Arc<DataBlock>, SegmentError> {
        let child = node.blocks.get(index);
        let child = child.ok_or_else(|| self.damaged(self.root_offset, "malformed index node"))?;
        if let Some(block) = self.cache.block(self.id, child.offset) {
            return Ok(block);
        }
        let block = DataBlock::parse(self.read(child)?);
        let block = block.ok_or_else(|| self.damaged(child.offset, "malformed block"))?;
        let block = Arc::new(block);
        if keep {
            self.cache.keep_block(self.id, child.offset, &block);
        }
        Ok(block)
    }

    fn read(&self, child: &Child) -> Result<Vec<u8>, SegmentError> {
        let file = self.cache.file(self.id, &self.path);
        let file = file.map_err(|error| SegmentError::read(&self.path, child.offset, error))?;
        read_part(&file, &self.path, self.root_offset, child)
    }

    /// Reads every byte of the file and compares every digest. `progress` is told how many bytes were read since it
    /// was asked last, and whether to go on is its answer.
    ///
    /// # Errors
    /// As [`SegmentError`]; the first damage ends it.
    pub(in crate::projections) fn check(
        &self,
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), SegmentError> {
        let mut index = 0;
        while let Some(bytes) = self.check_part(index)? {
            if !progress(bytes) {
                break;
            }
            index += 1;
        }
        Ok(())
    }

    /// As [`Self::check`], of one part: 0 is the root and what stands around it, and each other one an index node
    /// with its blocks, about a MiB. Gives its bytes; `None` behind the last part.
    ///
    /// # Errors
    /// As [`SegmentError`].
    pub(in crate::projections) fn check_part(
        &self,
        index: usize,
    ) -> Result<Option<u64>, SegmentError> {
        let Some(child) = index.checked_sub(1).map(|at| self.root.nodes.get(at)) else {
            return self.check_frame().map(Some);
        };
        let Some(child) = child else {
            return Ok(None);
        };
        let file = self.open_anew()?;
        let read = |part: &Child| read_part(&file, &self.path, self.root_offset, part);
        let node = IndexNode::parse(read(child)?);
        let node = node.ok_or_else(|| self.damaged(child.offset, "malformed index node"))?;
        let begin = self.end_before(index - 1);
        let mut end = begin;
        for block in node.blocks.iter() {
            self.follows(end, block)?;
            read(block)?;
            end += block.length;
        }
        self.follows(end, child)?;
        Ok(Some(end + child.length - begin))
    }

    /// The file by its path: it may be another than the one that is open.
    fn open_anew(&self) -> Result<File, SegmentError> {
        let opened = files::open(&self.path);
        opened.map_err(|error| SegmentError::read(&self.path, 0, error))
    }

    fn check_frame(&self) -> Result<u64, SegmentError> {
        let found = SegmentFrame::read(&self.open_anew()?, &self.path, &self.digest)?;
        let end = self.end_before(self.root.nodes.len());
        let is_as_it_was = (found.root_offset, found.bytes) == (self.root_offset, self.bytes);
        match is_as_it_was && end == self.root_offset {
            true => Ok(self.bytes - self.root_offset + MAGIC.len() as u64),
            false => Err(self.damaged(end, STRAY)),
        }
    }

    /// Where the parts before this index node end.
    fn end_before(&self, node: usize) -> u64 {
        let before = node.checked_sub(1).and_then(|at| self.root.nodes.get(at));
        before.map_or(MAGIC.len() as u64, |it| it.offset.saturating_add(it.length))
    }

    fn follows(&self, end: u64, part: &Child) -> Result<(), SegmentError> {
        match part.offset == end {
            true => Ok(()),
            false => Err(self.damaged(end, STRAY)),
        }
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        self.cache.close(self.id);
        let Some(number) = self.goes.get() else {
            return;
        };
        let found = fs::symlink_metadata(&self.path);
        if found.is_ok_and(|found| found.ino() == *number)
            && let Err(error) = fs::remove_file(&self.path)
        {
            self.stays(&error);
        }
    }
}

/// The root of a file, and what stands around it.
struct SegmentFrame {
    root: SegmentRoot,
    root_offset: u64,
    bytes: u64,
}

impl SegmentFrame {
    fn read(file: &File, path: &Path, expected: &Hash) -> Result<Self, SegmentError> {
        let read = |offset, error| SegmentError::read(path, offset, error);
        let damaged = |offset, problem| SegmentError::damaged(path, offset, problem);
        let bytes = file.metadata().map_err(|error| read(0, error))?.len();
        let begin = MAGIC.len() as u64;
        let end = bytes.checked_sub(TRAILER).filter(|end| *end >= begin);
        let end = end.ok_or_else(|| damaged(bytes, "truncated file"))?;
        let mut magic = [0; MAGIC.len()];
        let found = file.read_exact_at(&mut magic, 0);
        found.map_err(|error| read(0, error))?;
        if magic != MAGIC {
            return Err(damaged(0, "no segment of this format"));
        }
        let mut trailer = [[0; 8]; 3];
        let found = file.read_exact_at(trailer.as_flattened_mut(), end);
        found.map_err(|error| read(end, error))?;
        let [root_offset, root_bytes, magic] = trailer;
        let root_offset = u64::from_le_bytes(root_offset);
        let root_bytes = u64::from_le_bytes(root_bytes);
        let is_whole = root_offset.checked_add(root_bytes) == Some(end);
        if magic != END_MAGIC || !is_whole || root_offset < begin {
            return Err(damaged(end, "no trailer of a segment"));
        }
        let root = Child {
            offset: root_offset,
            length: root_bytes,
            digest: *expected,
            ..Child::default()
        };
        let root = read_part(file, path, end, &root)?;
        let root =
            SegmentRoot::parse(root).ok_or_else(|| damaged(root_offset, "malformed root"))?;
        Ok(Self {
            root,
            root_offset,
            bytes,
        })
    }
}

/// Reads a part that must end before `limit`, and compares its digest.
fn read_part(file: &File, path: &Path, limit: u64, part: &Child) -> Result<Vec<u8>, SegmentError> {
    let Child { offset, length, .. } = *part;
    let damaged = |problem| SegmentError::damaged(path, offset, problem);
    let end = offset.checked_add(length).filter(|end| *end <= limit);
    let length = end.and_then(|_| usize::try_from(length).ok());
    let length = length.ok_or_else(|| damaged("part beyond the end"))?;
    let mut bytes = vec![0; length];
    let read = file.read_exact_at(&mut bytes, offset);
    read.map_err(|error| SegmentError::read(path, offset, error))?;
    match digest(&bytes) == part.digest {
        true => Ok(bytes),
        false => Err(damaged("wrong digest")),
    }
}

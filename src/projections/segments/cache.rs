// SPDX-License-Identifier: Apache-2.0
//! What all open segments share: parts in memory, bounded in bytes, and files, bounded in number.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use rapidhash::fast::RandomState;

use crate::database::files;
use crate::locks::whole;

use super::block::DataBlock;
use super::index::IndexNode;

/// What a part in the cache takes beside its bytes, roughly.
const PART_BYTES: u64 = 128;
/// Bytes of a part, as the cache expects them.
const PART_BYTES_USUAL: u64 = 16 << 10;

/// Which segment of this process, and where in its file.
type PartKey = (u64, u64);

#[derive(Debug, Clone)]
enum Part {
    Node(Arc<IndexNode>),
    Block(Arc<DataBlock>),
}

#[derive(Debug, Clone)]
struct PartWeight;

impl Weighter<PartKey, Part> for PartWeight {
    fn weight(&self, _: &PartKey, part: &Part) -> u64 {
        let length = match part {
            Part::Node(node) => node.len(),
            Part::Block(block) => block.len(),
        };
        length as u64 + PART_BYTES
    }
}

/// An open file and when it was used last.
#[derive(Debug)]
struct OpenFile {
    segment: u64,
    used: u64,
    file: Arc<File>,
}

#[derive(Debug, Default)]
struct OpenFiles {
    files: Vec<OpenFile>,
    uses: u64,
}

/// Index nodes and data blocks that were read and compared with their digests, and the files that they came from.
///
/// A file that was closed to make room is opened again by its path. Another file may lie there then: its bytes do not
/// have the digests.
pub(in crate::projections) struct SegmentCache {
    parts: Cache<PartKey, Part, PartWeight, RandomState>,
    /// Lock: whoever reads from a file, for a look-up among a few dozen, or while one is opened and another closed.
    /// Nothing is read and no other lock is taken under it.
    files: Mutex<OpenFiles>,
    files_max: usize,
    segments: AtomicU64,
}

impl std::fmt::Debug for SegmentCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SegmentCache").finish_non_exhaustive()
    }
}

impl SegmentCache {
    /// At most so many bytes of parts, and so many open files (one at least): one more for each thread that reads
    /// from a file while others open theirs.
    pub(in crate::projections) fn new(cache_bytes: u64, files_max: usize) -> Arc<Self> {
        let parts = usize::try_from(cache_bytes / PART_BYTES_USUAL).unwrap_or(usize::MAX);
        let parts = Cache::with(
            parts,
            cache_bytes,
            PartWeight,
            RandomState::default(),
            quick_cache::sync::DefaultLifecycle::default(),
        );
        Arc::new(Self {
            parts,
            files: Mutex::default(),
            files_max: files_max.max(1),
            segments: AtomicU64::new(0),
        })
    }

    /// A number that no other open segment has.
    pub(super) fn next_segment(&self) -> u64 {
        self.segments.fetch_add(1, Ordering::Relaxed)
    }

    /// Bytes of parts that are in memory.
    pub(in crate::projections) fn bytes(&self) -> u64 {
        self.parts.weight()
    }

    /// Files that are open.
    pub(in crate::projections) fn files(&self) -> usize {
        whole(self.files.lock()).files.len()
    }

    pub(super) fn node(&self, segment: u64, offset: u64) -> Option<Arc<IndexNode>> {
        match self.parts.get(&(segment, offset))? {
            Part::Node(node) => Some(node),
            Part::Block(_) => None,
        }
    }

    pub(super) fn block(&self, segment: u64, offset: u64) -> Option<Arc<DataBlock>> {
        match self.parts.get(&(segment, offset))? {
            Part::Block(block) => Some(block),
            Part::Node(_) => None,
        }
    }

    pub(super) fn keep_node(&self, segment: u64, offset: u64, node: &Arc<IndexNode>) {
        self.parts
            .insert((segment, offset), Part::Node(node.clone()));
    }

    pub(super) fn keep_block(&self, segment: u64, offset: u64, block: &Arc<DataBlock>) {
        self.parts
            .insert((segment, offset), Part::Block(block.clone()));
    }

    /// The segment's file, opened where it is not.
    ///
    /// # Errors
    /// As the operating system says.
    pub(super) fn file(&self, segment: u64, path: &Path) -> io::Result<Arc<File>> {
        let mut open = whole(self.files.lock());
        open.uses += 1;
        let now = open.uses;
        if let Some(found) = open.files.iter_mut().find(|it| it.segment == segment) {
            found.used = now;
            return Ok(found.file.clone());
        }
        if open.files.len() >= self.files_max {
            let ages = open.files.iter().enumerate();
            let oldest = ages.min_by_key(|(_, it)| it.used).map(|(at, _)| at);
            oldest.map(|at| open.files.swap_remove(at));
        }
        let file = Arc::new(files::open(path)?);
        open.files.push(OpenFile {
            segment,
            used: now,
            file: file.clone(),
        });
        Ok(file)
    }

    /// The segment is not used any more: its file is closed. Its parts go as others come.
    pub(super) fn close(&self, segment: u64) {
        whole(self.files.lock())
            .files
            .retain(|it| it.segment != segment);
    }
}

// SPDX-License-Identifier: Apache-2.0
//! What stands above the data blocks: index nodes, and the root above these.

use std::ops::Range;

use super::encoding::{put_bytes, put_number, take, take_bytes, take_length, take_number};
use super::filter::may_hold;
use crate::events::Hash;

/// Blocks under one node.
pub(super) const NODE_BLOCKS: usize = 64;
/// Least bytes of a child: the lengths of its key and of itself, its place, its digest.
const CHILD_BYTES_MIN: usize = 35;

/// A part of the file as the part above it knows it.
#[derive(Debug, Clone, Default)]
pub(super) struct Child {
    pub(super) first_key: Range<usize>,
    /// Where it begins in the file.
    pub(super) offset: u64,
    /// How many bytes it has.
    pub(super) length: u64,
    /// Of all its bytes.
    pub(super) digest: Hash,
}

/// Adds a child to the bytes of the part above it.
pub(super) fn put_child(
    out: &mut Vec<u8>,
    first_key: &[u8],
    offset: u64,
    length: u64,
    digest: &Hash,
) {
    put_bytes(out, first_key);
    put_number(out, offset);
    put_number(out, length);
    out.extend_from_slice(digest);
}

/// The children of a node or of the root, in the order of their keys; these lie in the bytes of the part itself.
#[derive(Debug)]
pub(super) struct Children(Vec<Child>);

impl Children {
    /// Takes so many off the front of `rest`, which is the end of `bytes`.
    fn take(bytes: &[u8], rest: &mut &[u8], count: usize) -> Option<Self> {
        if count > rest.len() / CHILD_BYTES_MIN {
            return None;
        }
        let mut children = Vec::with_capacity(count);
        for _ in 0..count {
            let first_key = take_bytes(rest)?.len();
            let end = bytes.len() - rest.len();
            children.push(Child {
                first_key: end - first_key..end,
                offset: take_number(rest)?,
                length: take_number(rest)?,
                digest: take(rest, size_of::<Hash>())?.try_into().ok()?,
            });
        }
        Some(Self(children))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, index: usize) -> Option<&Child> {
        self.0.get(index)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Child> {
        self.0.iter()
    }

    /// The last child that begins before `key`, or at it where `or_at` says so; `bytes` are those of the part.
    fn before(&self, bytes: &[u8], key: &[u8], or_at: bool) -> Option<usize> {
        let first = |it: &Child| bytes.get(it.first_key.clone()).unwrap_or_default();
        let behind = match or_at {
            true => self.0.partition_point(|it| first(it) <= key),
            false => self.0.partition_point(|it| first(it) < key),
        };
        behind.checked_sub(1)
    }
}

/// An index node that was read, and whose digest was compared.
#[derive(Debug)]
pub(super) struct IndexNode {
    bytes: Vec<u8>,
    pub(super) blocks: Children,
    filter: usize,
}

impl IndexNode {
    pub(super) fn parse(bytes: Vec<u8>) -> Option<Self> {
        let mut rest = bytes.as_slice();
        let count = take_length(&mut rest)?;
        let blocks = Children::take(&bytes, &mut rest, count)?;
        if blocks.len() == 0 || rest.is_empty() || !rest.len().is_multiple_of(32) {
            return None;
        }
        let filter = bytes.len() - rest.len();
        Some(Self {
            bytes,
            blocks,
            filter,
        })
    }

    /// Bytes that it takes.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() + self.blocks.len() * size_of::<Child>()
    }

    /// Whether a key with this hash may lie under it.
    pub(super) fn may_hold(&self, hash: u64) -> bool {
        may_hold(self.bytes.get(self.filter..).unwrap_or_default(), hash)
    }

    /// See [`SegmentRoot::before`].
    pub(super) fn before(&self, key: &[u8], or_at: bool) -> Option<usize> {
        self.blocks.before(&self.bytes, key, or_at)
    }
}

/// What a segment holds, and of which records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::projections) struct SegmentHead {
    /// The view's name.
    pub(in crate::projections) view: String,
    /// The view's version.
    pub(in crate::projections) version: u32,
    /// Sequence number of the first record that it was made of.
    pub(in crate::projections) first_seq: u64,
    /// Of the last.
    pub(in crate::projections) last_seq: u64,
    /// Hash of the record `last_seq`.
    pub(in crate::projections) last_hash: Hash,
}

/// The root: all of a segment that stays in memory while it is open.
#[derive(Debug)]
pub(super) struct SegmentRoot {
    bytes: Vec<u8>,
    pub(super) head: SegmentHead,
    pub(super) entries: u64,
    last_key: Range<usize>,
    pub(super) nodes: Children,
}

/// The bytes of a root before its nodes.
pub(super) fn put_head(out: &mut Vec<u8>, head: &SegmentHead, entries: u64, last_key: &[u8]) {
    put_bytes(out, head.view.as_bytes());
    put_number(out, u64::from(head.version));
    put_number(out, head.first_seq);
    put_number(out, head.last_seq);
    out.extend_from_slice(&head.last_hash);
    put_number(out, entries);
    put_bytes(out, last_key);
}

impl SegmentRoot {
    pub(super) fn parse(bytes: Vec<u8>) -> Option<Self> {
        let mut rest = bytes.as_slice();
        let head = SegmentHead {
            view: std::str::from_utf8(take_bytes(&mut rest)?).ok()?.to_owned(),
            version: u32::try_from(take_number(&mut rest)?).ok()?,
            first_seq: take_number(&mut rest)?,
            last_seq: take_number(&mut rest)?,
            last_hash: take(&mut rest, size_of::<Hash>())?.try_into().ok()?,
        };
        let entries = take_number(&mut rest)?;
        let length = take_bytes(&mut rest)?.len();
        let end = bytes.len() - rest.len();
        let count = take_length(&mut rest)?;
        let nodes = Children::take(&bytes, &mut rest, count)?;
        if !rest.is_empty() {
            return None;
        }
        Some(Self {
            head,
            entries,
            last_key: end - length..end,
            nodes,
            bytes,
        })
    }

    /// The last key of the segment; empty where it has none.
    pub(super) fn last_key(&self) -> &[u8] {
        self.bytes.get(self.last_key.clone()).unwrap_or_default()
    }

    /// The last node that begins before `key`, or at it where `or_at` says so.
    pub(super) fn before(&self, key: &[u8], or_at: bool) -> Option<usize> {
        self.nodes.before(&self.bytes, key, or_at)
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Layers of a view's content: runs in memory, and segments, which are files.
//!
//! A layer says of some keys what a range of records did to them ([`Op`]): a value that is new, a value that takes
//! another's place, or that there is none any more. Newer layers lie upon older ones. Both kinds are sorted by key,
//! written once and never changed. Layers that are neighbours become one by [`merge_into`], which composes what they
//! say of the same key.
//!
//! # A segment's file
//!
//! ```text
//! magic, number of the format
//! data blocks of the first index node · that node · data blocks of the second · that node · …
//! root
//! where the root lies, magic
//! ```
//!
//! * A *data block* has some 16 KiB of entries: keys without what they share with the key before, a whole key every
//!   sixteen entries (a *restart*), and where the restarts lie. A longer entry has a block of its own.
//! * An *index node* knows up to 64 blocks: first key, place, length and digest of each, and a filter of all keys
//!   under it.
//! * The *root* has the [`SegmentHead`], the number of entries, the last key, and the same four facts of each node.
//!
//! An opening states the digest of the root. Everything else is read when it is wanted, and not one byte
//! of it is used before its digest was compared with what the part above it says. So a file that is not the one that
//! was written is [`SegmentError::Damaged`], and never a wrong answer. A file's bytes are a function of its head and
//! its entries: no time, no chance. `docs/FORMAT.md` has every byte.
//!
//! One file knows only those above it: `encoding`, `op`, `error`, `filter` · `run`, `block`, `index` · `cache` ·
//! `segment`, `writer` · `cursor` · `merge`.

mod block;
mod cache;
mod cursor;
mod encoding;
mod error;
mod filter;
mod index;
mod merge;
mod op;
mod run;
mod segment;
#[cfg(test)]
mod tests;
mod writer;

pub(super) use cache::SegmentCache;
pub(super) use cursor::{Caching, Direction, Layer};
pub(super) use error::SegmentError;
pub(super) use index::SegmentHead;
pub(super) use merge::{Merge, get, merge, merge_into, visible};
pub(super) use op::{EntrySink, Op, OpRef, compose};
pub(super) use run::{Run, RunBuilder, merge_runs};
pub(super) use segment::Segment;
pub(super) use writer::{Finished, SegmentWriter};

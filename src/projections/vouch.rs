// SPDX-License-Identifier: Apache-2.0
//! Who vouches for the finished segments of views: the ledger, by records of its own.
//!
//! A segment in a file proves nothing: whoever can edit it can edit a checksum beside it. A record of
//! the journal that states its digest is chained, synced and anchored like every other.

use crate::events::Hash;

/// A finished segment of a view.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SealedSegment {
    /// The view's name: 1 to 64 of `a-z`, `0-9` and `_`.
    pub(crate) view: String,
    /// The version of the view that made it.
    pub(crate) version: u32,
    /// Number of the first record that it is made of; 1 or more.
    pub(crate) first_seq: u64,
    /// Number of the last record that it is made of; not below the first.
    pub(crate) last_seq: u64,
    /// Digest of its root, which covers all of it.
    pub(crate) digest: Hash,
}

/// Who vouches for segments: the ledger, by records of its own.
pub(crate) trait Voucher: Send + Sync + 'static {
    /// A segment is finished and synced: a record is to state it. Returns at once, blocks never.
    /// `told` gets the record's number once that is durable; it is dropped where none will be.
    fn vouch(&self, segment: SealedSegment, told: Box<dyn FnOnce(u64) + Send>);

    /// Whether the record at `seq` is one of the ledger's own that states exactly this segment.
    ///
    /// # Errors
    /// What kept the record from being read, for a person.
    fn has_vouched(&self, seq: u64, segment: &SealedSegment) -> Result<bool, String>;
}

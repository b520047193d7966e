// SPDX-License-Identifier: Apache-2.0
//! What a bundle holds, and how it is put together.

use std::collections::BTreeMap;

use super::{Naming, PAYLOAD_BYTES_MAX, Stream, StreamError, StreamReader};
use crate::events::{
    ComponentId, Content, EventType, ExecutionId, HEADER_LEN, LedgerId, Record, RecordHeader, Seq,
};
use crate::integrity::key::VerifierKey;
use crate::integrity::merkle::TreeHash;
use crate::integrity::note::Note;

/// One record of a bundle.
///
/// Example: [`Bundle::items`](crate::integrity::evidence::Bundle::items).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Item {
    /// Its header: the entry of the tree.
    pub header: RecordHeader,
    /// Its payload; `None` where it was withheld. Everything else verifies all the same.
    pub content: Option<Content>,
    /// The inclusion proof: from the leaf's sibling up to the root's child.
    pub path: Vec<TreeHash>,
}

impl Item {
    /// The record, as its reader was given it, with its proof.
    #[must_use]
    pub fn new(record: Record, path: Vec<TreeHash>) -> Self {
        Self {
            header: record.header,
            content: record.content,
            path,
        }
    }

    /// The header's 224 canonical bytes: what the leaf covers.
    #[must_use]
    pub fn entry(&self) -> [u8; HEADER_LEN] {
        self.header.encode()
    }
}

/// The record of an opening of the ledger. It names the ledger, in its header, so that the id is as
/// signed as everything else in the tree.
///
/// Example: [`Bundle`](crate::integrity::evidence::Bundle).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Opening {
    /// Its header.
    pub header: RecordHeader,
    /// The inclusion proof.
    pub path: Vec<TreeHash>,
}

impl Opening {
    /// The ledger that the record names; `None` where it is no opening, or one by software that did
    /// not yet name it.
    #[must_use]
    pub fn ledger(header: &RecordHeader) -> Option<LedgerId> {
        let opens = header.event_type == EventType::LedgerOpened
            && header.component == ComponentId::LEDGER
            && !header.stream.is_nil();
        opens.then(|| LedgerId::from_bytes(*header.stream.as_bytes()))
    }
}

/// Evidence of one execution: see the [module](super). What was read from somewhere means nothing until
/// [`Bundle::verify`] has accepted it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Bundle {
    /// As it is stated; what `opening` says counts.
    pub(super) ledger: LedgerId,
    pub(super) opening: Opening,
    pub(super) execution: ExecutionId,
    pub(super) stream: Stream,
    pub(super) keys: Vec<VerifierKey>,
    pub(super) names: Vec<Naming>,
    pub(super) items: Vec<Item>,
    /// As it was read; `None`: made here, and computed when written.
    pub(super) checksum: Option<TreeHash>,
    pub(super) checkpoint: Note,
}

impl Bundle {
    /// The ledger that it comes from; [`Bundle::verify`] compares it with [`Bundle::opening`].
    #[must_use]
    pub const fn ledger(&self) -> LedgerId {
        self.ledger
    }

    /// The record that names the ledger.
    #[must_use]
    pub const fn opening(&self) -> &Opening {
        &self.opening
    }

    /// The execution.
    #[must_use]
    pub const fn execution(&self) -> ExecutionId {
        self.execution
    }

    /// What is said of completeness; [`Bundle::verify`] compares it with the records.
    #[must_use]
    pub const fn stream(&self) -> Stream {
        self.stream
    }

    /// Keys that are said to have signed the checkpoint, in the order of its signatures.
    #[must_use]
    pub fn keys(&self) -> &[VerifierKey] {
        &self.keys
    }

    /// The records, in the order of their sequence numbers.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The checkpoint that the proofs lead to.
    #[must_use]
    pub const fn checkpoint(&self) -> &Note {
        &self.checkpoint
    }

    /// Records that name the execution and are not of its stream: what others said of it.
    pub fn mentions(&self) -> impl Iterator<Item = &Item> {
        let execution = self.execution;
        let items = self.items.iter();
        items.filter(move |item| !StreamReader::is_of(execution, &item.header))
    }

    /// The records that name components, in the order of their sequence numbers.
    #[must_use]
    pub fn namings(&self) -> &[Naming] {
        &self.names
    }

    /// Names of the components that caused records here, as far as the bundle has them.
    #[must_use]
    pub fn names(&self) -> BTreeMap<ComponentId, String> {
        let named = self.names.iter().filter_map(Naming::named);
        named.map(|it| (it.component, it.name)).collect()
    }

    /// Components that caused records here and are not named: their names were withheld, or whoever made
    /// the bundle did not have them. Component 0 is the ledger itself, and needs no name.
    #[must_use]
    pub fn unnamed(&self) -> Vec<ComponentId> {
        let names = self.names();
        let components = self.components().into_keys();
        components.filter(|it| !names.contains_key(it)).collect()
    }

    /// Components that caused records here, each with the first of them.
    pub(super) fn components(&self) -> BTreeMap<ComponentId, Seq> {
        let mut components = BTreeMap::new();
        for item in &self.items {
            if item.header.component != ComponentId::LEDGER {
                let first = components.entry(item.header.component);
                first.or_insert(item.header.seq);
            }
        }
        components
    }

    /// Takes payloads out, with their salts: of the records for which `withhold` says so. A component whose
    /// grant is among them has no name any more. Whoever
    /// holds a bundle can do that; what is left verifies by the same checkpoint, and who has no salt
    /// cannot guess a payload from its commitment.
    #[must_use]
    pub fn withhold(mut self, withhold: impl Fn(&RecordHeader) -> bool) -> Self {
        for item in &mut self.items {
            if withhold(&item.header) {
                item.content = None;
            }
        }
        self.names.retain(|naming| !withhold(&naming.header));
        self.checksum = None;
        self
    }

    /// Number of records whose payload was withheld.
    #[must_use]
    pub fn withheld(&self) -> usize {
        let items = self.items.iter();
        items.filter(|item| item.content.is_none()).count()
    }
}

/// What the headers say of completeness.
pub(super) fn stream_of(execution: ExecutionId, items: &[Item]) -> Result<Stream, StreamError> {
    let mut reader = StreamReader::new(execution);
    let mut last: Option<Seq> = None;
    for Item { header, .. } in items {
        if header.execution != execution {
            return Err(StreamError::Other(header.seq));
        }
        if last.is_some_and(|last| last >= header.seq) {
            return Err(StreamError::Order(header.seq));
        }
        last = Some(header.seq);
        if StreamReader::is_of(execution, header) {
            reader.next(header)?;
        }
    }
    reader.finish()
}

/// Payloads that no ledger writes are not read.
pub(super) const fn is_payload_len(len: usize) -> bool {
    len <= PAYLOAD_BYTES_MAX
}

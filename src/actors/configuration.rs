// SPDX-License-Identifier: Apache-2.0
//! Configuration: versioned documents. Decides on versions, by what validators said before; holds digests of all
//! versions and the contents of the newest few, not of history.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use rpds::RedBlackTreeSetSync;
use serde::{Deserialize, Serialize};

use super::draft::{Decided, Draft, Reply, document_stream};
use super::event_sourced::{
    EventPlace, EventSourced, ReplayError, Surroundings, cross_store, expect_version,
};
use super::prepared::Earlier;
use crate::commands::check::invalid;
use crate::commands::{Change, Command, Context, Rollback};
use crate::error::{AppendError, ReadError};
use crate::events::{ConfigurationChangedV1, Event, Hash, Outcome, Seq, Store, StreamId};
use crate::integrity::digest;

/// Contents kept so that a rollback right after a change need not wait for a view.
const RECENT_MAX: usize = 64;
const RECENT_BYTES_MAX: usize = 8 << 20;

#[derive(Debug, Clone)]
struct RecentVersions {
    document: Arc<str>,
    version: u64,
    content: Arc<[u8]>,
}

/// Where each document stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConfigurationState {
    /// Number of changes, over all documents.
    version: u64,
    documents: BTreeMap<Arc<str>, DocumentState>,
    /// Their streams: published, and one path of the tree is copied where a document is new.
    streams: RedBlackTreeSetSync<StreamId>,
    recent: VecDeque<RecentVersions>,
    recent_bytes: usize,
    /// Changes whose records have no place yet, the oldest first.
    unplaced: VecDeque<UnplacedDocument>,
}

#[derive(Debug, Clone, Default)]
struct DocumentState {
    /// The digests of its contents, version 1 first.
    digests: Vec<Hash>,
    /// Number of configuration changes with its last version; 0 in what was saved.
    changed: u64,
    /// The record of its last version; `None` until that has a place.
    seq: Option<Seq>,
}

/// A change on its way to its place in the journal.
#[derive(Debug, Clone)]
struct UnplacedDocument {
    /// Number of configuration changes with it.
    version: u64,
    document: Arc<str>,
    /// Its place is behind this record.
    after: u64,
}

/// What is saved of it.
#[derive(Serialize, Deserialize)]
pub(crate) struct ConfigurationPortrait {
    version: u64,
    /// Name, digests, the last version's record.
    documents: Vec<(String, Vec<Hash>, Option<Seq>)>,
    /// The records that are missing above are behind this one.
    unplaced_after: u64,
    /// Document, version, content, the oldest first.
    recent: Vec<(String, u64, Vec<u8>)>,
}

/// What there was before a group.
pub(crate) struct BeforeChanges {
    version: u64,
    streams: RedBlackTreeSetSync<StreamId>,
    /// The documents that the group names; `None`: there was no such one.
    documents: Vec<(String, Option<DocumentBefore>)>,
    recent: VecDeque<RecentVersions>,
    recent_bytes: usize,
    /// How many changes were on their way.
    unplaced: usize,
}

struct DocumentBefore {
    versions: usize,
    changed: u64,
    seq: Option<Seq>,
}

/// A change that is still to be decided on.
struct Proposal<'a> {
    context: &'a Context,
    document: &'a str,
    content: Vec<u8>,
    author: &'a str,
    reason: &'a str,
    restored_version: u64,
}

impl ConfigurationState {
    /// Number of configuration changes in force.
    pub(crate) const fn configuration_version(&self) -> u64 {
        self.version
    }

    /// The streams of all documents.
    pub(crate) fn streams(&self) -> RedBlackTreeSetSync<StreamId> {
        self.streams.clone()
    }

    /// A document's version; 0 where there is none.
    pub(crate) fn version(&self, document: &str) -> u64 {
        self.digests(document).len() as u64
    }

    fn digests(&self, document: &str) -> &[Hash] {
        self.documents
            .get(document)
            .map_or(&[], |document| document.digests.as_slice())
    }

    pub(crate) fn portrait(&self) -> ConfigurationPortrait {
        let documents = self.documents.iter();
        let recent = self.recent.iter();
        ConfigurationPortrait {
            version: self.version,
            documents: documents
                .map(|(name, it)| (name.to_string(), it.digests.clone(), it.seq))
                .collect(),
            unplaced_after: self.unplaced.front().map_or(0, |it| it.after),
            recent: recent
                .map(|it| (it.document.to_string(), it.version, it.content.to_vec()))
                .collect(),
        }
    }

    pub(crate) fn from_portrait(portrait: ConfigurationPortrait) -> Self {
        let mut state = Self {
            version: portrait.version,
            ..Self::default()
        };
        for (name, digests, seq) in portrait.documents {
            let document = DocumentState {
                digests,
                changed: 0,
                seq,
            };
            state.streams.insert_mut(document_stream(&name));
            state.documents.insert(name.into(), document);
        }
        for (document, version, content) in portrait.recent {
            let name = state.documents.get_key_value(&*document);
            let name = name.map_or_else(|| document.into(), |(name, _)| Arc::clone(name));
            state.remember(name, version, &content);
        }
        state
    }

    fn change(&self, change: &Change, around: &Surroundings<'_>) -> Result<Decided, AppendError> {
        expect_version(change.expected_version, self.version(&change.document))?;
        let proposal = Proposal {
            context: &change.context,
            document: &change.document,
            content: change.content.clone(),
            author: &change.author,
            reason: &change.reason,
            restored_version: 0,
        };
        self.accept(proposal, around)
    }

    fn rollback(
        &self,
        rollback: &Rollback,
        around: &Surroundings<'_>,
    ) -> Result<Decided, AppendError> {
        let document = rollback.document.as_str();
        expect_version(rollback.expected_version, self.version(document))?;
        let content = self.content(document, rollback.to_version, around)?;
        let proposal = Proposal {
            context: &rollback.context,
            document,
            content,
            author: &rollback.author,
            reason: &rollback.reason,
            restored_version: rollback.to_version,
        };
        self.accept(proposal, around)
    }

    fn digest_of(&self, document: &str, version: u64) -> Option<&Hash> {
        let index = usize::try_from(version).ok()?.checked_sub(1)?;
        self.digests(document).get(index)
    }

    fn recent(&self, document: &str, version: u64) -> Option<&Arc<[u8]>> {
        let mut recent = self.recent.iter().rev();
        let found = recent.find(|it| *it.document == *document && it.version == version);
        found.map(|it| &it.content)
    }

    /// What is known of an earlier version, for whoever looks for its content before the decision.
    pub(crate) fn earlier(&self, document: &str, version: u64) -> Earlier {
        match self.digest_of(document, version) {
            None => Earlier::Unknown,
            Some(_) => self
                .recent(document, version)
                .map_or(Earlier::Past, |content| {
                    Earlier::Recent(Arc::clone(content))
                }),
        }
    }

    /// An earlier version's content: what memory holds, else what was read before. That is compared
    /// with the digest that was replayed from the journal: a wrong content is an error and never
    /// restored.
    fn content(
        &self,
        document: &str,
        version: u64,
        around: &Surroundings<'_>,
    ) -> Result<Vec<u8>, AppendError> {
        let expected = self
            .digest_of(document, version)
            .ok_or_else(|| invalid("to_version", "is not a version of the document"))?;
        if let Some(content) = self.recent(document, version) {
            return Ok(content.to_vec());
        }
        // It became a version, and left memory, after it was looked for.
        let found = around.prepared.restored(document, version);
        let content = found.ok_or(AppendError::ViewLag { lag: 0 })?.clone()?;
        if digest(&content) != *expected {
            return Err(AppendError::History(ReadError::Unavailable {
                cause: format!("version {version} of {document:?} does not match its digest")
                    .into(),
            }));
        }
        Ok(content.to_vec())
    }

    fn accept(
        &self,
        proposal: Proposal<'_>,
        around: &Surroundings<'_>,
    ) -> Result<Decided, AppendError> {
        let document = proposal.document;
        let version = self.version(document) + 1;
        if version == 1 && self.documents.len() >= around.limits.entries_max {
            return Err(invalid("document", "is one more than limits.entries_max"));
        }
        let content_digest = digest(&proposal.content);
        around.prepared.verdict(document, &content_digest)?;
        let event = ConfigurationChangedV1 {
            document: document.to_owned(),
            version,
            configuration_version: self.version + 1,
            content_digest,
            content: proposal.content,
            author: proposal.author.to_owned(),
            reason: proposal.reason.to_owned(),
            restored_version: proposal.restored_version,
        };
        let draft = Draft::new(event)
            .context(proposal.context)
            .stream(document_stream(document), version)
            .outcome(Outcome::Success);
        Ok(Decided {
            drafts: vec![draft],
            reply: Reply::Changed { version },
        })
    }

    fn remember(&mut self, document: Arc<str>, version: u64, content: &[u8]) {
        self.recent_bytes += content.len();
        self.recent.push_back(RecentVersions {
            document,
            version,
            content: content.into(),
        });
        while self.recent.len() > RECENT_MAX || self.recent_bytes > RECENT_BYTES_MAX {
            let Some(oldest) = self.recent.pop_front() else {
                break;
            };
            self.recent_bytes -= oldest.content.len();
        }
    }
}

impl EventSourced for ConfigurationState {
    type Saved = BeforeChanges;

    fn decide(&self, command: &Command, around: &Surroundings<'_>) -> Result<Decided, AppendError> {
        match command {
            Command::Change(change) => self.change(change, around),
            Command::Rollback(rollback) => self.rollback(rollback, around),
            other => Err(cross_store(Store::Configuration, other)),
        }
    }

    fn on(&mut self, place: &EventPlace, event: &Event) -> Result<(), ReplayError> {
        let Event::ConfigurationChanged(changed) = event else {
            return Ok(());
        };
        let document = changed.document.as_str();
        // Decided a moment ago, the digest was made from this very content.
        if place.seq.is_some() && digest(&changed.content) != changed.content_digest {
            return Err(place.corrupt(format!("version {} of {document:?}", changed.version)));
        }
        if changed.version != self.version(document) + 1
            || changed.configuration_version != self.version + 1
        {
            let what = format!(
                "version {} of {document:?} is out of order",
                changed.version
            );
            return Err(place.inconsistent(what));
        }
        let name = match self.documents.get_key_value(document) {
            Some((name, _)) => Arc::clone(name),
            None => {
                self.streams.insert_mut(document_stream(document));
                Arc::from(document)
            }
        };
        let document = self.documents.entry(Arc::clone(&name)).or_default();
        document.digests.push(changed.content_digest);
        document.changed = changed.configuration_version;
        document.seq = place.seq;
        self.version = changed.configuration_version;
        if place.seq.is_none() {
            self.unplaced.push_back(UnplacedDocument {
                version: self.version,
                document: Arc::clone(&name),
                after: 0,
            });
        }
        self.remember(name, changed.version, &changed.content);
        Ok(())
    }

    fn save(&self, commands: &[Command]) -> BeforeChanges {
        self.before(commands)
    }

    fn undo(&mut self, saved: BeforeChanges, _: &[Decided]) {
        self.put_back(saved);
    }
}

mod places;
mod undo;

#[cfg(test)]
mod tests;

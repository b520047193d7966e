// SPDX-License-Identifier: Apache-2.0
//! What is in force: as it was decided, for the next decision, and as it is durable, for whoever
//! decides outside.
//!
//! The two differ by what is on its way to the disk. A decision rests on the first, or it would
//! accept what a change before it forbids. Nobody else is shown the first, or a crash would take
//! back what they saw.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, RwLock};

use rpds::RedBlackTreeMapSync;

use super::capability_registry::Registry;
use super::configuration;
use super::decided_in_force::DecidedInForce;
use super::draft::{Decided, REGISTRY_STREAM};
use super::new_commit::Sequenced;
use super::runtime_metadata;
use crate::commands::{Basis, Grounds};
use crate::config::BUILTIN_CAPABILITY;
use crate::events::{ConfigurationChangedV1, Event, Hash, LedgerId, Seq, Store};
use crate::locks::whole;

/// A document as it is in force.
///
/// Example: [`group`](crate::group).
#[derive(Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct DocumentInForce {
    /// Its version, from 1.
    pub version: u64,
    /// BLAKE3 of its content.
    #[serde(serialize_with = "crate::events::readable::hex::serialize")]
    pub digest: Hash,
    /// The record that holds its content.
    pub seq: Seq,
}

crate::events::readable::debug_as_read!(DocumentInForce);

/// The capability registry as it is in force.
///
/// Example: [`runtime_metadata`](crate::runtime_metadata).
#[derive(Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct RegistryInForce {
    /// Number of registry changes.
    pub version: u64,
    /// Digest of version and capabilities: that of
    /// [`RegistryState::digest`](crate::runtime_metadata::RegistryState::digest).
    #[serde(serialize_with = "crate::events::readable::hex::serialize")]
    pub digest: Hash,
    /// The record of its last change; `None` where it never changed.
    pub seq: Option<Seq>,
}

crate::events::readable::debug_as_read!(RegistryInForce);

/// What is in force: configuration and registry at one place of the journal, all of it durable.
///
/// One snapshot is consistent in itself: whoever reads the policy and decides by one snapshot, and
/// hands its [`InForce::basis`] to the ledger, is refused where anything has moved since. It holds
/// versions, digests and sequence numbers, not contents; those are read by
/// [`Configuration::content`](crate::Configuration::content). It never changes; clones are cheap.
///
/// Example: [the first page](crate).
#[derive(Clone)]
pub struct InForce(Arc<Body>);

#[derive(Clone)]
struct Body {
    ledger: LedgerId,
    as_of: u64,
    configuration_version: u64,
    documents: RedBlackTreeMapSync<Arc<str>, DocumentInForce>,
    registry: Arc<Registry>,
    registry_seq: Option<Seq>,
    /// Made by the first who asks: no change of the registry pays for it.
    registry_digest: OnceLock<Hash>,
}

impl std::fmt::Debug for InForce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InForce")
            .field("as_of", &self.as_of())
            .field("configuration_version", &self.configuration_version())
            .field("registry_version", &self.registry_version())
            .finish_non_exhaustive()
    }
}

impl serde::Serialize for InForce {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct InForce<'a> {
            ledger: LedgerId,
            as_of: u64,
            configuration_version: u64,
            documents: BTreeMap<&'a str, DocumentInForce>,
            registry: RegistryInForce,
            capabilities: BTreeMap<&'a str, bool>,
        }

        let in_force = InForce {
            ledger: self.0.ledger,
            as_of: self.0.as_of,
            configuration_version: self.0.configuration_version,
            documents: self.documents().collect(),
            registry: self.registry(),
            capabilities: self.capabilities().collect(),
        };
        in_force.serialize(serializer)
    }
}

impl InForce {
    /// The place in the journal that it is of: what is in force right after this record, 0 where
    /// there is none yet. Records behind it may be durable already; no change among them had been
    /// acknowledged when it was taken.
    #[must_use]
    pub fn as_of(&self) -> u64 {
        self.0.as_of
    }

    /// Number of configuration changes, over all documents.
    #[must_use]
    pub fn configuration_version(&self) -> u64 {
        self.0.configuration_version
    }

    /// Number of registry changes.
    #[must_use]
    pub fn registry_version(&self) -> u64 {
        self.0.registry.version
    }

    /// The document; `None` where there is no such one.
    #[must_use]
    pub fn document(&self, name: &str) -> Option<DocumentInForce> {
        self.0.documents.get(name).copied()
    }

    /// All documents, sorted by name.
    pub fn documents(&self) -> impl Iterator<Item = (&str, DocumentInForce)> {
        let documents = self.0.documents.iter();
        documents.map(|(name, document)| (&**name, *document))
    }

    /// The registry. The first call on a snapshot reads every capability, for the digest.
    #[must_use]
    pub fn registry(&self) -> RegistryInForce {
        let registry = &self.0.registry;
        let digest = self.0.registry_digest.get_or_init(|| registry.digest());
        RegistryInForce {
            version: registry.version,
            digest: *digest,
            seq: self.0.registry_seq,
        }
    }

    /// Registered capabilities, sorted by name, each with whether it is enabled. The built-in one
    /// is not among them: it is always enabled.
    pub fn capabilities(&self) -> impl Iterator<Item = (&str, bool)> {
        let capabilities = self.0.registry.capabilities.iter();
        capabilities.map(|(name, capability)| (name.as_str(), capability.enabled))
    }

    /// Whether executions of this capability may be authorized.
    #[must_use]
    pub fn is_enabled(&self, capability: &str) -> bool {
        capability == BUILTIN_CAPABILITY || self.0.registry.is_enabled(capability)
    }

    /// What a decision made by this snapshot rests on. A gate with a policy of its own adds it with
    /// [`Basis::policy`].
    #[must_use]
    pub fn basis(&self) -> Basis {
        self.at(self.configuration_version(), self.registry_version())
    }

    /// As [`InForce::basis`], with version and digest of the document that holds the policy; `None`
    /// where there is no such document.
    #[must_use]
    pub fn basis_of(&self, document: &str) -> Option<Basis> {
        let found = self.document(document)?;
        let version = found.version.to_string();
        Some(self.basis().policy(&version, found.digest))
    }

    /// What a decision rested on that was made by an earlier state, for imports; `None` where that
    /// state is later than this snapshot.
    #[must_use]
    pub fn earlier(&self, configuration_version: u64, registry_version: u64) -> Option<Basis> {
        let has_been = configuration_version <= self.configuration_version()
            && registry_version <= self.registry_version();
        has_been.then(|| self.at(configuration_version, registry_version))
    }

    fn at(&self, configuration_version: u64, registry_version: u64) -> Basis {
        Basis {
            ledger: self.0.ledger,
            grounds: Grounds {
                configuration_version,
                registry_version,
                ..Grounds::default()
            },
        }
    }

    /// The ledger that it is of.
    #[must_use]
    pub fn ledger(&self) -> LedgerId {
        self.0.ledger
    }

    /// What the states hold after the journal's record `as_of`. An error names a document without
    /// its record: a defect.
    pub(super) fn opening(
        ledger: LedgerId,
        as_of: u64,
        configuration: &configuration::ConfigurationState,
        metadata: &runtime_metadata::RuntimeMetadataState,
    ) -> Result<Self, String> {
        let documents = configuration.documents_in_force();
        let documents = documents.collect::<Result<RedBlackTreeMapSync<_, _>, String>>()?;
        let (registry, registry_seq) = (metadata.registry(), metadata.registry_seq());
        if registry.version > 0 && registry_seq.is_none() {
            return Err("the registry has no record".to_owned());
        }
        Ok(Self(Arc::new(Body {
            ledger,
            as_of,
            configuration_version: configuration.configuration_version(),
            documents,
            registry,
            registry_seq,
            registry_digest: OnceLock::new(),
        })))
    }
}

/// A commit's changes of what is in force, waiting to be durable.
pub(super) struct Changes {
    /// The record's number within the commit, and what it holds.
    documents: Vec<(u64, Arc<str>, ConfigurationChange)>,
    registry: Option<(u64, Arc<Registry>)>,
}

struct ConfigurationChange {
    version: u64,
    digest: Hash,
    configuration_version: u64,
}

impl Changes {
    /// What was `decided` changes, `in_force` being what it led to.
    pub(super) fn of(decided: &[Decided], in_force: &DecidedInForce) -> Self {
        let mut changes = Self {
            documents: Vec::new(),
            registry: None,
        };
        let drafts = decided.iter().flat_map(|step| &step.drafts);
        for (number, draft) in (0..).zip(drafts) {
            if let Event::ConfigurationChanged(changed) = &draft.event {
                let (name, change) = change(changed);
                changes.documents.push((number, name, change));
            }
            if draft.stream == REGISTRY_STREAM {
                changes.registry = Some((number, Arc::clone(&in_force.registry)));
            }
        }
        changes
    }
}

fn change(changed: &ConfigurationChangedV1) -> (Arc<str>, ConfigurationChange) {
    let change = ConfigurationChange {
        version: changed.version,
        digest: changed.content_digest,
        configuration_version: changed.configuration_version,
    };
    (changed.document.as_str().into(), change)
}

/// What is in force and durable, and how far each store has acknowledged. Advanced where a commit
/// is acknowledged, in the journal's order and before the caller hears of it.
pub(crate) struct Durable {
    /// Lock: anybody who asks, read for a copy of its pointer; a commit that is acknowledged, written to put its
    /// changes in. Nobody waits under it.
    in_force: RwLock<InForce>,
    acknowledged: [AtomicU64; Store::ALL.len()],
}

impl Durable {
    pub(crate) fn new(in_force: InForce) -> Self {
        Self {
            in_force: RwLock::new(in_force),
            acknowledged: [const { AtomicU64::new(0) }; Store::ALL.len()],
        }
    }

    pub(crate) fn in_force(&self) -> InForce {
        whole(self.in_force.read()).clone()
    }

    /// The last record that this store has acknowledged in this opening, or that the opening found.
    pub(crate) fn acknowledged(&self, store: Store) -> u64 {
        let acknowledged = self.acknowledged.get(store.index());
        acknowledged.map_or(0, |seq| seq.load(Ordering::Acquire))
    }

    /// Everything up to this record counts as acknowledged by every store.
    pub(crate) fn opened(&self, seq: Seq) {
        for acknowledged in &self.acknowledged {
            acknowledged.fetch_max(seq.get(), Ordering::AcqRel);
        }
    }

    /// The commit point of this commit has passed.
    pub(super) fn advance(&self, store: Store, changes: Option<Changes>, placed: &Sequenced) {
        if let Some(acknowledged) = self.acknowledged.get(store.index()) {
            acknowledged.fetch_max(placed.last.get(), Ordering::AcqRel);
        }
        if let Some(changes) = changes {
            let mut in_force = whole(self.in_force.write());
            put(Arc::make_mut(&mut in_force.0), changes, placed);
        }
    }
}

fn put(body: &mut Body, changes: Changes, placed: &Sequenced) {
    body.as_of = placed.last.get();
    for (number, name, change) in changes.documents {
        body.configuration_version = change.configuration_version;
        let document = DocumentInForce {
            version: change.version,
            digest: change.digest,
            seq: placed.first.plus(number),
        };
        body.documents.insert_mut(name, document);
    }
    if let Some((number, registry)) = changes.registry {
        body.registry = registry;
        body.registry_seq = Some(placed.first.plus(number));
        body.registry_digest = OnceLock::new();
    }
}

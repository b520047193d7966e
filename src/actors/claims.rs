// SPDX-License-Identifier: Apache-2.0
//! Idempotency (threat model §16): what a component's command ids already stand for.
//!
//! The window holds every claim whose record the views may not have indexed yet; older ones are
//! found through the index and confirmed by reading the record. Shared by all store actors,
//! because an id belongs to its component and not to a store.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use rapidhash::fast::RandomState;

use crate::events::{CommandId, ComponentId, Decision, ExecutionId, Hash};
use crate::locks::whole;

use super::draft::Reply;
use super::new_commit::Sequenced;

/// What is known of a claimed command: what it was answered with, once it is decided; where it
/// came to stand, once it is acknowledged.
#[derive(Default)]
pub(crate) struct Placed {
    pub(crate) gist: OnceLock<Gist>,
    pub(crate) sequenced: OnceLock<Sequenced>,
}

pub(crate) type Place = Arc<Placed>;

/// A reply without its permit: what a duplicate is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gist {
    Receipt,
    Decided {
        execution: ExecutionId,
        decision: Decision,
        started: bool,
    },
    Execution(ExecutionId),
    Changed {
        version: u64,
    },
}

impl From<&Reply> for Gist {
    fn from(reply: &Reply) -> Self {
        match *reply {
            Reply::Receipt => Self::Receipt,
            Reply::Decided {
                execution,
                decision,
                started,
                ..
            } => Self::Decided {
                execution,
                decision,
                started,
            },
            Reply::Execution(execution)
            | Reply::Repeated { execution, .. }
            | Reply::Asked { execution, .. }
            | Reply::Given { execution, .. }
            | Reply::GivenBefore { execution, .. } => Self::Execution(execution),
            Reply::Changed { version } => Self::Changed { version },
        }
    }
}

impl From<Gist> for Reply {
    /// What a duplicate of a command that began nothing is answered with.
    fn from(gist: Gist) -> Self {
        match gist {
            Gist::Receipt => Self::Receipt,
            Gist::Decided { execution, .. } | Gist::Execution(execution) => {
                Self::Execution(execution)
            }
            Gist::Changed { version } => Self::Changed { version },
        }
    }
}

type Key = (ComponentId, CommandId);

type Shard = HashMap<Key, CommandClaim, RandomState>;

#[derive(Clone)]
pub(crate) struct CommandClaim {
    pub(crate) digest: Hash,
    pub(crate) place: Place,
}

impl CommandClaim {
    /// The claim of a command found in the journal.
    pub(crate) fn known(digest: Hash, gist: Gist, sequenced: Sequenced) -> Self {
        let placed = Placed {
            gist: gist.into(),
            sequenced: sequenced.into(),
        };
        Self {
            digest,
            place: Arc::new(placed),
        }
    }
}

const SHARDS: usize = 16;

/// Sharded, so that no message waits long for a lock.
#[derive(Default)]
pub(crate) struct Claims {
    /// Lock: a store's actor and look-ups, each for one entry of one shard, and the task that forgets for one walk
    /// over it; nothing is called under it.
    shards: [Mutex<Shard>; SHARDS],
}

impl Claims {
    fn shard(&self, key: &Key) -> MutexGuard<'_, Shard> {
        // Random ids and counted ones differ in their last byte.
        let [.., last] = key.1.as_bytes();
        let index = usize::from(*last) % SHARDS;
        let shard = self.shards.get(index).unwrap_or(&self.shards[0]);
        whole(shard.lock())
    }

    /// What the id stands for already; a new claim where it is free.
    pub(crate) fn claim(&self, key: Key, digest: Hash) -> Result<Place, CommandClaim> {
        let mut shard = self.shard(&key);
        match shard.entry(key) {
            Entry::Occupied(taken) => Err(taken.get().clone()),
            Entry::Vacant(free) => {
                let place = Place::default();
                free.insert(CommandClaim {
                    digest,
                    place: place.clone(),
                });
                Ok(place)
            }
        }
    }

    pub(crate) fn find(&self, key: &Key) -> Option<CommandClaim> {
        self.shard(key).get(key).cloned()
    }

    /// A refused command leaves no id.
    pub(crate) fn release(&self, key: &Key) {
        self.shard(key).remove(key);
    }

    /// A claim found while replaying the journal.
    pub(crate) fn replay(&self, key: Key, claim: CommandClaim) {
        self.shard(&key).insert(key, claim);
    }

    /// Drops the claims whose records every index holds.
    pub(crate) fn forget_through(&self, seq: u64) {
        for shard in &self.shards {
            whole(shard.lock()).retain(|_, claim| {
                claim
                    .place
                    .sequenced
                    .get()
                    .is_none_or(|placed| placed.last.get() > seq)
            });
        }
    }
}

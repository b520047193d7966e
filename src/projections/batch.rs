// SPDX-License-Identifier: Apache-2.0
//! What a run of records changes in one view: read through to what is stored, written all at once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use fjall::{OwnedWriteBatch as WriteBatch, Readable, Slice};
use rapidhash::fast::RandomState;
use serde::de::DeserializeOwned;

use super::keys::unpack;
use super::views_database::{Generation, Position, STATE, state_key};
use super::{Pair, ProjectionError};

/// Keys and values of earlier batches that are kept in memory, in each of two halves.
const RECENT_BYTES: usize = 1 << 19;
/// Longer values are not kept.
const RECENT_VALUE_BYTES: usize = 1_024;
/// What an entry takes beside its key and value, roughly.
const RECENT_ENTRY_BYTES: usize = 64;

/// Longest key of a view, in bytes: what the engine takes, less the byte that the ledger puts before it. Example: `tests/callbacks/projection.rs`.
pub const VIEW_KEY_BYTES_MAX: usize = 65_534;
/// Longest value of an embedder's view, in bytes (16 MiB). Example: `tests/callbacks/projection.rs`.
pub const VIEW_VALUE_BYTES_MAX: usize = 16 << 20;
/// Most bytes of keys and values together that one commit may change in an embedder's view (64 MiB). Example: `tests/callbacks/projection.rs`.
pub const VIEW_COMMIT_BYTES_MAX: usize = 64 << 20;
/// Changes after which an embedder's batch ends with the commit at hand.
const BATCH_BYTES: usize = 8 << 20;

/// Keys are hashed once for every change: with a seed of this process, but not with SipHash.
type ByKey<V> = HashMap<Slice, V, RandomState>;

type Projected<T> = Result<T, ProjectionError>;
/// A value, or that there is none.
type Value = Option<Vec<u8>>;

/// Values as earlier batches of this generation wrote them: what is changed again and again is not
/// read from the database each time. The runner alone writes a generation, so they are never stale.
#[derive(Default)]
pub(super) struct RecentValues {
    newer: ByKey<Value>,
    /// How much they take.
    newer_bytes: usize,
    older: ByKey<Value>,
}

fn bytes_of(key: &[u8], value: Option<&Vec<u8>>) -> usize {
    RECENT_ENTRY_BYTES + key.len() + value.map_or(0, Vec::capacity)
}

impl RecentValues {
    fn get(&self, key: &[u8]) -> Option<&Value> {
        self.newer.get(key).or_else(|| self.older.get(key))
    }

    fn keep(&mut self, key: Slice, value: Value) {
        if value.as_ref().map_or(0, Vec::len) > RECENT_VALUE_BYTES {
            self.older.remove(&key);
            if let Some(replaced) = self.newer.remove(&key) {
                self.newer_bytes -= bytes_of(&key, replaced.as_ref());
            }
            return;
        }
        if self.newer_bytes >= RECENT_BYTES {
            self.older = std::mem::take(&mut self.newer);
            self.newer_bytes = 0;
        }
        self.newer_bytes += bytes_of(&key, value.as_ref());
        match self.newer.get_mut(&key) {
            Some(kept) => {
                self.newer_bytes -= bytes_of(&key, kept.as_ref());
                *kept = value;
            }
            None => drop(self.newer.insert(key, value)),
        }
    }
}

struct Edit {
    value: Value,
    /// It may be read again by a later batch.
    again: bool,
}

/// Pending changes of one view. Reads see them; the view's readers do not, until they and the
/// position are written in one batch.
pub struct ViewBatch {
    generation: Arc<Generation>,
    after: u64,
    recent: RecentValues,
    pending: ByKey<Edit>,
    /// The stored form of the key at hand.
    key: Vec<u8>,
    /// Whether the changes are an embedder's: then they are held to the limits.
    foreign: bool,
    /// Changes of the whole batch, and of it those before the commit at hand, in bytes.
    bytes: usize,
    bytes_before: usize,
    /// The first change that exceeds a limit: nothing of this batch is written.
    exceeded: Option<ProjectionError>,
    /// What the engine said of the stored view, where it could not read it.
    unreadable: OnceLock<ProjectionError>,
}

impl ViewBatch {
    /// A batch of records after `after`, on top of what earlier batches left in `recent`.
    pub(super) fn new(
        generation: Arc<Generation>,
        after: u64,
        recent: RecentValues,
        foreign: bool,
    ) -> Self {
        Self {
            generation,
            after,
            recent,
            pending: ByKey::default(),
            key: Vec::new(),
            foreign,
            bytes: 0,
            bytes_before: 0,
            exceeded: None,
            unreadable: OnceLock::new(),
        }
    }

    fn unreadable(&self, error: fjall::Error) -> ProjectionError {
        let said = self.unreadable.get_or_init(|| error.into());
        said.clone()
    }

    /// What the engine said of the stored view, where it could not read it.
    pub(super) fn engine_said(&self) -> Option<&ProjectionError> {
        self.unreadable.get()
    }

    /// Whether every change so far keeps the limits.
    ///
    /// # Errors
    /// The first that does not.
    pub(super) fn within_limits(&mut self) -> Result<(), ProjectionError> {
        let changed = self.bytes.saturating_sub(self.bytes_before);
        if self.foreign && changed > VIEW_COMMIT_BYTES_MAX {
            self.exceed("commit", changed, VIEW_COMMIT_BYTES_MAX);
        }
        self.exceeded.clone().map_or(Ok(()), Err)
    }

    fn exceed(&mut self, what: &'static str, bytes: usize, max: usize) {
        let error = ProjectionError::TooLarge { what, bytes, max };
        self.exceeded.get_or_insert(error);
    }

    /// A commit ends here. True where the batch is to end with it: memory is bounded.
    pub(super) fn commit_ends(&mut self) -> bool {
        self.bytes_before = self.bytes;
        self.bytes > BATCH_BYTES
    }

    /// Position of the view before this batch: of what only later records can bring about, nothing
    /// is stored.
    pub(super) const fn after(&self) -> u64 {
        self.after
    }

    fn take_key(&mut self, key: &[u8]) {
        self.key.clear();
        self.key.push(STATE);
        self.key.extend_from_slice(key);
    }

    /// What earlier batches left under a key in its stored form.
    fn stored(&self, key: &[u8]) -> Result<Value, ProjectionError> {
        if let Some(recent) = self.recent.get(key) {
            return Ok(recent.clone());
        }
        if key.len() > 1 + VIEW_KEY_BYTES_MAX {
            return Ok(None);
        }
        let found = self.generation.keyspace.get(key);
        let found = found.map_err(|error| self.unreadable(error))?;
        Ok(found.map(|value| value.to_vec()))
    }

    /// The value under `key`, as it is after this batch so far.
    ///
    /// # Errors
    /// [`ProjectionError::Damaged`] where the stored view cannot be read.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ProjectionError> {
        let key = state_key(key);
        if let Some(pending) = self.pending.get(key.as_slice()) {
            return Ok(pending.value.clone());
        }
        self.stored(&key)
    }

    /// The entries packed under `key`.
    pub(super) fn value<T: DeserializeOwned>(&self, key: &[u8]) -> Projected<Option<T>> {
        self.get(key)?.map(|bytes| unpack(&bytes)).transpose()
    }

    /// The value that this batch has set under `key`.
    pub(super) fn pending(&self, key: &[u8]) -> Option<Vec<u8>> {
        let change = self.pending.get(state_key(key).as_slice())?;
        change.value.clone()
    }

    /// Sets the value under `key`. A key has at most [`VIEW_KEY_BYTES_MAX`] bytes and may be empty, a
    /// value at most [`VIEW_VALUE_BYTES_MAX`]; all keys and values that one commit changes have at most
    /// [`VIEW_COMMIT_BYTES_MAX`]. What exceeds that halts this view with
    /// [`ProjectionError::TooLarge`], before the engine sees any of it.
    pub fn put(&mut self, key: &[u8], mut value: Vec<u8>) {
        if self.foreign && value.capacity() > 2 * value.len() {
            value.shrink_to_fit(); // its bytes are counted, and no room beyond them
        }
        self.change(key, Some(value), true);
    }

    /// As [`ViewBatch::put`], for a key that no later batch reads through [`ViewBatch::get`].
    pub(super) fn put_unread(&mut self, key: &[u8], value: Vec<u8>) {
        self.change(key, Some(value), false);
    }

    /// Removes `key`.
    pub fn delete(&mut self, key: &[u8]) {
        self.change(key, None, true);
    }

    /// As [`ViewBatch::delete`], for a key that no later batch reads; where it `is_stored` not, only
    /// what this batch says of it.
    pub(super) fn delete_unread(&mut self, key: &[u8], is_stored: bool) {
        if is_stored {
            return self.change(key, None, false);
        }
        self.take_key(key);
        self.pending.remove(self.key.as_slice());
    }

    fn change(&mut self, key: &[u8], value: Value, again: bool) {
        let length = value.as_ref().map_or(0, Vec::len);
        if self.foreign {
            if key.len() > VIEW_KEY_BYTES_MAX {
                return self.exceed("key", key.len(), VIEW_KEY_BYTES_MAX);
            }
            if length > VIEW_VALUE_BYTES_MAX {
                return self.exceed("value", length, VIEW_VALUE_BYTES_MAX);
            }
            // A key that is changed twice counts twice.
            self.bytes = self.bytes.saturating_add(key.len() + length);
            if self.bytes - self.bytes_before > VIEW_COMMIT_BYTES_MAX {
                return;
            }
        }
        self.take_key(key);
        let change = Edit { value, again };
        match self.pending.get_mut(self.key.as_slice()) {
            Some(pending) => *pending = change,
            None => drop(self.pending.insert(Slice::from(&self.key), change)),
        }
    }

    /// Changes the value under `key` in place; where there is none, it is empty before. Where
    /// nothing can be stored under it yet, nothing is looked up.
    pub(super) fn edit(
        &mut self,
        key: &[u8],
        may_be_stored: bool,
        edit: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), ProjectionError> {
        self.take_key(key);
        if let Some(pending) = self.pending.get_mut(self.key.as_slice()) {
            edit(pending.value.get_or_insert_default());
            return Ok(());
        }
        let stored = if may_be_stored {
            self.stored(&self.key)?
        } else {
            None
        };
        let mut value = stored.unwrap_or_default();
        edit(&mut value);
        let change = Edit {
            value: Some(value),
            again: true,
        };
        self.pending.insert(Slice::from(&self.key), change);
        Ok(())
    }

    /// Every key that starts with `prefix` and its value, in key order, as they are after this
    /// batch so far. Holds them all in memory: for prefixes with few keys.
    ///
    /// # Errors
    /// [`ProjectionError::Damaged`] where the stored view cannot be read.
    pub fn scan(&self, prefix: &[u8]) -> Result<Vec<Pair>, ProjectionError> {
        let prefix = state_key(prefix);
        let mut merged = BTreeMap::new();
        let snapshot = self.generation.database.snapshot();
        for guard in snapshot.prefix(&self.generation.keyspace, &prefix) {
            let (key, value) = guard.into_inner().map_err(|error| self.unreadable(error))?;
            merged.insert(key.to_vec(), value.to_vec());
        }
        for (key, change) in &self.pending {
            if !key.starts_with(&prefix) {
                continue;
            }
            match &change.value {
                Some(value) => merged.insert(key.to_vec(), value.clone()),
                None => merged.remove(&**key),
            };
        }
        let stripped = merged
            .into_iter()
            .map(|(key, value)| (key.get(1..).unwrap_or_default().to_vec(), value));
        Ok(stripped.collect())
    }

    /// Moves everything, and the position that goes with it, into one database batch; gives what the
    /// next batch may know once this one is committed.
    pub(super) fn write_into(self, position: &Position, batch: &mut WriteBatch) -> RecentValues {
        let keyspace = &self.generation.keyspace;
        let mut recent = self.recent;
        // In order, neighbours follow each other, whose place in a memtable is half found already.
        let mut changes: Vec<_> = self.pending.into_iter().collect();
        changes.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        for (key, Edit { value, again }) in changes {
            match &value {
                Some(value) => batch.insert(keyspace, key.clone(), value.as_slice()),
                None => batch.remove(keyspace, key.clone()),
            }
            if again {
                recent.keep(key, value);
            }
        }
        position.write_into(keyspace, batch);
        recent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: u32 = 30_000;

    fn held(recent: &RecentValues) -> usize {
        let halves = recent.newer.iter().chain(&recent.older);
        halves
            .map(|(key, value)| bytes_of(key, value.as_ref()))
            .sum()
    }

    /// Many small ones, few large ones, the same again and again: what is kept is bounded, and of each key
    /// the last value or none.
    #[test]
    fn recent_values_are_bounded_in_bytes_and_never_old() {
        for (keys, length) in [
            (100_000_u32, 8),
            (40_000, 1_024),
            (50, 1_000),
            (9_000, 1_025),
        ] {
            let mut recent = RecentValues::default();
            for at in 0..KEPT {
                let mut value = vec![0; length];
                value[..4].copy_from_slice(&at.to_be_bytes());
                recent.keep(Slice::from((at % keys).to_be_bytes()), Some(value));
            }
            let most = 2 * (RECENT_BYTES + bytes_of(&[0; 4], Some(&vec![0; length])));
            assert!(held(&recent) <= most, "{} bytes", held(&recent));
            for key in 0..keys.min(KEPT) {
                let last = (KEPT - 1 - key) / keys * keys + key;
                let kept = recent.get(&key.to_be_bytes());
                let kept = kept.and_then(Option::as_ref).map(|value| &value[..4]);
                assert!(kept.is_none_or(|value| value == last.to_be_bytes()));
            }
            let newest = recent.get(&((KEPT - 1) % keys).to_be_bytes());
            assert_eq!(newest.is_some(), length <= RECENT_VALUE_BYTES);
        }
    }

    /// A value that grew too long to be kept is not answered with a shorter, older one, in whichever half
    /// that is.
    #[test]
    fn a_value_that_became_too_long_is_forgotten() {
        for others in [0, RECENT_BYTES / 1_000] {
            let (mut recent, key) = (RecentValues::default(), Slice::from(*b"key"));
            recent.keep(key.clone(), Some(vec![1]));
            for other in 0..others {
                recent.keep(Slice::from(other.to_be_bytes()), Some(vec![0; 1_000]));
            }
            assert_eq!(recent.older.contains_key(&key), others > 0);
            let before = recent.newer_bytes;
            recent.keep(key.clone(), Some(vec![2; RECENT_VALUE_BYTES + 1]));
            assert!(recent.get(&key).is_none());
            assert!(others > 0 || before > recent.newer_bytes);
        }
    }
}

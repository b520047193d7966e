// SPDX-License-Identifier: Apache-2.0
//! What a run of records changes in one view: read through to what is stored, written all at once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use rapidhash::fast::RandomState;
use serde::de::DeserializeOwned;

use super::error::ProjectionError;
use super::keys::unpack;
use super::segments::{Direction, OpRef, Run, SegmentError, visible};
use super::storage::Layers;

/// A key and its value.
///
/// Example: [`Source`](crate::projections::Source).
pub type Pair = (Vec<u8>, Vec<u8>);

/// Keys and values of earlier batches that are kept in memory, in each of two halves.
const RECENT_BYTES: usize = 1 << 19;
/// Longer values are not kept.
const RECENT_VALUE_BYTES: usize = 1_024;
/// What an entry takes beside its key and value, roughly.
const RECENT_ENTRY_BYTES: usize = 64;

/// Longest key of a view, in bytes. Example: `tests/callbacks/projection.rs`.
pub const VIEW_KEY_BYTES_MAX: usize = 65_534;
/// Longest value of an embedder's view, in bytes (16 MiB). Example: `tests/callbacks/projection.rs`.
pub const VIEW_VALUE_BYTES_MAX: usize = 16 << 20;
/// Most bytes of keys and values together that one commit may change in an embedder's view (64 MiB). Example: `tests/callbacks/projection.rs`.
pub const VIEW_COMMIT_BYTES_MAX: usize = 64 << 20;
/// Changes after which an embedder's batch ends with the commit at hand.
const BATCH_BYTES: usize = 8 << 20;

/// Keys are hashed once for every change: with a seed of this process, but not with SipHash.
type ByKey<V> = HashMap<Box<[u8]>, V, RandomState>;

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

    fn keep(&mut self, key: Box<[u8]>, value: Value) {
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
    /// The key has no value before this batch.
    is_new: bool,
}

/// Pending changes of one view. Reads see them; the view's readers do not, until they and the
/// position are in place together.
pub struct ViewBatch {
    stored: Arc<Layers>,
    recent: RecentValues,
    pending: ByKey<Edit>,
    /// Whether the changes are an embedder's: then they are held to the limits.
    foreign: bool,
    /// Changes of the whole batch, and of it those before the commit at hand, in bytes.
    bytes: usize,
    bytes_before: usize,
    /// The first change that exceeds a limit: nothing of this batch is written.
    exceeded: Option<ProjectionError>,
    /// What was said of the stored view, where it could not be read.
    unreadable: OnceLock<ProjectionError>,
}

impl ViewBatch {
    /// A batch of the records behind what is stored, on top of what earlier batches left in `recent`.
    pub(super) fn new(stored: Arc<Layers>, recent: RecentValues, foreign: bool) -> Self {
        Self {
            stored,
            recent,
            pending: ByKey::default(),
            foreign,
            bytes: 0,
            bytes_before: 0,
            exceeded: None,
            unreadable: OnceLock::new(),
        }
    }

    fn unreadable(&self, error: SegmentError) -> ProjectionError {
        let said = self.unreadable.get_or_init(|| error.into());
        said.clone()
    }

    /// What was said of the stored view, where it could not be read.
    pub(super) fn files_said(&self) -> Option<&ProjectionError> {
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
    pub(super) fn after(&self) -> u64 {
        self.stored.position.seq
    }

    /// What earlier batches left under a key.
    fn stored(&self, key: &[u8]) -> Result<Value, ProjectionError> {
        if let Some(recent) = self.recent.get(key) {
            return Ok(recent.clone());
        }
        if key.len() > VIEW_KEY_BYTES_MAX {
            return Ok(None);
        }
        self.stored.get(key).map_err(|error| self.unreadable(error))
    }

    /// The value under `key`, as it is after this batch so far.
    ///
    /// # Errors
    /// [`ProjectionError::Damaged`] where the stored view cannot be read.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ProjectionError> {
        if let Some(pending) = self.pending.get(key) {
            return Ok(pending.value.clone());
        }
        self.stored(key)
    }

    /// The entries packed under `key`.
    pub(super) fn value<T: DeserializeOwned>(&self, key: &[u8]) -> Projected<Option<T>> {
        self.get(key)?.map(|bytes| unpack(&bytes)).transpose()
    }

    /// The value that this batch has set under `key`.
    pub(super) fn pending(&self, key: &[u8]) -> Option<Vec<u8>> {
        let change = self.pending.get(key)?;
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
        self.change(key, Some(value), (true, false));
    }

    /// As [`ViewBatch::put`], for a key that no later batch reads through [`ViewBatch::get`].
    pub(super) fn put_unread(&mut self, key: &[u8], value: Vec<u8>) {
        self.change(key, Some(value), (false, false));
    }

    /// As [`ViewBatch::put_unread`], for a key that never had a value before, so that its removal leaves nothing.
    pub(super) fn put_new(&mut self, key: &[u8], value: Vec<u8>) {
        self.change(key, Some(value), (false, true));
    }

    /// Removes `key`.
    pub fn delete(&mut self, key: &[u8]) {
        self.change(key, None, (true, false));
    }

    /// As [`ViewBatch::delete`], for a key that no later batch reads.
    pub(super) fn delete_unread(&mut self, key: &[u8]) {
        self.change(key, None, (false, false));
    }

    fn change(&mut self, key: &[u8], value: Value, (again, is_new): (bool, bool)) {
        let length = value.as_ref().map_or(0, Vec::len);
        let change_is_removal = value.is_none();
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
        let change = |is_new| Edit {
            value,
            again,
            is_new,
        };
        match self.pending.get_mut(key) {
            // What this batch began it also ends: nothing is left of it.
            Some(pending) if pending.is_new && change_is_removal => drop(self.pending.remove(key)),
            Some(pending) => *pending = change(pending.is_new),
            None => drop(self.pending.insert(key.into(), change(is_new))),
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
        if let Some(pending) = self.pending.get_mut(key) {
            edit(pending.value.get_or_insert_default());
            return Ok(());
        }
        let stored = if may_be_stored {
            self.stored(key)?
        } else {
            None
        };
        let is_new = stored.is_none();
        let mut value = stored.unwrap_or_default();
        edit(&mut value);
        let change = Edit {
            value: Some(value),
            again: true,
            is_new,
        };
        self.pending.insert(key.into(), change);
        Ok(())
    }

    /// Every key that starts with `prefix` and its value, in key order, as they are after this
    /// batch so far. Holds them all in memory: for prefixes with few keys.
    ///
    /// # Errors
    /// [`ProjectionError::Damaged`] where the stored view cannot be read.
    pub fn scan(&self, prefix: &[u8]) -> Result<Vec<Pair>, ProjectionError> {
        let mut merged = BTreeMap::new();
        for pair in visible(&self.stored.layers, prefix, None, Direction::Ascending) {
            let (key, value) = pair.map_err(|error| self.unreadable(error))?;
            if !key.starts_with(prefix) {
                break;
            }
            merged.insert(key, value);
        }
        for (key, change) in &self.pending {
            if !key.starts_with(prefix) {
                continue;
            }
            match &change.value {
                Some(value) => merged.insert(key.to_vec(), value.clone()),
                None => merged.remove(&**key),
            };
        }
        Ok(merged.into_iter().collect())
    }

    /// Everything as a run; and what the next batch may know once this one is in place.
    pub(super) fn into_run(self) -> (Run, RecentValues) {
        let mut recent = self.recent;
        let mut changes: Vec<_> = self.pending.into_iter().collect();
        changes.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let run = Run::build(changes.iter().map(|(key, edit)| {
            let op = match &edit.value {
                Some(value) if edit.is_new => OpRef::New(value),
                Some(value) => OpRef::Put(value),
                None => OpRef::Delete,
            };
            (&**key, op)
        }));
        for (key, edit) in changes {
            if edit.again {
                recent.keep(key, edit.value);
            }
        }
        (run, recent)
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
                recent.keep(Box::from((at % keys).to_be_bytes()), Some(value));
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
            let (mut recent, key) = (RecentValues::default(), Box::<[u8]>::from(*b"key"));
            recent.keep(key.clone(), Some(vec![1]));
            for other in 0..others {
                recent.keep(Box::from(other.to_be_bytes()), Some(vec![0; 1_000]));
            }
            assert_eq!(recent.older.contains_key(&key), others > 0);
            let before = recent.newer_bytes;
            recent.keep(key.clone(), Some(vec![2; RECENT_VALUE_BYTES + 1]));
            assert!(recent.get(&key).is_none());
            assert!(others > 0 || before > recent.newer_bytes);
        }
    }
}

//! What a run of records changes in one view: read through to what is stored, written all at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use fjall::{OwnedWriteBatch as WriteBatch, Readable};

use super::views_database::{Generation, Position, state_key};
use super::{Pair, ProjectionError};

/// Pending changes of one view. Reads see them; the view's readers do not, until they and the
/// position are written in one batch.
pub struct ViewBatch {
    generation: Arc<Generation>,
    pending: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

fn damaged(error: fjall::Error) -> ProjectionError {
    ProjectionError::Damaged(error.to_string())
}

impl ViewBatch {
    pub(super) fn new(generation: Arc<Generation>) -> Self {
        Self {
            generation,
            pending: BTreeMap::new(),
        }
    }

    /// The value under `key`, as it is after this batch so far.
    ///
    /// # Errors
    /// [`ProjectionError::Damaged`] where the stored view cannot be read.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ProjectionError> {
        let key = state_key(key);
        if let Some(pending) = self.pending.get(&key) {
            return Ok(pending.clone());
        }
        let found = self.generation.keyspace.get(&key).map_err(damaged)?;
        Ok(found.map(|value| value.to_vec()))
    }

    /// Sets the value under `key`: at most 65,534 bytes of key, 4 GiB of value.
    pub fn put(&mut self, key: &[u8], value: Vec<u8>) {
        self.pending.insert(state_key(key), Some(value));
    }

    /// Removes `key`.
    pub fn delete(&mut self, key: &[u8]) {
        self.pending.insert(state_key(key), None);
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
            let (key, value) = guard.into_inner().map_err(damaged)?;
            merged.insert(key.to_vec(), value.to_vec());
        }
        for (key, value) in self.pending.range(prefix.clone()..) {
            if !key.starts_with(&prefix) {
                break;
            }
            match value {
                Some(value) => merged.insert(key.clone(), value.clone()),
                None => merged.remove(key),
            };
        }
        let stripped = merged
            .into_iter()
            .map(|(key, value)| (key.get(1..).unwrap_or_default().to_vec(), value));
        Ok(stripped.collect())
    }

    /// Moves everything, and the position that goes with it, into one database batch.
    pub(super) fn write_into(self, position: &Position, batch: &mut WriteBatch) {
        let keyspace = &self.generation.keyspace;
        for (key, value) in self.pending {
            match value {
                Some(value) => batch.insert(keyspace, key, value),
                None => batch.remove(keyspace, key),
            }
        }
        position.write_into(keyspace, batch);
    }
}

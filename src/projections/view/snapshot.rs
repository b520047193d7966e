// SPDX-License-Identifier: Apache-2.0
//! A view under one consistent snapshot.

use std::sync::Arc;

use fjall::Readable;
use serde::de::DeserializeOwned;

use crate::projections::keys::unpack;
use crate::projections::views_database::{Generation, Position, state_key};
use crate::projections::{Pair, ViewError};

/// A view as it was at one position.
///
/// Example: [`Source`](crate::projections::Source).
pub struct ViewSnapshot {
    snapshot: fjall::Snapshot,
    generation: Arc<Generation>,
    position: u64,
}

impl ViewSnapshot {
    pub(super) fn new(generation: Arc<Generation>) -> Result<Self, ViewError> {
        let snapshot = generation.database.snapshot();
        let position = Position::read(&snapshot, &generation.keyspace).map_err(ViewError::from)?;
        Ok(Self {
            snapshot,
            generation,
            position: position.seq,
        })
    }

    /// The last record that this state includes; 0 where there is none.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// The value under `key`.
    ///
    /// # Errors
    /// [`ViewError::Damaged`], [`ViewError::Unread`].
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        let found = self
            .snapshot
            .get(&self.generation.keyspace, state_key(key))
            .map_err(ViewError::from)?;
        Ok(found.map(|value| value.to_vec()))
    }

    /// The entries packed under `key`.
    pub(in crate::projections) fn value<T: DeserializeOwned>(
        &self,
        key: &[u8],
    ) -> Result<Option<T>, ViewError> {
        let bytes = self.get(key)?;
        Ok(bytes.map(|bytes| unpack(&bytes)).transpose()?)
    }

    /// Keys that start with `prefix`, from `from` on, with their values, in key order.
    pub fn scan(
        &self,
        prefix: &[u8],
        from: &[u8],
    ) -> impl Iterator<Item = Result<Pair, ViewError>> + use<> {
        let prefix = state_key(prefix);
        self.snapshot
            .range(&self.generation.keyspace, state_key(from)..)
            .map(|guard| guard.into_inner().map_err(ViewError::from))
            .take_while(move |pair| match pair {
                Ok((key, _)) => key.starts_with(&prefix),
                Err(_) => true,
            })
            .map(|found| pair(found?))
    }

    /// Keys from `from` on and before `until`, with their values, in key order or from the end.
    pub fn range(
        &self,
        from: &[u8],
        until: &[u8],
    ) -> impl DoubleEndedIterator<Item = Result<Pair, ViewError>> + use<> {
        let (from, until) = (state_key(from), state_key(until).max(state_key(from)));
        let pairs = self.snapshot.range(&self.generation.keyspace, from..until);
        pairs.map(|guard| pair(guard.into_inner().map_err(ViewError::from)?))
    }
}

/// Without what says that it is state.
fn pair((key, value): (fjall::Slice, fjall::Slice)) -> Result<Pair, ViewError> {
    Ok((key.get(1..).unwrap_or_default().to_vec(), value.to_vec()))
}

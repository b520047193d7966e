// SPDX-License-Identifier: Apache-2.0
//! A view under one consistent snapshot.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::projections::batch::Pair;
use crate::projections::error::ViewError;
use crate::projections::keys::unpack;
use crate::projections::segments::{Direction, visible};
use crate::projections::storage::{Generation, Layers};

/// A view as it was at one position.
///
/// Example: [`Source`](crate::projections::Source).
pub struct ViewSnapshot(Arc<Layers>);

impl ViewSnapshot {
    pub(super) fn of(generation: &Generation) -> Self {
        Self(generation.layers())
    }

    /// The last record that this state includes; 0 where there is none.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.0.position.seq
    }

    /// The value under `key`.
    ///
    /// # Errors
    /// [`ViewError::Damaged`], [`ViewError::Unread`].
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        Ok(self.0.get(key)?)
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
        let prefix = prefix.to_vec();
        self.pairs(from, None, Direction::Ascending)
            .take_while(move |pair| match pair {
                Ok((key, _)) => key.starts_with(&prefix),
                Err(_) => true,
            })
    }

    /// Keys from `from` on and before `until`, with their values, in key order.
    pub fn range(
        &self,
        from: &[u8],
        until: &[u8],
    ) -> impl Iterator<Item = Result<Pair, ViewError>> + use<> {
        self.pairs(from, Some(until), Direction::Ascending)
    }

    /// The same from the end.
    pub fn range_back(
        &self,
        from: &[u8],
        until: &[u8],
    ) -> impl Iterator<Item = Result<Pair, ViewError>> + use<> {
        self.pairs(from, Some(until), Direction::Descending)
    }

    fn pairs(
        &self,
        from: &[u8],
        until: Option<&[u8]>,
        direction: Direction,
    ) -> impl Iterator<Item = Result<Pair, ViewError>> + use<> {
        let pairs = visible(&self.0.layers, from, until, direction);
        pairs.map(|pair| pair.map_err(ViewError::from))
    }
}

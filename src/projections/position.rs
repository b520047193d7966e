// SPDX-License-Identifier: Apache-2.0
//! What a view tells, with the position that it is of.

use crate::events::Hash;

/// How far a view has read.
///
/// Example: [`projections`](crate::projections).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct ViewPosition {
    /// The view.
    pub name: &'static str,
    /// The last record that it holds; 0: none.
    pub position: u64,
}

/// The state of a view at a position.
///
/// Example: [`projections`](crate::projections).
#[derive(Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct ViewDigest {
    /// The view.
    pub name: &'static str,
    /// The last record that it holds; 0: none.
    pub position: u64,
    /// A hash over every key and value there.
    #[serde(serialize_with = "crate::events::readable::hex::serialize")]
    pub digest: Hash,
}

crate::events::readable::debug_as_read!(ViewDigest);

/// What was found in a view, and the position up to which that is all there is.
///
/// Example: [`Source`](crate::projections::Source).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct AtPosition<T> {
    /// The last record that the view held.
    pub position: u64,
    /// What was found.
    pub found: T,
}

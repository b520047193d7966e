// SPDX-License-Identifier: Apache-2.0
//! From which end records are given.

/// From which end records are given.
///
/// Example: [`Reads::query`](crate::Reads::query).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RecordOrder {
    /// The oldest first.
    #[default]
    Oldest,
    /// The newest first.
    Newest,
}

// SPDX-License-Identifier: Apache-2.0
//! Whom a record names by an identity of others: who is acted for, who was asked, who approved.

use serde::{Deserialize, Serialize};

/// An identity, by whoever vouches for it and its id there.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Party {
    /// Who vouches for the id, such as the address of an identity provider.
    pub issuer: String,
    /// The id there.
    pub id: String,
}

impl Party {
    /// Who vouches for the id, and the id.
    #[must_use]
    pub fn new(issuer: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            id: id.into(),
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
//! The checkpoints of other logs that this ledger cosigned last.

use std::collections::HashMap;

use crate::integrity::merkle::TreeHead;

/// Of each log, by its origin.
/// Lock: one who asks for a cosignature, from the check until its record is durable; others wait their turn.
pub(in crate::ledger) type CosignedByOrigin = tokio::sync::Mutex<HashMap<String, TreeHead>>;

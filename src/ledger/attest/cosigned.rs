// SPDX-License-Identifier: Apache-2.0
//! The checkpoints of other logs that this ledger cosigned last.

use std::collections::HashMap;

use crate::integrity::merkle::TreeHead;

/// Of each log, by its origin. Locked while one is cosigned and recorded.
pub(in crate::ledger) type CosignedByOrigin = tokio::sync::Mutex<HashMap<String, TreeHead>>;

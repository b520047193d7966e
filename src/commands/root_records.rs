// SPDX-License-Identifier: Apache-2.0
//! What the root authority has the ledger record, field by field, as a command's.

use super::given::given;
use crate::events::{
    CheckpointWitnessedV1, ComponentGrantedV3, ComponentRevokedV1, SigningKeyChangedV1,
};

/// Why, where the record itself is made elsewhere.
pub(crate) struct Reason {
    pub(crate) reason: String,
}

given!(Reason { text reason });

given!(ComponentGrantedV3 {
    kept component,
    kept name,
    kept append,
    kept read,
    kept read_payloads,
    kept finish_others,
    kept resolve_others,
    kept sign_checkpoints,
    kept approve,
    kept records_per_second,
    kept bytes_per_second,
});

given!(ComponentRevokedV1 { kept component, text reason });

// A signed note: what was changed in it would be signed by nobody.
given!(CheckpointWitnessedV1 {
    kept origin,
    kept size,
    kept root,
    kept note,
});

given!(SigningKeyChangedV1 {
    kept old,
    kept new,
    text author,
    text reason,
});

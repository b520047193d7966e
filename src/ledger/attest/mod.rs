// SPDX-License-Identifier: Apache-2.0
//! What is shown to others: checkpoints and their copies, proofs, evidence, exports, witnessing.

pub(super) mod checkpoints;
pub(super) mod cosigned;
pub(super) mod destination;
pub(super) mod evidence;
pub(super) mod export;
pub(super) mod proofs;
pub(super) mod witness;
pub(super) mod witness_destination;

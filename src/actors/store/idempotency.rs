// SPDX-License-Identifier: Apache-2.0
//! What the ids of a group stand for already: in the window, else in the past.

use smallvec::SmallVec;

use super::super::claims::{Claims, CommandClaim, Place};
use super::super::new_commit::Sequenced;
use super::{Id, Past};
use crate::error::AppendError;
use crate::events::{CommandId, ComponentId};

/// What the ids of a group stand for.
pub(super) enum Claimed {
    New(SmallVec<[Place; 1]>),
    /// All of them were committed before.
    Before(Vec<CommandClaim>),
}

/// Claims the ids of a group, or says what they stand for already.
pub(super) fn claim(
    claims: &Claims,
    past: &dyn Past,
    component: ComponentId,
    ids: &[Id],
) -> Result<Claimed, AppendError> {
    let mut places: SmallVec<[_; 1]> = SmallVec::new();
    let mut taken: Vec<(Id, CommandClaim)> = Vec::new();
    let mut failure = None;
    for id in ids {
        let key = (component, id.command);
        match claims.claim(key, id.digest) {
            Err(claim) => taken.push((*id, claim)),
            Ok(place) if id.generated => places.push((key, place)),
            Ok(place) => match past.command(key) {
                Ok(None) => places.push((key, place)),
                Ok(Some(claim)) => {
                    claims.release(&key);
                    taken.push((*id, claim));
                }
                Err(error) => {
                    claims.release(&key);
                    failure = Some(error.into());
                    break;
                }
            },
        }
    }
    if taken.is_empty() && failure.is_none() {
        return Ok(Claimed::New(
            places.into_iter().map(|(_, place)| place).collect(),
        ));
    }
    for (key, _) in &places {
        claims.release(key);
    }
    if let Some(failure) = failure {
        return Err(failure);
    }
    if let Some((id, _)) = taken.iter().find(|(id, claim)| claim.digest != id.digest) {
        return Err(AppendError::IdempotencyConflict {
            command: id.command,
        });
    }
    match taken.first() {
        Some((id, _)) if taken.len() < ids.len() => Err(AppendError::PartialIdempotency {
            command: id.command,
        }),
        _ => Ok(Claimed::Before(
            taken.into_iter().map(|(_, claim)| claim).collect(),
        )),
    }
}

/// A refused command leaves no id.
pub(super) fn release(claims: &Claims, component: ComponentId, ids: &[Id]) {
    for id in ids {
        claims.release(&(component, id.command));
    }
}

/// Where the originals stand, if one commit or adjacent ones in the same order made them: a receipt over more would span
/// the records of others.
pub(super) fn together(
    ids: &[Id],
    claims: &[CommandClaim],
) -> Result<SmallVec<[Sequenced; 1]>, AppendError> {
    let mut placed: SmallVec<[Sequenced; 1]> = SmallVec::new();
    for (id, claim) in ids.iter().zip(claims) {
        let command: CommandId = id.command;
        // Set where the original was acknowledged, and only there.
        let sequenced = claim.place.sequenced.get().copied();
        let sequenced = sequenced.ok_or(AppendError::OutcomeUnknown { command })?;
        if placed
            .last()
            .is_some_and(|before| before.last.plus(1) != sequenced.first)
        {
            return Err(AppendError::GroupConflict { command });
        }
        placed.push(sequenced);
    }
    Ok(placed)
}

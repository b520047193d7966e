// SPDX-License-Identifier: Apache-2.0
//! What the ids of a group stand for already: in the window, else in the past.

use super::super::claims::{Claims, CommandClaim, Place};
use super::{Id, Past};
use crate::error::AppendError;
use crate::events::ComponentId;

/// What the ids of a group stand for.
pub(super) enum Claimed {
    New(Vec<Place>),
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
    let mut places = Vec::with_capacity(ids.len());
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

// SPDX-License-Identifier: Apache-2.0
//! An execution told from its records alone: what came in, what was decided and on what grounds,
//! what was started, how it ended. (FC-STORAGE §24–25)

use crate::error::ReadError;
use crate::events::{Event, ExecutionId, Hash, Outcome, Record, Seq, State};
use crate::integrity::FieldDigest;

/// One step of an execution.
///
/// Example: [`reading`](crate::reading).
#[derive(Clone, PartialEq, Eq, serde::Serialize)]
pub struct TraceStep {
    /// Its record.
    pub seq: Seq,
    /// When, in nanoseconds since 1970.
    #[serde(
        rename = "time",
        serialize_with = "crate::events::readable::time::serialize"
    )]
    pub time_ns: i64,
    /// How it came out.
    pub outcome: Outcome,
    /// What happened, with everything that was recorded of it: input and validation, arguments,
    /// decision with the policy, configuration and registry versions in force, result;
    /// [`Event::Withheld`] where the reader may not read its payload.
    pub event: Event,
}

crate::events::readable::debug_as_read!(TraceStep);

/// The ordered trace of one execution.
///
/// Example: [`reading`](crate::reading).
#[derive(Clone, PartialEq, Eq, serde::Serialize)]
pub struct Reconstruction {
    /// Which one.
    pub execution: ExecutionId,
    /// Its steps in global order.
    pub steps: Vec<TraceStep>,
    /// The states that it walked through.
    pub path: Vec<State>,
    /// Digest of what happened, leaving ids and times out: two runs that received, decided and
    /// returned the same have the same. `None` where a payload is withheld from the reader.
    #[serde(serialize_with = "crate::events::readable::hex::maybe")]
    pub determinism_digest: Option<Hash>,
}

crate::events::readable::debug_as_read!(Reconstruction);

/// Puts an execution's records together; `None` where there are none.
pub(in crate::ledger) fn reconstruct(
    execution: ExecutionId,
    records: &[Record],
) -> Result<Option<Reconstruction>, ReadError> {
    if records.is_empty() {
        return Ok(None);
    }
    let mut digest = FieldDigest::new("femtoclaw-ledger determinism");
    let mut steps = Vec::with_capacity(records.len());
    let mut path: Vec<State> = Vec::new();
    let mut withheld = false;
    for record in records {
        let event = record.event().map_err(|problem| ReadError::Undecodable {
            seq: record.header.seq,
            problem,
        })?;
        if let Event::TransitionsRecorded(transitions) = &event {
            let states = transitions
                .path
                .iter()
                .filter_map(|code| State::from_code(*code));
            for state in states {
                // Each commit's path begins where the last one ended.
                if path.last() != Some(&state) {
                    path.push(state);
                }
            }
        }
        // Wire structs of executions hold no id and no time: those are in the header.
        digest.add(&record.header.event_type.0.to_le_bytes());
        digest.add(&[record.header.outcome.code()]);
        digest.add(&record.header.flags.to_le_bytes());
        match record.payload() {
            Some(payload) => digest.add(payload),
            None => withheld = true,
        }
        steps.push(TraceStep {
            seq: record.header.seq,
            time_ns: record.header.time_ns,
            outcome: record.header.outcome,
            event,
        });
    }
    Ok(Some(Reconstruction {
        execution,
        steps,
        path,
        determinism_digest: (!withheld).then(|| digest.finish()),
    }))
}

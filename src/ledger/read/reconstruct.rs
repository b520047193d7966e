// SPDX-License-Identifier: Apache-2.0
//! An execution told from its records alone: what came in, what was decided and on what grounds,
//! what was started, how it ended. (FC-STORAGE §24–25)

use std::borrow::Cow;

use crate::error::ReadError;
use crate::events::{ApprovalRequestedV1, Event, ExecutionId, Hash, Outcome, Record, Seq, State};
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
    /// Digest of what happened, leaving ids and times out, also until when persons could approve it: two runs that
    /// received, decided and returned the same have the same. `None` where a payload is withheld from the reader.
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
        // Wire structs of executions hold no id and no time: those are in the header. One does, see `told`.
        digest.add(&record.header.event_type.0.to_le_bytes());
        digest.add(&[record.header.outcome.code()]);
        digest.add(&record.header.flags.to_le_bytes());
        match record.payload() {
            Some(payload) => digest.add(&told(&event, payload)),
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

/// What a payload tells, but for the one time that is in one: until when persons may approve is another in each run.
fn told<'a>(event: &Event, payload: &'a [u8]) -> Cow<'a, [u8]> {
    let Event::ApprovalRequested(request) = event else {
        return Cow::Borrowed(payload);
    };
    let timeless = ApprovalRequestedV1 {
        until_ns: 0,
        ..request.clone()
    };
    let mut bytes = Vec::with_capacity(payload.len());
    Event::from(timeless).encode_into(&mut bytes);
    Cow::Owned(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{
        CODEC_BINCODE, CommandId, ComponentId, Content, ParentId, RecordHeader, StreamId,
        SubjectId, TraceId,
    };

    fn asked(until_ns: i64, rule: &str) -> Event {
        Event::from(ApprovalRequestedV1 {
            capability: "pay".into(),
            arguments: b"1".to_vec(),
            arguments_digest: [1; 32],
            reason: String::new(),
            policy_version: "1".into(),
            policy_digest: [0; 32],
            configuration_version: 0,
            registry_version: 0,
            on_behalf_of: Vec::new(),
            asked: Vec::new(),
            asked_roles: vec!["treasurer".into()],
            rule: rule.into(),
            approvers_needed: 1,
            until_ns,
            shown: b"Pay 1".to_vec(),
            shown_digest: [2; 32],
        })
    }

    fn record_of(execution: ExecutionId, event: &Event) -> Record {
        let mut payload = Vec::new();
        event.encode_into(&mut payload);
        let event_type = event.event_type().unwrap();
        let header = RecordHeader {
            event_type,
            revision: event.revision(),
            flags: 0,
            codec: CODEC_BINCODE,
            algorithm: 1,
            outcome: Outcome::Neutral,
            stores: event_type.stores(),
            seq: Seq::FIRST,
            time_ns: 5,
            stream: StreamId::from_bytes(*execution.as_bytes()),
            stream_version: 1,
            execution,
            parent: ParentId::NIL,
            trace: TraceId::NIL,
            command: CommandId::NIL,
            command_digest: [0; 32],
            commit_index: 0,
            commit_len: 1,
            component: ComponentId(1),
            payload_len: payload.len().try_into().unwrap(),
            payload_commitment: [0; 32],
            subject: SubjectId::NIL,
            observed_difference_ns: 0,
            data_key: 0,
        };
        let content = Some(Content {
            salt: [0; 16],
            payload,
        });
        Record {
            hash: [0; 32],
            header,
            content,
        }
    }

    /// The time until when persons may approve is no part of what happened, and all else that they are asked is.
    #[test]
    fn two_runs_that_asked_the_same_at_other_times_are_the_same() {
        let execution = ExecutionId::from_bytes([7; 16]);
        let digest = |event: &Event| {
            let records = [record_of(execution, event)];
            let found = reconstruct(execution, &records).unwrap().unwrap();
            assert_eq!(found.steps.first().map(|step| &step.event), Some(event));
            found.determinism_digest.unwrap()
        };
        let first = digest(&asked(5_000, "above 1"));
        assert_eq!(digest(&asked(-9, "above 1")), first);
        assert_ne!(digest(&asked(5_000, "above 2")), first);
    }
}

// SPDX-License-Identifier: Apache-2.0
//! The audit log's own commands. Decisions, validations, executions and transitions need no
//! command: their records belong to the audit log by their mask.

use super::draft::{Decided, Draft, Reply};
use super::event_sourced::{EventPlace, EventSourced, ReplayError, Surroundings, cross_store};
use crate::commands::Command;
use crate::error::AppendError;
use crate::events::{AuditRecordedV1, Event, Store};

/// An entry stands for itself: there is nothing to remember between two.
#[derive(Debug, Default)]
pub(crate) struct AuditLogState;

impl EventSourced for AuditLogState {
    type Saved = ();

    fn decide(&self, command: &Command, _: &Surroundings<'_>) -> Result<Decided, AppendError> {
        let Command::Audit(entry) = command else {
            return Err(cross_store(Store::AuditLog, command));
        };
        let event = AuditRecordedV1 {
            family: entry.family.code(),
            action: entry.action.clone(),
            subject: entry.subject.clone(),
            detail: entry.detail.clone(),
        };
        let draft = Draft::new(event)
            .context(&entry.context)
            .execution(entry.execution.unwrap_or_default())
            .outcome(entry.outcome);
        Ok(Decided {
            drafts: vec![draft],
            reply: Reply::Receipt,
        })
    }

    fn on(&mut self, _: &EventPlace, _: &Event) -> Result<(), ReplayError> {
        Ok(())
    }

    fn save(&self, _: &[Command]) {}

    fn undo(&mut self, (): (), _: &[Decided]) {}
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Spoil, World};
    use super::*;
    use crate::commands::{AuditEntry, Context};
    use crate::events::{AuditFamily, ExecutionId, Outcome, StoreMask, StreamId, TraceId};

    fn entry(family: AuditFamily) -> AuditEntry {
        AuditEntry {
            context: Context::new().trace(TraceId::from_bytes([5; 16])),
            family,
            action: "policy.loaded".into(),
            subject: "default".into(),
            outcome: Outcome::Success,
            execution: Some(ExecutionId::from_bytes([1; 16])),
            detail: b"{\"b\":1, \"a\":2}".to_vec(),
        }
    }

    #[test]
    fn every_family_is_recorded_as_told() {
        let world = World::default();
        for family in AuditFamily::ALL {
            let decided = AuditLogState
                .decide(&Command::Audit(entry(family)), &world.around())
                .unwrap();
            let [draft] = &decided.drafts[..] else {
                panic!("one record")
            };
            let Event::AuditRecorded(event) = &draft.event else {
                panic!("{draft:?}")
            };
            assert_eq!(event.family, family.code());
            assert_eq!(event.detail, b"{\"b\":1, \"a\":2}");
            assert_eq!(draft.outcome, Outcome::Success);
            assert_eq!(draft.execution, ExecutionId::from_bytes([1; 16]));
            assert_eq!(draft.trace, TraceId::from_bytes([5; 16]));
            assert_eq!((draft.stream, draft.stream_version), (StreamId::NIL, 0));
            assert_eq!(draft.stores(), StoreMask::NONE.with(Store::AuditLog));
        }
    }

    #[test]
    fn bad_entries_are_refused() {
        let world = World::default();
        let cases: [(Spoil<AuditEntry>, &str); 6] = [
            (|it| it.action = String::new(), "invalid"),
            (|it| it.action = "a\0".into(), "invalid"),
            (|it| it.subject = "a\nb".into(), "invalid"),
            (|it| it.execution = Some(ExecutionId::NIL), "invalid"),
            (|it| it.detail = b"{".to_vec(), "invalid_json"),
            (|it| it.detail = vec![b' '; 2 << 20], "too_large"),
        ];
        for (spoil, code) in cases {
            let mut bad = entry(AuditFamily::OperatorAction);
            spoil(&mut bad);
            let error = Command::Audit(bad).validate(&world.limits).unwrap_err();
            assert_eq!(error.code(), code, "{error}");
        }
    }
}

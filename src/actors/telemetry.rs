// SPDX-License-Identifier: Apache-2.0
//! The telemetry store's commands. Observations that are lost on the way here are counted and
//! recorded by the ledger itself.

use super::draft::{Decided, Draft, Reply};
use super::event_sourced::{EventPlace, EventSourced, ReplayError, Surroundings, cross_store};
use crate::commands::{Command, Observation};
use crate::error::AppendError;
use crate::events::{Event, Store, TelemetryRecordedV1};

/// Observations stand for themselves: there is nothing to remember.
#[derive(Debug, Default)]
pub(crate) struct TelemetryState;

fn draft(observation: &Observation, now_ns: i64) -> Draft {
    Draft::new(TelemetryRecordedV1 {
        kind: observation.kind.code(),
        name: observation.name.clone(),
        observed_ns: observation.observed_ns.unwrap_or(now_ns),
        attributes: observation.attributes.clone(),
    })
    .context(&observation.context)
    .execution(observation.execution.unwrap_or_default())
    .outcome(observation.outcome)
}

impl EventSourced for TelemetryState {
    type Saved = ();

    fn decide(&self, command: &Command, around: &Surroundings<'_>) -> Result<Decided, AppendError> {
        let Command::Observe(observation) = command else {
            return Err(cross_store(Store::Telemetry, command));
        };
        Ok(Decided {
            drafts: vec![draft(observation, around.now_ns)],
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
    use crate::commands::Context;
    use crate::events::{Outcome, TelemetryKind};

    fn observation(kind: TelemetryKind) -> Observation {
        Observation {
            context: Context::new(),
            kind,
            name: "tool.latency".into(),
            observed_ns: None,
            execution: None,
            outcome: Outcome::Failure,
            attributes: b"{\"ms\": 1.50}".to_vec(),
        }
    }

    #[test]
    fn an_observation_keeps_its_own_time_and_defaults_to_now() {
        let world = World::default();
        for kind in TelemetryKind::ALL {
            for given in [None, Some(-7)] {
                let mut it = observation(kind);
                it.observed_ns = given;
                let decided = TelemetryState
                    .decide(&Command::Observe(it), &world.around())
                    .unwrap();
                let Event::TelemetryRecorded(event) = &decided.drafts[0].event else {
                    panic!("{decided:?}")
                };
                assert_eq!(event.observed_ns, given.unwrap_or(world.now_ns));
                assert_eq!(event.kind, kind.code());
                assert_eq!(event.attributes, b"{\"ms\": 1.50}");
                assert_eq!(decided.drafts[0].outcome, Outcome::Failure);
            }
        }
    }

    #[test]
    fn bad_observations_are_refused() {
        let world = World::default();
        let cases: [(Spoil<Observation>, &str); 3] = [
            (|it| it.name = "n".repeat(100_000), "invalid"),
            (|it| it.attributes = b"{]".to_vec(), "invalid_json"),
            (|it| it.attributes = vec![b'1'; 2 << 20], "too_large"),
        ];
        for (spoil, code) in cases {
            let mut bad = observation(TelemetryKind::Other);
            spoil(&mut bad);
            let error = Command::Observe(bad).validate(&world.limits).unwrap_err();
            assert_eq!(error.code(), code, "{error}");
        }
    }
}

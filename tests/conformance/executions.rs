// SPDX-License-Identifier: Apache-2.0
//! The execution log and its state machine: §5, §24, X1, X2.

use std::sync::Arc;

use femtoclaw_ledger::events::{Decision, Event, ExecutionId, State};
use femtoclaw_ledger::journal::MemoryJournal;
use femtoclaw_ledger::{AppendError, Context, Failure, Request};

use crate::support::*;
use crate::tamper::exported;

async fn in_memory() -> Open {
    open_on(Arc::new(MemoryJournal::new()), fixed(&clock())).await
}

/// What is done to a request, and the code of the refusal.
type Spoiled = (fn(&mut Request), &'static str);

#[tokio::test]
async fn s5_1_a_record_holds_every_field_and_a_malformed_one_is_refused() {
    let open = in_memory().await;
    let mut request = open.request("message");
    request.execution = Some(execution(11));
    let begun = open.log().begin(request).await.unwrap();
    let done = open.complete(begun.execution(), RESULT);
    done.await.unwrap();
    let trace = open.reads().reconstruct(execution(11)).await;
    let trace = trace.unwrap().unwrap();
    let mut seen = 0;
    for step in &trace.steps {
        assert_eq!(step.time_ns, START_NS);
        match &step.event {
            Event::AuthorizationDecided(it) => {
                assert_eq!((&*it.capability, &*it.arguments), ("message", ARGUMENTS));
                seen += 1;
            }
            Event::ExecutionCompleted(it) => {
                assert_eq!(it.result, RESULT);
                assert_eq!(step.outcome.name(), "success");
                seen += 1;
            }
            _ => {}
        }
    }
    assert_eq!(seen, 2);
    let entry = open.log().get(execution(11)).await.unwrap().unwrap();
    assert_eq!(entry.status.name(), "completed");
    let before = open.ledger.head();
    let bad: [Spoiled; 6] = [
        (|it| it.capability.clear(), "invalid"),
        (|it| it.capability = "a\nb".to_owned(), "invalid"),
        (|it| it.execution = Some(ExecutionId::NIL), "invalid"),
        (|it| it.arguments.clear(), "invalid_json"),
        (|it| it.arguments = b"{\"a\":}".to_vec(), "invalid_json"),
        (|it| it.input = Some(Vec::new()), "invalid"),
    ];
    for (index, (spoil, code)) in bad.into_iter().enumerate() {
        let mut request = open.request("message");
        spoil(&mut request);
        let error = open.log().begin(request).await.unwrap_err();
        assert_eq!(error.code(), code, "case {index}: {error}");
    }
    let begun = open.begin().await;
    let no_result = open.complete(begun.execution(), b"");
    assert_eq!(no_result.await.unwrap_err().code(), "invalid_json");
    let written = open.ledger.head().count() - before.count();
    assert_eq!(written, begun.receipt().last.get() - before.count());
}

#[tokio::test]
async fn s24_1_an_execution_is_reconstructed_whole_also_elsewhere() {
    let (_root, path) = place();
    let open = open(&path).await;
    open.register("read_file").await;
    open.switch("read_file", true).await;
    open.change("limits", "max = 1\n").await;
    let begun = open.log().begin(open.request("read_file")).await.unwrap();
    open.execute().await;
    let failure = Failure {
        code: "not_found".to_owned(),
        message: "no such file".to_owned(),
        result: Vec::new(),
    };
    let failed = open
        .log()
        .fail(begun.execution(), Context::new(), failure)
        .await;
    failed.unwrap();
    let trace = open.reads().reconstruct(begun.execution()).await;
    let trace = trace.unwrap().unwrap();
    let names: Vec<_> = trace
        .steps
        .iter()
        .map(|step| step.event.event_type().unwrap().name())
        .collect();
    let expected = [
        "ProtocolValidated",
        "AuthorizationDecided",
        "ExecutionStarted",
        "TransitionsRecorded",
        "ExecutionFailed",
        "TransitionsRecorded",
    ];
    assert_eq!(names, expected);
    assert!(trace.steps.is_sorted_by_key(|step| step.seq));
    let Event::ProtocolValidated(input) = &trace.steps[0].event else {
        panic!("{trace:?}")
    };
    assert_eq!((&*input.input, input.accepted), (INPUT, true));
    let Event::AuthorizationDecided(decided) = &trace.steps[1].event else {
        panic!("{trace:?}")
    };
    assert_eq!(decided.policy_version, "policy 3");
    assert_eq!(
        (decided.policy_digest, &*decided.reason),
        ([3; 32], "allowed by rule 7")
    );
    assert_eq!(
        (decided.configuration_version, decided.registry_version),
        (1, 2)
    );
    assert_eq!(trace.path.last(), Some(&State::Error));
    let unknown = open.reads().reconstruct(execution(404)).await.unwrap();
    assert!(unknown.is_none());
    open.close().await;
    // Elsewhere, from the frames alone.
    let elsewhere = open_on(exported(&path), later(&clock())).await;
    let again = elsewhere.reads().reconstruct(begun.execution()).await;
    assert_eq!(again.unwrap().unwrap(), trace);
}

/// Moves the runtime's machine there from INITIALIZING.
async fn walk(open: &Open, path: &[State]) {
    let metadata = open.ledger.runtime_metadata(&open.grant).unwrap();
    for state in path {
        let moved = metadata.transition(*state, None, Context::new()).await;
        moved.unwrap();
    }
}

const fn permitted(from: State) -> &'static [State] {
    use State as S;
    match from {
        S::Initializing => &[S::Idle, S::Error],
        S::Idle => &[S::InputReceived, S::Shutdown],
        S::InputReceived => &[S::ProtocolValidating, S::Error],
        S::ProtocolValidating => &[S::AuthorizationEvaluating, S::Error],
        S::AuthorizationEvaluating => &[S::CapabilityExecuting, S::Error],
        S::CapabilityExecuting => &[S::MemoryCommitting, S::Error],
        S::MemoryCommitting => &[S::Completed, S::Error],
        S::Completed => &[S::Idle],
        S::Error => &[S::Idle, S::Shutdown],
        S::Shutdown => &[S::Terminated],
        S::Terminated => &[],
    }
}

async fn path_of(open: &Open, execution: ExecutionId) -> Vec<State> {
    let trace = open.reads().reconstruct(execution).await.unwrap();
    trace.unwrap().path
}

#[tokio::test]
async fn x1_only_permitted_transitions_happen_and_others_are_audited() {
    for from in State::ALL {
        for to in State::ALL {
            let expected = permitted(from).contains(&to);
            assert_eq!(from.permits(to), expected, "{from:?} → {to:?}");
        }
    }
    // The runtime's machine, every step from every state that it can stand in.
    let starts: [(State, &[State]); 5] = [
        (State::Initializing, &[]),
        (State::Idle, &[State::Idle]),
        (State::Error, &[State::Error]),
        (State::Shutdown, &[State::Idle, State::Shutdown]),
        (
            State::Terminated,
            &[State::Idle, State::Shutdown, State::Terminated],
        ),
    ];
    for (from, path) in starts {
        for to in State::ALL {
            let open = in_memory().await;
            walk(&open, path).await;
            let metadata = open.ledger.runtime_metadata(&open.grant).unwrap();
            let outcome = metadata.transition(to, Some(from), Context::new()).await;
            let expected = permitted(from).contains(&to) && to.is_runtime();
            assert_eq!(outcome.is_ok(), expected, "{from:?} → {to:?}");
            if let Err(error) = outcome {
                let is_it = matches!(error, AppendError::InvalidTransition { .. });
                assert!(is_it, "{error}");
                assert!(audited(&open, "invalid_transition").await);
            }
        }
    }
    executions_walk_their_path().await;
}

pub(crate) async fn audited(open: &Open, reason: &str) -> bool {
    let events = open.events().await;
    events
        .iter()
        .any(|event| matches!(event, Event::RefusalsRecorded(it) if it.reason == reason))
}

/// A success, a denial, a plain message and a rejected input.
async fn executions_walk_their_path() {
    use State as S;
    let open = in_memory().await;
    let begun = open.execute().await;
    let whole = [
        S::InputReceived,
        S::ProtocolValidating,
        S::AuthorizationEvaluating,
        S::CapabilityExecuting,
        S::MemoryCommitting,
        S::Completed,
    ];
    assert_eq!(path_of(&open, begun).await, whole);
    let mut denied = open.request("nothing");
    denied.decision = Decision::DeniedCapabilityNotFound;
    let denied = open.log().begin(denied).await.unwrap();
    let path = path_of(&open, denied.execution()).await;
    assert_eq!(path, [whole[0], whole[1], whole[2], S::Error]);
    let running = open.begin().await.started().unwrap().detach();
    let cancelled = open
        .log()
        .cancel(running, Context::new(), "no longer wanted".to_owned())
        .await;
    cancelled.unwrap();
    let path = path_of(&open, running).await;
    assert_eq!(path, [whole[0], whole[1], whole[2], whole[3], S::Error]);
    let again = open.complete(running, b"1");
    assert_eq!(again.await.unwrap_err().code(), "invalid_transition");
    assert!(audited(&open, "invalid_transition").await);
}

#[tokio::test]
async fn x2_five_decisions_are_recorded_and_a_capability_is_disabled_until_enabled() {
    let open = in_memory().await;
    let names = [
        "AUTHORIZED",
        "DENIED_CAPABILITY_NOT_FOUND",
        "DENIED_CAPABILITY_DISABLED",
        "DENIED_POLICY_VIOLATION",
        "DENIED_ARGUMENT_INVALID",
    ];
    assert_eq!(Decision::ALL.map(Decision::name), names);
    for decision in Decision::ALL {
        let mut request = open.request("message");
        request.decision = decision;
        let begun = open.log().begin(request).await.unwrap();
        let is_authorized = decision == Decision::Authorized;
        assert_eq!(
            (begun.decision(), begun.is_started()),
            (decision, is_authorized)
        );
        let trace = open.reads().reconstruct(begun.execution()).await;
        let recorded = trace.unwrap().unwrap().steps.into_iter().find_map(|step| {
            let Event::AuthorizationDecided(it) = step.event else {
                return None;
            };
            Decision::from_code(it.decision)
        });
        assert_eq!(recorded, Some(decision));
        if !is_authorized {
            let ended = open.complete(begun.execution(), b"1");
            assert_eq!(ended.await.unwrap_err().code(), "invalid_transition");
        }
    }
    // Unknown, registered, enabled, disabled.
    let refused = async || {
        let outcome = open.log().begin(open.request("read_file")).await;
        outcome
            .map(|begun| begun.is_started())
            .map_err(|error| error.code())
    };
    let not_enabled = Err("capability_not_enabled");
    assert_eq!(refused().await, not_enabled);
    open.register("read_file").await;
    assert_eq!(refused().await, not_enabled);
    open.switch("read_file", true).await;
    assert_eq!(refused().await, Ok(true));
    open.switch("read_file", false).await;
    assert_eq!(refused().await, not_enabled);
    assert!(audited(&open, "capability_not_enabled").await);
}

// SPDX-License-Identifier: Apache-2.0
//! What persons said of an execution, in its evidence: what fits, each thing that does not, and how a page tells it.

mod answers;
mod page;
mod scene;

use crate::events::{
    ApprovalExpiredV1, ApprovalGivenV1, ApprovalRefusedV1, ApprovalRequestedV1,
    AuthorizationDecidedV2, Event, ExecutionAbandonedV1, Outcome, Seq,
};
use crate::integrity::digest;
use crate::integrity::evidence::{
    ApprovalProblem as P, Bundle, BundleProblem, Closing, MakeError, Stream, StreamError,
};
use crate::integrity::key::Signer;
use crate::integrity::policy::Policy;
use scene::*;

/// What evidence is refused for after a change of its records.
fn problem(steps: &[Step]) -> (Option<Seq>, BundleProblem) {
    match evidence(steps) {
        Err(MakeError::Unsound(refused)) => (refused.part.record(), refused.problem),
        Err(MakeError::Stream(error)) => (None, BundleProblem::Stream(error)),
        other => panic!("{:?}", other.map(|_| ())),
    }
}

#[test]
fn what_persons_said_makes_a_stream_with_its_end() {
    let all = [
        (waiting(), None),
        (approved(), None),
        (confirmed(), None),
        (paid(), Some(Closing::Completed)),
        (declined(), Some(Closing::Denied)),
        (expired(), Some(Closing::Denied)),
        (cancelled(waiting()), Some(Closing::Cancelled)),
        (cancelled(approved()), Some(Closing::Cancelled)),
        (left(), Some(Closing::Abandoned)),
    ];
    let policy = Policy::new(&[super::log().key().clone()], &[], 0).unwrap();
    for (at, (steps, closed_by)) in all.into_iter().enumerate() {
        let bundle = evidence(&steps).unwrap_or_else(|error| panic!("{at}: {error:?}"));
        let records = steps.len() as u64;
        let expected = match closed_by {
            Some(closed_by) => Stream::Complete { records, closed_by },
            None => Stream::Open { records },
        };
        assert_eq!(bundle.stream(), expected, "{at}");
        let read = Bundle::parse(bundle.to_string().as_bytes()).unwrap();
        assert_eq!(read.items(), bundle.items());
        // Nothing is known of what was withheld, and the rest fits all the same.
        for version in 1..=records {
            let bare = bundle.clone().withhold(|it| it.stream_version == version);
            bare.verify(&policy, None).unwrap();
        }
    }
}

/// Changes what one record says.
fn said<T>(mut steps: Vec<Step>, at: usize, change: impl FnOnce(&mut T)) -> Vec<Step>
where
    T: TryFrom<Event> + Into<Event>,
{
    let step = &mut steps[at];
    let event = std::mem::replace(&mut step.event, Event::Withheld);
    let Ok(mut event) = T::try_from(event) else {
        panic!("record {at} is another");
    };
    change(&mut event);
    step.event = event.into();
    steps
}

macro_rules! taken {
    ($($name:ident $type:ty,)+) => {$(
        impl TryFrom<Event> for $type {
            type Error = ();

            fn try_from(event: Event) -> Result<Self, ()> {
                match event {
                    Event::$name(event) => Ok(event),
                    _ => Err(()),
                }
            }
        }
    )+};
}

taken! {
    ApprovalRequested ApprovalRequestedV1,
    ApprovalGiven ApprovalGivenV1,
    ApprovalRefused ApprovalRefusedV1,
    ApprovalExpired ApprovalExpiredV1,
    AuthorizationDecided AuthorizationDecidedV2,
}

type Request = ApprovalRequestedV1;
type Given = ApprovalGivenV1;
type Refused = ApprovalRefusedV1;
type Decided = AuthorizationDecidedV2;

/// Record `at` of the steps is refused for this.
fn refused_for(steps: &[Step], at: usize, expected: P) {
    let (seq, problem) = problem(steps);
    assert_eq!(problem, BundleProblem::Approval(expected));
    assert_eq!(seq, Seq::new(at as u64 + 2), "{expected}");
}

/// Told from headers alone, so also where every payload was withheld.
#[test]
fn what_must_not_follow_is_refused() {
    let rule = |steps: &[Step], at: usize| {
        let seq = Seq::new(at as u64 + 2).unwrap();
        let event_type = steps[at].event.event_type().unwrap();
        let expected = StreamError::Rule { seq, event_type };
        assert_eq!(problem(steps), (None, BundleProblem::Stream(expected)));
    };
    let mut started = waiting();
    started.extend_from_slice(&paid()[5..]);
    rule(&started, 2);
    let mut undecided = paid();
    undecided.remove(4);
    rule(&undecided, 4);
    let mut unanswered = waiting();
    unanswered.push(approved().remove(4));
    rule(&unanswered, 2);
    let mut twice = approved();
    twice.extend(
        approved()
            .into_iter()
            .skip(4)
            .map(|it| Step { command: 4, ..it }),
    );
    rule(&twice, 5);
    let mut late = approved();
    late.push(step(4, Outcome::Success, given("carla", 3)));
    rule(&late, 5);
    let mut after_all = declined();
    after_all[4].outcome = Outcome::Success;
    rule(&after_all, 4);
    let mut for_nothing = approved();
    for_nothing[4].outcome = Outcome::Denied;
    rule(&for_nothing, 4);
    let mut again = waiting();
    again.push(step(2, Outcome::Neutral, asked()));
    rule(&again, 2);
    let mut let_go = waiting();
    let_go.push(step(
        2,
        Outcome::Cancelled,
        ExecutionAbandonedV1 { cause: 2 },
    ));
    rule(&let_go, 2);
    let unasked = vec![step(1, Outcome::Success, given("ann", 1))];
    rule(&unasked, 0);
    // Between a refusal and its denial nothing stands, and a command is whole.
    let mut torn = declined();
    torn[4].command = 4;
    torn[5].command = 4;
    let torn_at = StreamError::Torn(Seq::new(6).unwrap());
    assert_eq!(problem(&torn), (None, BundleProblem::Stream(torn_at)));
}

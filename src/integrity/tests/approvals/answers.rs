// SPDX-License-Identifier: Apache-2.0
//! Each way in which answers, their counts and the decision do not fit each other.

use super::*;
use crate::events::ApprovalNamedV1;

#[test]
fn an_answer_is_of_one_who_was_asked_about_what_was_shown_once_and_in_time() {
    let mallory = |it: &mut Given| it.approver = party("mallory");
    refused_for(&said(approved(), 2, mallory), 2, P::NotAsked);
    let elsewhere = |it: &mut Given| it.approver.issuer = "https://other.example".into();
    refused_for(&said(approved(), 2, elsewhere), 2, P::NotAsked);
    let by_role = said(approved(), 2, |it: &mut Given| {
        it.approver = party("carla");
        it.role = "treasurer".into();
    });
    let named = |it: &mut Decided| {
        let approval = it.approval.as_mut().unwrap();
        approval.approvers[0] = party("carla");
    };
    assert!(evidence(&said(by_role, 4, named)).is_ok());
    let other = |it: &mut Given| it.shown_digest = digest(b"Pay 5 EUR");
    refused_for(&said(approved(), 3, other), 3, P::OtherShown);
    let again = |it: &mut Given| it.approver = party("ann");
    refused_for(&said(approved(), 3, again), 3, P::Twice);
    let stranger = |it: &mut Refused| it.approver = party("mallory");
    refused_for(&said(declined(), 3, stranger), 3, P::NotAsked);
    let other = |it: &mut Refused| it.shown_digest = [0; 32];
    refused_for(&said(declined(), 3, other), 3, P::OtherShown);

    let not_it = |it: &mut Request| it.shown.push(b'0');
    refused_for(&said(waiting(), 0, not_it), 0, P::OtherShown);
    let more = |it: &mut Request| it.arguments = b"{\"eur\":9000}".to_vec();
    refused_for(&said(waiting(), 0, more), 0, P::OtherMatter);

    // A record may come a little later than it was decided on, and no more.
    for (steps, at) in [(approved(), 3), (declined(), 3)] {
        for (late_ns, is_late) in [(59_000_000_000, false), (61_000_000_000, true)] {
            let mut steps = steps.clone();
            let behind = steps.iter_mut().skip(at);
            behind.for_each(|it| it.time_ns = UNTIL_NS + late_ns);
            match is_late {
                true => refused_for(&steps, at, P::Late),
                false => assert!(evidence(&steps).is_ok()),
            }
        }
    }
    let mut early = expired();
    early[3].time_ns = UNTIL_NS - 1;
    refused_for(&early, 3, P::Early);
}

#[test]
fn answers_are_counted_and_enough_of_them_decide() {
    let count = |said, given| P::Count {
        said,
        needed: 2,
        given,
    };
    let two = |it: &mut Given| it.given = 2;
    refused_for(&said(approved(), 2, two), 2, count(2, 1));
    let one = |it: &mut Given| it.needed = 1;
    let said_one = P::Count {
        said: 1,
        needed: 1,
        given: 1,
    };
    refused_for(&said(approved(), 2, one), 2, said_one);
    let none = |it: &mut ApprovalExpiredV1| it.given = 0;
    refused_for(&said(expired(), 3, none), 3, count(0, 1));

    // One approval, and it is authorized.
    let mut early = waiting();
    early.push(step(3, Outcome::Success, given("ann", 1)));
    early.push(step(3, Outcome::Success, decided(1, named(&["ann"], None))));
    let few = P::TooFew {
        given: 1,
        needed: 2,
    };
    refused_for(&early, 3, few);
    // What was approved before it was confirmed does not count.
    let mut kept = confirmed();
    kept.remove(4);
    for step in &mut kept[4..] {
        step.command = 5;
    }
    let one = said(kept, 4, |it: &mut Given| it.given = 1);
    refused_for(&one, 5, P::OtherApprovers);
}

#[test]
fn a_decision_names_who_answered() {
    let of = |change: fn(&mut ApprovalNamedV1)| {
        said(approved(), 4, move |it: &mut Decided| {
            change(it.approval.as_mut().unwrap())
        })
    };
    let other = of(|it| it.approvers[1] = party("carla"));
    refused_for(&other, 4, P::OtherApprovers);
    let swapped = of(|it| it.approvers.swap(0, 1));
    refused_for(&swapped, 4, P::OtherApprovers);
    let more = of(|it| it.approvers.push(party("carla")));
    refused_for(&more, 4, P::OtherApprovers);
    let refused = of(|it| it.refused_by = Some(party("ben")));
    refused_for(&refused, 4, P::OtherApprovers);
    refused_for(&of(|it| it.request_version = 2), 4, P::OtherRequest);
    refused_for(&of(|it| it.rule = "none".into()), 4, P::OtherRequest);
    refused_for(&of(|it| it.needed = 1), 4, P::OtherRequest);
    let nobody = said(declined(), 4, |it: &mut Decided| {
        it.approval.as_mut().unwrap().refused_by = None;
    });
    refused_for(&nobody, 4, P::OtherApprovers);

    let unfounded = |it: &mut Decided| it.approval = None;
    refused_for(&said(approved(), 4, unfounded), 4, P::Unfounded);
    let unasked = vec![
        step(1, Outcome::Success, decided(1, named(&[], None))),
        step(1, Outcome::Neutral, path(&[3, 4, 5])),
    ];
    refused_for(&unasked, 0, P::Unfounded);
}

#[test]
fn a_decision_is_about_what_was_asked_and_rests_on_it() {
    let about = |change: fn(&mut Decided)| said(approved(), 4, change);
    let asked = asked().arguments;
    let whole = said(approved(), 4, |it: &mut Decided| it.arguments = asked);
    assert!(evidence(&whole).is_ok());
    let matter = [
        about(|it| it.capability = "payment.other".into()),
        about(|it| it.arguments = b"{\"eur\":9000}".to_vec()),
        about(|it| it.arguments_digest = [0; 32]),
        about(|it| it.on_behalf_of[0] = party("mallory")),
        about(|it| it.on_behalf_of.clear()),
    ];
    for steps in matter {
        refused_for(&steps, 4, P::OtherMatter);
    }
    let grounds = [
        about(|it| it.policy_version = "8".into()),
        about(|it| it.policy_digest = [5; 32]),
        about(|it| it.configuration_version = 4),
        about(|it| it.registry_version = 1),
        said(confirmed(), 6, |it: &mut Decided| {
            it.configuration_version = 3
        }),
    ];
    for (steps, at) in grounds.iter().zip([4, 4, 4, 4, 6]) {
        refused_for(steps, at, P::OtherGrounds);
    }
    // Only what was approved has to be started in time.
    let mut left = vec![
        step(1, Outcome::Success, decided(1, named(&[], None))),
        step(1, Outcome::Neutral, path(&[3, 4, 5])),
        step(10, Outcome::Cancelled, ExecutionAbandonedV1 { cause: 2 }),
    ];
    left = said(left, 0, |it: &mut Decided| it.approval = None);
    refused_for(&left, 2, P::NotApproved);
    let unneeded = |it: &mut Request| it.approvers_needed = 1;
    let said_two = P::Count {
        said: 1,
        needed: 2,
        given: 1,
    };
    refused_for(&said(approved(), 0, unneeded), 2, said_two);
}

// SPDX-License-Identifier: Apache-2.0
//! Command ids: the content that each stands for, and the answer to a command that was sent again.

use tokio::sync::watch;

use super::*;
use crate::actors::claims::{Claims, CommandClaim, Gist};
use crate::actors::event_sourced::{History, KnownExecution};
use crate::error::ReadError;
use crate::events::{CommandId, ComponentId, ExecutionId, Seq};

const WHO: ComponentId = ComponentId(3);

/// Views that hold one command, or do not answer.
struct Viewed(Option<CommandClaim>);

const OLD: u8 = 9;

impl History for Viewed {
    fn execution(&self, _: ExecutionId) -> Result<Option<KnownExecution>, ReadError> {
        Ok(None)
    }

    fn head(&self) -> u64 {
        0
    }

    fn configuration(&self, _: &str, _: u64) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(None)
    }
}

impl Past for Viewed {
    fn command(&self, key: (ComponentId, CommandId)) -> Result<Option<CommandClaim>, ReadError> {
        let held = self.0.clone().ok_or(ReadError::Closed)?;
        Ok((key == (WHO, id(OLD).command)).then_some(held))
    }

    fn position(&self) -> u64 {
        0
    }

    fn forgotten(&self, _: u64) {}

    fn windows_from(&self) -> u64 {
        0
    }

    fn positions(&self) -> [watch::Receiver<u64>; 2] {
        let never = watch::Sender::new(0);
        [never.subscribe(), never.subscribe()]
    }

    fn rebuilding(&self) -> bool {
        false
    }

    fn halted(&self) -> bool {
        false
    }
}

/// Of the content that bears the same number.
fn id(number: u8) -> Id {
    Id {
        command: CommandId::from_bytes([number; 16]),
        digest: [number; 32],
        generated: false,
    }
}

fn seq(number: u64) -> Seq {
    Seq::new(number).unwrap_or(Seq::FIRST)
}

fn known(number: u8, first: u64, last: u64) -> CommandClaim {
    let sequenced = Sequenced {
        first: seq(first),
        last: seq(last),
        time_ns: 7,
    };
    CommandClaim::known([number; 32], Gist::Receipt, sequenced)
}

fn views() -> Viewed {
    Viewed(Some(known(OLD, 5, 6)))
}

/// Whether the ids are new or were there before, in a word, and how many.
fn claimed(claims: &Claims, views: &Viewed, ids: &[Id]) -> (&'static str, usize) {
    match claim(claims, views, WHO, ids) {
        Ok(Claimed::New(places)) => ("new", places.len()),
        Ok(Claimed::Before(claims)) => ("before", claims.len()),
        Err(error) => (error.code(), 0),
    }
}

#[test]
fn an_id_stands_for_one_content_and_a_group_is_new_or_was_there_as_a_whole() {
    let claims = Claims::default();
    let views = views();
    let other = |number| Id {
        digest: [77; 32],
        ..id(number)
    };
    assert_eq!(claimed(&claims, &views, &[id(1), id(2)]), ("new", 2));
    for (ids, expected) in [
        (vec![id(1), id(2)], ("before", 2)),
        (vec![id(2)], ("before", 1)),
        // From the views as from memory.
        (vec![id(OLD)], ("before", 1)),
        (vec![id(1), id(OLD)], ("before", 2)),
        (vec![other(1)], ("idempotency_conflict", 0)),
        (vec![other(OLD)], ("idempotency_conflict", 0)),
        (vec![id(1), id(3)], ("partial_idempotency", 0)),
        (vec![id(3), id(OLD)], ("partial_idempotency", 0)),
        (vec![id(3), id(3)], ("partial_idempotency", 0)),
        (vec![id(3), other(1)], ("idempotency_conflict", 0)),
    ] {
        let numbers: Vec<u8> = ids.iter().map(|id| id.digest[0]).collect();
        assert_eq!(claimed(&claims, &views, &ids), expected, "{numbers:?}");
    }
    // None of these refusals has taken an id; nor has one whose command is refused later.
    for _ in 0..2 {
        assert_eq!(claimed(&claims, &views, &[id(3), id(4)]), ("new", 2));
        assert_eq!(claimed(&claims, &views, &[id(3)]), ("before", 1));
        release(&claims, WHO, &[id(3), id(4)]);
    }
    assert_eq!(claimed(&claims, &views, &[other(4)]), ("new", 1));
}

/// An id that the ledger made is nobody's: no view is asked, and none hinders its command.
#[test]
fn where_views_do_not_answer_only_given_ids_are_refused_and_stay_free() {
    let claims = Claims::default();
    let made = Id {
        generated: true,
        ..id(1)
    };
    let silent = Viewed(None);
    let (refused, none) = claimed(&claims, &silent, &[made, id(2)]);
    assert_eq!((refused, none), ("history_unreadable", 0));
    assert_eq!(claimed(&claims, &silent, &[made]), ("new", 1));
    assert_eq!(claimed(&claims, &views(), &[id(2)]), ("new", 1));
}

/// A receipt over others' records would speak for them.
#[test]
fn originals_are_one_group_where_they_stand_one_behind_the_other() {
    let told = |placed: &[(u64, u64)]| {
        let ids: Vec<Id> = (1..).map(id).take(placed.len()).collect();
        let claims = placed.iter().map(|(first, last)| known(1, *first, *last));
        let placed = idempotency::together(&ids, &claims.collect::<Vec<_>>());
        placed.map(|it| it.len()).map_err(|error| error.code())
    };
    assert_eq!(told(&[(5, 6), (7, 7), (8, 9)]), Ok(3));
    assert_eq!(told(&[(5, 6)]), Ok(1));
    for apart in [[(5, 6), (8, 8)], [(7, 7), (5, 6)], [(5, 6), (6, 7)]] {
        assert_eq!(told(&apart), Err("group_conflict"), "{apart:?}");
    }
    let unacknowledged = CommandClaim {
        digest: [1; 32],
        place: Place::default(),
    };
    let error = idempotency::together(&[id(1)], &[unacknowledged]).map(|it| it.len());
    assert_eq!(error.map_err(|error| error.code()), Err("outcome_unknown"));
}

#[test]
fn a_command_behind_the_failed_frame_was_not_written() {
    for (outcome_unknown, code) in [(true, "outcome_unknown"), (false, "sealed")] {
        let sealed = Sealed {
            cause: "the disk is gone".into(),
            outcome_unknown,
            uncertain: None,
        };
        let error = answers::unacknowledged(&sealed, &[id(1)]);
        assert_eq!(error.code(), code);
    }
}

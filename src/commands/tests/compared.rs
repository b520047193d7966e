// SPDX-License-Identifier: Apache-2.0
//! Comparison of permits and standings, and their forms for people.

use super::*;
use std::sync::Arc;

use crate::events::{ComponentId, LedgerId};

fn permit() -> Permit {
    Permit {
        execution: ExecutionId::from_bytes([1; 16]),
        capability: "message".to_owned(),
        arguments_digest: [2; 32],
        basis: Basis {
            ledger: LedgerId::from_bytes([9; 16]),
            grounds: Grounds::default(),
        },
        ledger: LedgerId::from_bytes([9; 16]),
        epoch: 3,
        hold: None,
    }
}

#[test]
fn permits_are_equal_where_they_give_the_same_right_and_only_there() {
    struct Nobody;
    impl Keeper for Nobody {
        fn let_go(&self, _: HeldExecution) {}
    }
    let held = HeldExecution {
        execution: permit().execution,
        component: ComponentId(1),
        held: Held::Permit,
    };
    let held = Permit {
        hold: Some(Hold::new(Arc::new(Nobody), held)),
        ..permit()
    };
    assert_eq!(held, permit(), "who holds it is no part of the right");
    let mut grounds = permit().basis.grounds;
    grounds.policy_version.push('2');
    let basis = Basis {
        ledger: LedgerId::from_bytes([9; 16]),
        grounds,
    };
    for (part, other) in [
        (
            "execution",
            Permit {
                execution: ExecutionId::from_bytes([7; 16]),
                ..permit()
            },
        ),
        (
            "capability",
            Permit {
                capability: "send".to_owned(),
                ..permit()
            },
        ),
        (
            "arguments",
            Permit {
                arguments_digest: [7; 32],
                ..permit()
            },
        ),
        ("basis", Permit { basis, ..permit() }),
        (
            "ledger",
            Permit {
                ledger: LedgerId::from_bytes([7; 16]),
                ..permit()
            },
        ),
        (
            "epoch",
            Permit {
                epoch: 7,
                ..permit()
            },
        ),
    ] {
        assert_ne!(other, permit(), "{part}");
        assert_ne!(permit(), other, "{part}");
    }
    assert_eq!(permit().capability(), "message");
}

#[test]
fn where_an_execution_stands_is_said_in_words() {
    let words = [
        (Standing::AwaitingApproval, "awaiting approval"),
        (Standing::Approved, "approved"),
        (Standing::Authorized, "authorized"),
        (Standing::Running, "running"),
        (Standing::InDoubt, "in doubt"),
        (Standing::Ended(End::Completed), "completed"),
        (Standing::Ended(End::Failed), "failed"),
        (Standing::Ended(End::Cancelled), "cancelled"),
        (Standing::Ended(End::Denied), "denied"),
        (Standing::Ended(End::Rejected), "rejected"),
        (Standing::Ended(End::Abandoned), "abandoned"),
        (Standing::Ended(End::Lost), "lost"),
    ];
    for (standing, word) in words {
        assert_eq!(standing.to_string(), word);
    }
}

#[test]
fn a_name_that_deceives_is_refused_by_what_it_has() {
    let problem = |name: &str| match check::one_line("name", name) {
        Err(AppendError::Invalid { problem, .. }) => problem,
        other => panic!("{name:?}: {other:?}"),
    };
    assert_eq!(problem("a\nb"), "has control characters");
    assert_eq!(problem("a\u{202E}b"), "has the invisible character U+202E");
    assert_eq!(check::one_line("name", "a name"), Ok(()));
}

/// `docs/FORMAT.md`: kind and the one field.
#[test]
fn what_lets_go_of_an_execution_has_a_digest_of_its_own() {
    let execution = ExecutionId::from_bytes([7; 16]);
    let expected = check::Fields::new("execution_log", "let_go")
        .bytes(execution.as_bytes())
        .finish();
    assert_eq!(let_go_digest(execution), expected);
    let expected = check::Fields::new("execution_log", "expired")
        .bytes(execution.as_bytes())
        .finish();
    assert_eq!(expired_digest(execution), expected);
}

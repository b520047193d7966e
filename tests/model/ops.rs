// SPDX-License-Identifier: Apache-2.0
//! What a sequence is made of. Numbers stand for choices that are made when their turn comes, from
//! what is there by then: so a sequence still makes sense when proptest has cut it down.

use proptest::collection::vec;
use proptest::prelude::*;

/// Every kind of command, by its own word, as often as it is to be drawn.
const KINDS: &[(&str, u32)] = &[
    ("authorize", 5),
    ("begin", 9),
    ("start", 6),
    ("reject", 2),
    ("finish", 7),
    ("resolve", 3),
    ("import", 3),
    ("request_approval", 6),
    ("approve", 9),
    ("refuse_approval", 2),
    ("confirm_approval", 2),
    ("start_approved", 5),
    ("audit", 2),
    ("observe", 2),
    ("change", 4),
    ("rollback", 3),
    ("identify", 1),
    ("set_module", 2),
    ("remove_module", 2),
    ("register_capability", 3),
    ("change_capability", 2),
    ("switch_capability", 4),
    ("unregister_capability", 2),
    ("transition", 4),
    ("save_position", 2),
];

/// A command in the making: its kind, and numbers to choose its fields by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct What {
    pub(crate) kind: &'static str,
    pub(crate) a: u8,
    pub(crate) b: u8,
    pub(crate) c: u8,
    /// Below 16 something is wrong with it.
    pub(crate) spoil: u8,
}

/// Who sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// May do everything.
    First,
    /// As the first: its command ids are its own.
    Second,
    /// May read everything and append to telemetry and audit log.
    Limited,
    /// Was taken its rights.
    Revoked,
    /// Holds a grant of an earlier opening.
    Earlier,
}

#[derive(Debug, Clone)]
pub(crate) enum Op {
    /// One command, through its store's handle.
    One { by: By, what: What },
    /// Several in one commit; they may be of several stores.
    Group { by: By, whats: Vec<What> },
    /// What was sent before, again as it was.
    Again(u16),
    /// Another content under an id that was sent before.
    Another(u16, What),
    /// Something sent before and something new, in one commit.
    Mixed(u16, What),
    /// The end of one opening and the next, with or without a close, with or without its views.
    Restart { close: bool, views: bool },
    /// Time passes until nobody may approve any more what waits.
    Expire,
    /// All views against the model, queries against a full scan.
    Compare,
}

fn what() -> impl Strategy<Value = What> {
    let kinds = KINDS
        .iter()
        .map(|(kind, weight)| (*weight, Just(*kind).boxed()));
    let kind = proptest::strategy::Union::new_weighted(kinds.collect());
    (kind, any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>()).prop_map(|(kind, a, b, c, spoil)| {
        What {
            kind,
            a,
            b,
            c,
            spoil,
        }
    })
}

fn by() -> impl Strategy<Value = By> {
    prop_oneof![
        20 => Just(By::First),
        8 => Just(By::Second),
        1 => Just(By::Limited),
        1 => Just(By::Revoked),
        1 => Just(By::Earlier),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        70 => (by(), what()).prop_map(|(by, what)| Op::One { by, what }),
        10 => (by(), vec(what(), 0..4)).prop_map(|(by, whats)| Op::Group { by, whats }),
        8 => any::<u16>().prop_map(Op::Again),
        3 => (any::<u16>(), what()).prop_map(|(which, what)| Op::Another(which, what)),
        3 => (any::<u16>(), what()).prop_map(|(which, what)| Op::Mixed(which, what)),
        2 => (any::<bool>(), any::<bool>())
            .prop_map(|(close, views)| Op::Restart { close, views }),
        1 => Just(Op::Expire),
        1 => Just(Op::Compare),
    ]
}

/// A sequence of about so many operations; the last two look at everything, across a restart.
pub(crate) fn sequence(operations: usize) -> impl Strategy<Value = Vec<Op>> {
    let restart =
        (any::<bool>(), any::<bool>()).prop_map(|(close, views)| Op::Restart { close, views });
    let body = vec(op(), operations * 3 / 4..operations * 5 / 4);
    (body, restart).prop_map(|(mut body, restart)| {
        body.extend([Op::Compare, restart, Op::Compare]);
        body
    })
}

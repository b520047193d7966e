// SPDX-License-Identifier: Apache-2.0
//! The rooms of the ledger know each other in one direction.

use crate::circles::{Crate, Module};
use crate::{Source, assert_none, sources};

/// The rooms of `src/ledger/` from left to right: a file needs files of its own room, of those to the left of it, and of the
/// top, which belongs to none and passes on what all share.
const LEDGER_ROOMS: &[&str] = &[
    "write",
    "read",
    "background",
    "recover",
    "attest",
    "operate",
    "lifecycle",
    "handles",
];

impl Crate {
    /// Every edge between two rooms of the ledger that does not point left, and every directory that is no room.
    fn wrong_rooms(&self) -> Vec<String> {
        let place = |module: &Module| {
            let room = (module.first()? == "ledger").then_some(module.get(1)?)?;
            LEDGER_ROOMS.iter().position(|known| known == room)
        };
        let mut wrong = Vec::new();
        for module in self.0.keys().filter(|it| it.len() > 2 && it[0] == "ledger") {
            let Some(at) = place(module) else {
                wrong.push(format!("{}: no room", module.join("/")));
                continue;
            };
            let needs = self.needs(module);
            let right = needs
                .keys()
                .filter(|it| place(it).is_some_and(|it| it > at));
            wrong.extend(right.map(|it| format!("{} → {}", module.join("/"), it.join("/"))));
        }
        wrong
    }
}

#[test]
fn rooms_of_the_ledger_know_each_other_in_one_direction() {
    assert_none(&Crate::parse(&sources(&["src"])).wrong_rooms());
    let files = ["write/a", "operate/b", "novel/c"].map(|name| Source {
        path: format!("src/ledger/{name}.rs").into(),
        text: "use crate::ledger::operate::b::B; pub(crate) struct B;\n".to_owned(),
    });
    let wrong = Crate::parse(&files).wrong_rooms();
    let expected = [
        "ledger/novel/c: no room",
        "ledger/write/a → ledger/operate/b",
    ];
    assert_eq!(wrong, expected);
}

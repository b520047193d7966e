// SPDX-License-Identifier: Apache-2.0
//! The values that a redactor may put into a field.

use super::*;
use crate::commands::given::{Redactor, shortened};
use crate::redaction::{Field, Redaction};

/// Makes a field this long.
struct Sized(usize);

impl Redaction for Sized {
    fn redact(&self, _: Field, bytes: &mut Vec<u8>) -> Result<(), String> {
        bytes.resize(self.0, b'1');
        Ok(())
    }
}

#[test]
fn a_field_grows_up_to_its_limit_and_one_beyond_it_not_at_all() {
    let limits = Limits::default();
    let made = |text: bool, from: usize, to: usize| {
        let mut redactor = Redactor {
            redaction: &Sized(to),
            name: "test",
            command: "record",
            limits: &limits,
            failed: None,
        };
        let outcome = if text {
            redactor.text("reason", &mut "1".repeat(from))
        } else {
            redactor.json("result", &mut vec![b'1'; from])
        };
        assert_eq!(outcome.is_err(), redactor.failed.is_some());
        outcome.map_err(|error| error.code())
    };
    for (text, limit) in [
        (true, limits.text_bytes_max),
        (false, limits.payload_bytes_max),
    ] {
        for (from, to, fits) in [
            (10, limit, true),
            (10, limit + 1, false),
            (10, limit + 2, false),
            // Results and raw inputs may be larger: of these a part is kept.
            (limit + 7, limit + 7, true),
            (limit + 7, limit + 8, false),
            (limit + 7, 1, true),
            // There is nothing to redact.
            (0, limit + 1, true),
        ] {
            let expected = if fits { Ok(()) } else { Err("callback_failed") };
            assert_eq!(
                made(text, from, to),
                expected,
                "text: {text}, {from} → {to}"
            );
        }
    }
}

#[test]
fn what_a_callback_says_is_kept_from_its_beginning_and_cut_between_characters() {
    assert_eq!(shortened("no key"), "no key");
    let long = shortened(&"é".repeat(2_000));
    assert_eq!(long, "é".repeat(512));
    // No character ends there.
    let odd = format!("a{}", "é".repeat(2_000));
    assert_eq!(shortened(&odd), format!("a{}", "é".repeat(511)));
}

// SPDX-License-Identifier: Apache-2.0
//! The one spelling that numbers and times have, and the one place that knows which characters deceive
//! whoever reads a line.
//!
//! # Example
//!
//! ```
//! use femtoclaw_ledger::integrity::text::{is_deceptive, rfc3339, shown};
//!
//! assert_eq!(rfc3339(1_700_000_000_000_000_000), "2023-11-14T22:13:20Z");
//!
//! let name = "ledger\u{202e}gpj.exe"; // reads backwards from there
//! assert!(name.chars().any(is_deceptive));
//! assert!(!shown(name).chars().any(is_deceptive));
//! ```

pub use crate::events::readable::time::rfc3339;

/// Whether a character is not what a reader sees: it controls a terminal, changes the direction of
/// writing, ends a line, or has no width.
#[must_use]
pub fn is_deceptive(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Appends `text` for a line that a person reads: what deceives is shown by its number, `\u{202e}`.
///
/// Example: [`shown`].
pub fn show_into(text: &str, out: &mut String) {
    for char in text.chars() {
        match is_deceptive(char) {
            true => out.extend(char.escape_unicode()),
            false => out.push(char),
        }
    }
}

/// As [`show_into`], a text of its own.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    show_into(text, &mut out);
    out
}

/// Decimal, without sign and without leading zeroes.
pub(super) fn decimal(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let shortest = text == "0" || !text.starts_with('0');
    (digits && shortest).then(|| text.parse().ok()).flatten()
}

/// Eight lower-case hexadecimal digits.
pub(super) fn hex_u32(text: &str) -> Option<u32> {
    let mut number = [0; 4];
    let read = base16ct::lower::decode(text, &mut number).ok()?.len();
    (read == number.len()).then(|| u32::from_be_bytes(number))
}

#[cfg(test)]
mod tests {
    use super::{is_deceptive, shown};

    #[test]
    fn what_deceives_is_shown_by_its_number() {
        let named = "\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}\u{200e}\u{200f}\u{61c}";
        let other =
            "\u{2028}\u{2029}\u{200b}\u{200c}\u{200d}\u{feff}\u{2060}\0\u{7f}\u{85}\u{1b}\n";
        for char in named.chars().chain(other.chars()) {
            assert!(is_deceptive(char), "{:x}", u32::from(char));
            assert_eq!(shown(&char.to_string()), char.escape_unicode().to_string());
        }
        let plain = "Zürich, 東京, שלום, ❤️ \u{a0}";
        assert_eq!(shown(plain), plain);
    }
}

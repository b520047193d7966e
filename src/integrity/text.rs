// SPDX-License-Identifier: Apache-2.0
//! The one spelling that numbers and times have, and the one place that knows which characters deceive
//! whoever reads a line.

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
    let digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let spelled = text.len() == 8 && text.bytes().all(digit);
    spelled
        .then(|| u32::from_str_radix(text, 16).ok())
        .flatten()
}

/// RFC 3339, in UTC, with nanoseconds where there are any.
#[must_use]
pub fn rfc3339(ns: i128) -> String {
    const DAY_S: i128 = 86_400;
    let (seconds, rest) = (ns.div_euclid(1_000_000_000), ns.rem_euclid(1_000_000_000));
    let (days, second) = (seconds.div_euclid(DAY_S), seconds.rem_euclid(DAY_S));
    // Days since 1 March of the year 0, so that the leap day ends a year.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (
        day - (153 * month + 2) / 5 + 1,
        if month < 10 { month + 3 } else { month - 9 },
    );
    let year = era * 400 + year + i128::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let fraction = if rest == 0 {
        String::new()
    } else {
        format!(".{rest:09}")
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

#[cfg(test)]
mod tests {
    use super::{is_deceptive, rfc3339, shown};

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

    #[test]
    fn times_are_rfc_3339() {
        let seconds = |s: i128| rfc3339(s * 1_000_000_000);
        assert_eq!(seconds(0), "1970-01-01T00:00:00Z");
        assert_eq!(seconds(-1), "1969-12-31T23:59:59Z");
        assert_eq!(seconds(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(seconds(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(seconds(4_107_542_400), "2100-03-01T00:00:00Z");
        assert_eq!(
            rfc3339(1_767_225_600_000_000_001),
            "2026-01-01T00:00:00.000000001Z"
        );
    }
}

//! The one spelling that numbers and times have.

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
pub(crate) fn rfc3339(ns: i128) -> String {
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
    use super::rfc3339;

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

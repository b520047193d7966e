//! The one spelling that numbers have in these formats.

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

//! What is kept of what is too large.

use crate::config::{KEPT_BYTES, Limits};
use crate::events::{Hash, flags};
use crate::integrity::digest;

/// Bytes as they are stored, with length and digest of the whole.
pub(super) struct Kept {
    pub(super) bytes: Vec<u8>,
    pub(super) len: u64,
    pub(super) digest: Hash,
    pub(super) flags: u16,
}

impl Kept {
    /// A result: whole where it fits a payload, else its first 64 KiB.
    pub(super) fn result(bytes: &[u8], limits: &Limits) -> Self {
        Self::up_to(bytes, limits.payload_bytes_max)
    }

    /// A raw protocol output: never more than its first 64 KiB.
    pub(super) fn input(bytes: &[u8]) -> Self {
        Self::up_to(bytes, KEPT_BYTES)
    }

    fn up_to(bytes: &[u8], whole_max: usize) -> Self {
        let whole = bytes.len() <= whole_max;
        let keep = if whole { bytes.len() } else { KEPT_BYTES };
        Self {
            bytes: bytes.get(..keep).unwrap_or(bytes).to_vec(),
            len: bytes.len() as u64,
            digest: digest(bytes),
            flags: if whole { 0 } else { flags::TRUNCATED },
        }
    }
}

/// A text, cut at a character where it is longer than `max` bytes, and the flag that says so.
pub(super) fn text(text: &str, max: usize) -> (String, u16) {
    if text.len() <= max {
        return (text.to_owned(), 0);
    }
    let end = (0..=max).rev().find(|end| text.is_char_boundary(*end));
    let cut = text.get(..end.unwrap_or(0)).unwrap_or_default();
    (cut.to_owned(), flags::TRUNCATED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_does_not_fit_is_cut() {
        let limits = Limits::default();
        for (len, kept, flag) in [
            (0, 0, 0),
            (1 << 20, 1 << 20, 0),
            ((1 << 20) + 1, 64 << 10, flags::TRUNCATED),
        ] {
            let bytes = vec![b'7'; len];
            let it = Kept::result(&bytes, &limits);
            assert_eq!((it.bytes.len(), it.len, it.flags), (kept, len as u64, flag));
            assert_eq!(it.digest, digest(&bytes));
        }
        assert_eq!(
            Kept::input(&vec![0; (64 << 10) + 1]).flags,
            flags::TRUNCATED
        );
        assert_eq!(text("aäb", 2), ("a".into(), flags::TRUNCATED));
        assert_eq!(text("aäb", 3), ("aä".into(), flags::TRUNCATED));
        assert_eq!(text("aäb", 4), ("aäb".into(), 0));
    }
}

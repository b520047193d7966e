// SPDX-License-Identifier: Apache-2.0
//! What is kept of what is too large. A command is cut before it waits; one that comes another way
//! is cut here.

use crate::commands::measure::{Measure, first, first_text};
use crate::config::{KEPT_BYTES, Limits};
use crate::events::{Hash, flags};

/// Bytes as they are stored, with length and digest of the whole.
pub(super) struct KeptBytes {
    pub(super) bytes: Vec<u8>,
    pub(super) len: u64,
    pub(super) digest: Hash,
    pub(super) flags: u16,
}

impl KeptBytes {
    /// A result: whole where it fits a payload, else its first 64 KiB. `cut` is the measure of the
    /// whole where these bytes are what was kept of it.
    pub(super) fn result(bytes: &[u8], cut: Option<Measure>, limits: &Limits) -> Self {
        Self::up_to(bytes, cut, limits.payload_bytes_max)
    }

    /// A raw protocol output: never more than its first 64 KiB; `cut` as with a result.
    pub(super) fn input(bytes: &[u8], cut: Option<Measure>) -> Self {
        Self::up_to(bytes, cut, KEPT_BYTES)
    }

    fn up_to(bytes: &[u8], cut: Option<Measure>, whole_max: usize) -> Self {
        let kept = first(bytes, whole_max);
        let truncated = cut.is_some() || kept.is_some();
        let Measure { len, digest } = cut.unwrap_or_else(|| Measure::of(bytes));
        Self {
            bytes: kept.unwrap_or(bytes).to_vec(),
            len,
            digest,
            flags: if truncated { flags::TRUNCATED } else { 0 },
        }
    }
}

/// A text, cut at a character where it is longer than `max` bytes, and the flag that says so.
pub(super) fn text(text: &str, max: usize) -> (String, u16) {
    match first_text(text, max) {
        None => (text.to_owned(), 0),
        Some(kept) => (kept.to_owned(), flags::TRUNCATED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integrity::digest;

    #[test]
    fn only_what_does_not_fit_is_cut() {
        let limits = Limits::default();
        for (len, kept, flag) in [
            (0, 0, 0),
            (1 << 20, 1 << 20, 0),
            ((1 << 20) + 1, 64 << 10, flags::TRUNCATED),
        ] {
            let bytes = vec![b'7'; len];
            let it = KeptBytes::result(&bytes, None, &limits);
            assert_eq!((it.bytes.len(), it.len, it.flags), (kept, len as u64, flag));
            assert_eq!(it.digest, digest(&bytes));
        }
        assert_eq!(
            KeptBytes::input(&vec![0; (64 << 10) + 1], None).flags,
            flags::TRUNCATED
        );
        assert_eq!(text("aäb", 2), ("a".into(), flags::TRUNCATED));
        assert_eq!(text("aäb", 3), ("aä".into(), flags::TRUNCATED));
        assert_eq!(text("aäb", 4), ("aäb".into(), 0));
    }
}

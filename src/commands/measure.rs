// SPDX-License-Identifier: Apache-2.0
//! What is kept of bytes and texts that are too large, with length and digest of the rest.

use crate::config::{KEPT_BYTES, Limits};
use crate::events::Hash;
use crate::integrity::digest;

/// Length and digest of bytes that were cut.
#[derive(Clone, Copy, serde::Serialize)]
pub(crate) struct Measure {
    pub(crate) len: u64,
    #[serde(serialize_with = "crate::events::readable::hex::serialize")]
    pub(crate) digest: Hash,
}

impl Measure {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self {
            len: bytes.len() as u64,
            digest: digest(bytes),
        }
    }
}

/// What is known of the whole of a command; nothing where it is whole.
#[derive(Clone, Copy, Default, serde::Serialize)]
pub(crate) struct Whole {
    #[serde(serialize_with = "crate::events::readable::hex::serialize")]
    pub(super) digest: Hash,
    pub(crate) result: Option<Measure>,
    pub(crate) input: Option<Measure>,
    /// A text of its ending was cut.
    pub(crate) text: bool,
}

crate::events::readable::debug_as_read!(Measure, Whole);

/// Goes over the parts of a command that are cut rather than refused.
pub(crate) struct Cutter<'a> {
    pub(super) limits: &'a Limits,
    /// False: only looks.
    pub(super) cuts: bool,
    pub(super) found: bool,
    pub(super) whole: Whole,
}

impl Cutter<'_> {
    /// A result: whole where it fits a payload.
    pub(super) fn result(&mut self, bytes: &mut Vec<u8>) {
        if let Some(measure) = self.bytes(bytes, self.limits.payload_bytes_max) {
            self.whole.result = Some(measure);
        }
    }

    /// A raw protocol output: never more than its first 64 KiB.
    pub(super) fn input(&mut self, bytes: &mut Vec<u8>) {
        if let Some(measure) = self.bytes(bytes, KEPT_BYTES) {
            self.whole.input = Some(measure);
        }
    }

    /// A text of an ending.
    pub(super) fn text(&mut self, text: &mut String) {
        self.at_most(text, self.limits.text_bytes_max);
    }

    /// A name in an ending.
    pub(super) fn name(&mut self, name: &mut String) {
        self.at_most(name, self.limits.name_bytes_max);
    }

    fn bytes(&mut self, bytes: &mut Vec<u8>, whole_max: usize) -> Option<Measure> {
        let kept = first(bytes, whole_max)?;
        self.found = true;
        if !self.cuts {
            return None;
        }
        let measure = Measure::of(bytes);
        *bytes = kept.to_vec();
        Some(measure)
    }

    fn at_most(&mut self, text: &mut String, max: usize) {
        let Some(kept) = first_text(text, max) else {
            return;
        };
        self.found = true;
        if self.cuts {
            self.whole.text = true;
            *text = kept.to_owned();
        }
    }
}

/// What is kept of bytes that do not fit; `None` where they do.
pub(crate) fn first(bytes: &[u8], whole_max: usize) -> Option<&[u8]> {
    if bytes.len() <= whole_max {
        return None;
    }
    Some(bytes.get(..KEPT_BYTES).unwrap_or(bytes))
}

/// What is kept of a text that does not fit, to the end of a character; `None` where it fits.
pub(crate) fn first_text(text: &str, max: usize) -> Option<&str> {
    if text.len() <= max {
        return None;
    }
    let end = (0..=max).rev().find(|end| text.is_char_boundary(*end));
    Some(text.get(..end.unwrap_or(0)).unwrap_or_default())
}

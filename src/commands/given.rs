// SPDX-License-Identifier: Apache-2.0
//! The parts of a command that its caller wrote freely. Each field of a command says so where it is defined, in
//! `fields!`: one that is not classified does not compile. From that come what a redactor is
//! given and what `Debug` does not print.

use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

use super::check::Checked;
use crate::callbacks::How;
use crate::config::Limits;
use crate::error::AppendError;
use crate::redaction::{Field, FieldShape, Redaction};

/// Bytes that are kept of a callback's own words.
const WORDS_BYTES_MAX: usize = 1_024;

/// What has fields that a caller wrote freely.
pub(crate) trait Given {
    /// Hands each of them to the redactor.
    ///
    /// # Errors
    /// `CallbackFailed`; what is left of the fields must not be used.
    fn redact(&mut self, by: &mut Redactor<'_>) -> Checked;

    /// Gives back what their buffers hold beyond their bytes.
    fn fit(&mut self);
}

/// A buffer that a caller handed over: it may have room for far more than it holds, and only what it holds is counted.
pub(crate) trait Buffer {
    fn fit(&mut self);
}

/// Room beyond what a buffer holds that is left alone, in bytes: a buffer that doubles has as much as it holds.
const SPARE_BYTES: usize = 4_096;

/// Whether a buffer has far more room than it needs.
const fn is_roomy(len: usize, capacity: usize) -> bool {
    capacity > len.saturating_mul(2).saturating_add(SPARE_BYTES)
}

impl Buffer for Vec<u8> {
    fn fit(&mut self) {
        if is_roomy(self.len(), self.capacity()) {
            self.shrink_to_fit();
        }
    }
}

impl Buffer for String {
    fn fit(&mut self) {
        if is_roomy(self.len(), self.capacity()) {
            self.shrink_to_fit();
        }
    }
}

impl<B: Buffer> Buffer for Vec<B> {
    fn fit(&mut self) {
        if is_roomy(self.len(), self.capacity()) {
            self.shrink_to_fit();
        }
        self.iter_mut().for_each(Buffer::fit);
    }
}

impl<B: Buffer> Buffer for Option<B> {
    fn fit(&mut self) {
        self.iter_mut().for_each(Buffer::fit);
    }
}

/// The embedder's redactor at work on one command.
pub(crate) struct Redactor<'a> {
    pub(crate) redaction: &'a dyn Redaction,
    pub(crate) name: &'a str,
    pub(crate) command: &'static str,
    pub(crate) limits: &'a Limits,
    /// How it failed.
    pub(crate) failed: Option<How>,
}

impl Redactor<'_> {
    pub(crate) fn text(&mut self, name: &'static str, text: &mut String) -> Checked {
        let mut bytes = std::mem::take(text).into_bytes();
        self.give(name, FieldShape::Text, &mut bytes)?;
        *text = String::from_utf8(bytes).map_err(|_| self.nonsense(name, "is no text any more"))?;
        Ok(())
    }

    pub(crate) fn json(&mut self, name: &'static str, bytes: &mut Vec<u8>) -> Checked {
        self.give(name, FieldShape::Json, bytes)
    }

    pub(crate) fn bytes(&mut self, name: &'static str, bytes: &mut Vec<u8>) -> Checked {
        self.give(name, FieldShape::Bytes, bytes)
    }

    pub(crate) fn optional(&mut self, name: &'static str, bytes: &mut Option<Vec<u8>>) -> Checked {
        bytes
            .iter_mut()
            .try_for_each(|bytes| self.bytes(name, bytes))
    }

    /// Whether the whole is still acceptable is checked afterwards, by whoever began.
    fn give(&mut self, name: &'static str, shape: FieldShape, bytes: &mut Vec<u8>) -> Checked {
        if bytes.is_empty() {
            return Ok(());
        }
        let limit = match shape {
            FieldShape::Text => self.limits.text_bytes_max,
            FieldShape::Json | FieldShape::Bytes => self.limits.payload_bytes_max,
        };
        // Results and raw inputs may be larger than a payload: of these a part is kept.
        let limit = limit.max(bytes.len());
        let (redaction, command) = (self.redaction, self.command);
        let field = Field {
            command,
            name,
            shape,
        };
        match catch_unwind(AssertUnwindSafe(|| redaction.redact(field, bytes))) {
            Err(_) => Err(self.blamed(How::Panicked, &format!("it panicked over {name}"))),
            Ok(Err(words)) => Err(self.blamed(How::Failed, &format!("over {name}: {words}"))),
            Ok(Ok(())) if bytes.len() > limit => {
                let problem = format!("has {} bytes now, the limit is {limit}", bytes.len());
                Err(self.nonsense(name, &problem))
            }
            Ok(Ok(())) => Ok(()),
        }
    }

    fn nonsense(&mut self, field: &'static str, problem: &str) -> AppendError {
        self.blamed(How::Nonsense, &format!("{field} {problem}"))
    }

    /// What it made of a command that was acceptable before.
    pub(crate) fn spoiled(&mut self, error: &AppendError) -> AppendError {
        let refused = error.to_string();
        let why = refused.strip_prefix("nothing was written: ");
        self.blamed(How::Nonsense, why.unwrap_or(&refused))
    }

    fn blamed(&mut self, how: How, problem: &str) -> AppendError {
        self.failed = Some(how);
        AppendError::CallbackFailed {
            callback: "redactor",
            name: self.name.to_owned(),
            command: self.command,
            problem: shortened(problem),
        }
    }
}

/// The first part of what a callback said.
pub(crate) fn shortened(words: &str) -> String {
    let end = (0..=WORDS_BYTES_MAX.min(words.len())).rev();
    let end = end
        .into_iter()
        .find_map(|at| words.get(..at))
        .unwrap_or_default();
    end.to_owned()
}

/// Shows a field without its content: its length, and a mark that is the same for the same content
/// in one process. The mark is keyed with what no other process knows: a plain digest of a short
/// secret could be guessed.
pub(crate) struct Hidden<'a>(&'a [u8]);

static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);

impl<'a> Hidden<'a> {
    pub(crate) fn new(field: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self(field.as_ref())
    }
}

impl std::fmt::Debug for Hidden<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mark = KEY.hash_one(self.0) >> 32;
        write!(f, "<{} bytes, {mark:08x}>", self.0.len())
    }
}

/// Lists every field of a struct: `kept` is not the redactor's, nor is a `digest`, which is shown as digits, nor a `name`,
/// which is a text; `nested` lists its own; what is `text`, `json`, `bytes` or `optional` bytes is given to it.
macro_rules! given {
    ($name:ident { $($class:ident $field:ident),+ $(,)? }) => {
        impl $crate::commands::given::Given for $name {
            fn redact(
                &mut self,
                by: &mut $crate::commands::given::Redactor<'_>,
            ) -> $crate::commands::check::Checked {
                let Self { $($field),+ } = self;
                $( $crate::commands::given::given!(@give $class by $field); )+
                let _ = by;
                Ok(())
            }

            fn fit(&mut self) {
                let Self { $($field),+ } = self;
                $( $crate::commands::given::given!(@fit $class $field); )+
            }
        }
    };
    (@give kept $by:ident $field:ident) => { let _ = $field; };
    (@give name $by:ident $field:ident) => { let _ = $field; };
    (@give digest $by:ident $field:ident) => { let _ = $field; };
    (@give nested $by:ident $field:ident) => {
        $crate::commands::given::Given::redact($field, $by)?;
    };
    (@give $class:ident $by:ident $field:ident) => { $by.$class(stringify!($field), $field)?; };
    (@fit kept $field:ident) => { let _ = $field; };
    (@fit digest $field:ident) => { let _ = $field; };
    (@fit nested $field:ident) => { $crate::commands::given::Given::fit($field); };
    (@fit $class:ident $field:ident) => { $crate::commands::given::Buffer::fit($field); };
    (@show kept $field:ident) => { $field };
    (@show name $field:ident) => { $field };
    (@show digest $field:ident) => { $crate::events::readable::hex::Hex($field) };
    (@show nested $field:ident) => { $field };
    (@show optional $field:ident) => {
        $field.as_ref().map($crate::commands::given::Hidden::new)
    };
    (@show $class:ident $field:ident) => { $crate::commands::given::Hidden::new($field) };
}

pub(crate) use given;

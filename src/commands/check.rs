// SPDX-License-Identifier: Apache-2.0
//! The checks that every command shares, and the digest of its fields.

use serde::de::IgnoredAny;

use crate::config::Limits;
use crate::error::AppendError;
use crate::events::Hash;
use crate::integrity::FieldDigest;
use crate::integrity::text::is_deceptive;

pub(crate) type Checked = Result<(), AppendError>;

pub(crate) fn invalid(field: &'static str, problem: impl Into<String>) -> AppendError {
    AppendError::Invalid {
        field,
        problem: problem.into(),
    }
}

/// An id that is given is not nil.
pub(crate) fn id(field: &'static str, nil: bool) -> Checked {
    if nil {
        return Err(invalid(field, "is nil"));
    }
    Ok(())
}

/// A name: not empty, one line, within the limit.
pub(crate) fn name(field: &'static str, value: &str, limits: &Limits) -> Checked {
    if value.is_empty() {
        return Err(invalid(field, "is empty"));
    }
    optional_name(field, value, limits)
}

/// A name that may be empty.
pub(crate) fn optional_name(field: &'static str, value: &str, limits: &Limits) -> Checked {
    if value.len() > limits.name_bytes_max {
        let (len, max) = (value.len(), limits.name_bytes_max);
        return Err(invalid(
            field,
            format!("has {len} bytes, the limit is {max}"),
        ));
    }
    one_line(field, value)
}

/// Nothing that deceives whoever reads it: what is printed in a line stays in its line, and looks like
/// what it is.
pub(crate) fn one_line(field: &'static str, value: &str) -> Checked {
    match value.chars().find(|char| is_deceptive(*char)) {
        Some(char) if char.is_control() => Err(invalid(field, "has control characters")),
        Some(char) => {
            let number = u32::from(char);
            Err(invalid(
                field,
                format!("has the invisible character U+{number:04X}"),
            ))
        }
        None => Ok(()),
    }
}

/// A text for people: any characters, within the limit.
pub(crate) fn text(field: &'static str, value: &str, limits: &Limits) -> Checked {
    at_most(field, value.len(), limits.text_bytes_max)
}

/// A text that must say something.
pub(crate) fn some_text(field: &'static str, value: &str, limits: &Limits) -> Checked {
    if value.trim().is_empty() {
        return Err(invalid(field, "is empty"));
    }
    text(field, value, limits)
}

pub(crate) fn payload(field: &'static str, bytes: &[u8], limits: &Limits) -> Checked {
    at_most(field, bytes.len(), limits.payload_bytes_max)
}

pub(crate) fn at_most(field: &'static str, size: usize, limit: usize) -> Checked {
    if size > limit {
        return Err(AppendError::TooLarge {
            field,
            size: size as u64,
            limit: limit as u64,
        });
    }
    Ok(())
}

/// UTF-8 and one JSON value of any shape. The bytes themselves are kept, so nothing is built:
/// `IgnoredAny` is walked with a stack on the heap, however deep the nesting.
pub(crate) fn json(field: &'static str, bytes: &[u8]) -> Checked {
    let refused = |problem: String| Err(AppendError::InvalidJson { field, problem });
    match std::str::from_utf8(bytes) {
        Err(error) => refused(error.to_string()),
        Ok(text) => match serde_json::from_str::<IgnoredAny>(text) {
            Err(error) => refused(error.to_string()),
            Ok(_) => Ok(()),
        },
    }
}

/// A value of the caller's as JSON.
pub(crate) fn to_json(
    field: &'static str,
    value: &(impl serde::Serialize + ?Sized),
) -> Result<Vec<u8>, AppendError> {
    serde_json::to_vec(value).map_err(|error| AppendError::InvalidJson {
        field,
        problem: error.to_string(),
    })
}

/// JSON, or nothing.
pub(crate) fn optional_json(field: &'static str, bytes: &[u8]) -> Checked {
    if bytes.is_empty() {
        return Ok(());
    }
    json(field, bytes)
}

/// Digest of a command's content: store, kind and every field but the command id.
pub(crate) struct Fields(FieldDigest);

impl Fields {
    pub(crate) fn new(store: &str, kind: &str) -> Self {
        Self(
            FieldDigest::new("femtoclaw-ledger 2026 v1 command")
                .field(store.as_bytes())
                .field(kind.as_bytes()),
        )
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.add(bytes);
        self
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    pub(crate) fn number(&mut self, number: u64) -> &mut Self {
        self.bytes(&number.to_le_bytes())
    }

    /// Absent and empty differ.
    pub(crate) fn option(&mut self, value: Option<&[u8]>) -> &mut Self {
        self.bytes(&[u8::from(value.is_some())])
            .bytes(value.unwrap_or_default())
    }

    pub(crate) fn optional_number(&mut self, value: Option<u64>) -> &mut Self {
        self.option(
            value
                .map(u64::to_le_bytes)
                .as_ref()
                .map(<[u8; 8]>::as_slice),
        )
    }

    pub(crate) fn finish(&self) -> Hash {
        self.0.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let limits = Limits::default();
        let long = "n".repeat(257);
        for (value, good) in [
            ("a", true),
            ("read file/ä", true),
            ("", false),
            ("a\nb", false),
            ("a\u{7f}", false),
            ("\u{85}", false),
            ("admin\u{202e}txt", false),
            ("ad\u{200b}min", false),
            ("two\u{2028}lines", false),
            ("שלום ❤️", true),
            (&long[..256], true),
            (&long, false),
        ] {
            assert_eq!(name("name", value, &limits).is_ok(), good, "{value:?}");
        }
    }

    #[test]
    fn json_of_any_shape() {
        let deep = [vec![b'['; 400_000], vec![b']'; 400_000]].concat();
        let cut = vec![b'['; 400_000];
        let objects = [
            b"{\"a\":".repeat(200_000),
            b"1".to_vec(),
            b"}".repeat(200_000),
        ]
        .concat();
        for (bytes, good) in [
            (
                &b"{\"a\": 1, \"a\": 1e999, \"b\": 123456789012345678901234567890}"[..],
                true,
            ),
            (b" null ", true),
            (b"\"\\ud800\"", true),
            (&deep, true),
            (&objects, true),
            (&cut, false),
            (b"", false),
            (b"{", false),
            (b"{} {}", false),
            (b"'a'", false),
            (b"NaN", false),
            (b"\"\xff\"", false),
            (b"\xef\xbb\xbf{}", false),
        ] {
            let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(20)]).into_owned();
            assert_eq!(json("arguments", bytes).is_ok(), good, "{shown}");
        }
    }

    #[test]
    fn absent_and_empty_fields_have_different_digests() {
        let of = |value: Option<&[u8]>| Fields::new("s", "k").option(value).finish();
        assert_ne!(of(None), of(Some(b"")));
        assert_ne!(
            Fields::new("s", "k").text("ab").text("c").finish(),
            Fields::new("s", "k").text("a").text("bc").finish()
        );
    }
}

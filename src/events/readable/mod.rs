// SPDX-License-Identifier: Apache-2.0
//! How values read in serde's formats for people, such as JSON: the table in [`crate::events`]. A binary format, as on
//! disk, holds what it always held: `is_human_readable` decides.

mod debug;
pub(crate) mod time;
pub(crate) mod words;

use std::fmt;

use base16ct::HexDisplay;
use base64ct::{Base64, Encoding};
use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) use debug::{as_read, debug_as_read};

/// Bytes as lower-case hexadecimal digits.
#[derive(Clone, Copy)]
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", HexDisplay(self.0))
    }
}

impl fmt::Debug for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Hex<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

pub(super) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let read = base16ct::mixed::decode(text, &mut bytes).ok()?.len();
    (read == N).then_some(bytes)
}

/// Digests and salts: hexadecimal digits.
pub(crate) mod hex {
    use super::{Deserialize, Deserializer, Error, Hex, Serialize, Serializer, Unexpected, unhex};

    pub(crate) fn serialize<const N: usize, S: Serializer>(
        bytes: &[u8; N],
        serializer: S,
    ) -> Result<S::Ok, S::Error>
    where
        [u8; N]: Serialize,
    {
        match serializer.is_human_readable() {
            true => Hex(bytes).serialize(serializer),
            false => bytes.serialize(serializer),
        }
    }

    pub(crate) fn deserialize<'de, const N: usize, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<[u8; N], D::Error>
    where
        [u8; N]: Deserialize<'de>,
    {
        if !deserializer.is_human_readable() {
            return Deserialize::deserialize(deserializer);
        }
        let text = String::deserialize(deserializer)?;
        let expected = || Error::invalid_value(Unexpected::Str(&text), &"hexadecimal digits");
        unhex(&text).ok_or_else(expected)
    }
}

/// Roots of the Merkle tree: base64, as checkpoints and proofs write them.
pub(crate) mod root {
    use super::{
        Base64, Deserialize, Deserializer, Encoding, Error, Serialize, Serializer, Unexpected,
    };
    use crate::events::Hash;

    pub(crate) fn serialize<S: Serializer>(root: &Hash, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.serialize_str(&Base64::encode_string(root)),
            false => root.serialize(serializer),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Hash, D::Error> {
        if !deserializer.is_human_readable() {
            return Deserialize::deserialize(deserializer);
        }
        let text = String::deserialize(deserializer)?;
        let bytes = Base64::decode_vec(&text).unwrap_or_default();
        let expected = |_| Error::invalid_value(Unexpected::Str(&text), &"32 bytes as base64");
        bytes.try_into().map_err(expected)
    }
}

/// Contents: the text that they are, or base64 where they are no UTF-8.
pub(crate) mod bytes {
    use super::{Base64, Deserialize, Deserializer, Encoding, Error, Serialize, Serializer};

    #[derive(Serialize)]
    #[serde(untagged)]
    enum Shown<'a> {
        Text(&'a str),
        Base64 { base64: String },
    }

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Read {
        Text(String),
        Base64 { base64: String },
    }

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serde_bytes::serialize(bytes, serializer);
        }
        let shown = match std::str::from_utf8(bytes) {
            Ok(text) => Shown::Text(text),
            Err(_) => Shown::Base64 {
                base64: Base64::encode_string(bytes),
            },
        };
        shown.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        if !deserializer.is_human_readable() {
            return serde_bytes::deserialize(deserializer);
        }
        match Read::deserialize(deserializer)? {
            Read::Text(text) => Ok(text.into_bytes()),
            Read::Base64 { base64 } => {
                Base64::decode_vec(&base64).map_err(|error| Error::custom(error.to_string()))
            }
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Roots of the Merkle tree: base64, as checkpoints and proofs write them.

use base64ct::{Base64, Encoding};
use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) fn serialize<S: Serializer>(root: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    match serializer.is_human_readable() {
        true => serializer.serialize_str(&Base64::encode_string(root)),
        false => root.serialize(serializer),
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<[u8; 32], D::Error> {
    if !deserializer.is_human_readable() {
        return Deserialize::deserialize(deserializer);
    }
    let text = String::deserialize(deserializer)?;
    let bytes = Base64::decode_vec(&text).unwrap_or_default();
    let expected = |_| Error::invalid_value(Unexpected::Str(&text), &"32 bytes as base64");
    bytes.try_into().map_err(expected)
}

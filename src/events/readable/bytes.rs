// SPDX-License-Identifier: Apache-2.0
//! Contents: the text that they are, or base64 where they are no UTF-8.

use base64ct::{Base64, Encoding};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
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

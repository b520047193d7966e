// SPDX-License-Identifier: Apache-2.0
//! The codec seam: the only place that names bincode. Stored bytes are hashed, never a re-encoding.

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Codec id of bincode 2.0.1, `standard()`: little endian, variable-length integers.
pub const CODEC_BINCODE: u8 = 1;

/// No payload decodes to more than this; a corrupt length prefix fails instead of allocating.
const DECODE_LIMIT_BYTES: usize = 64 << 20;

/// A saved state may hold the digests of very many document versions.
#[cfg(feature = "engine")]
const STATE_LIMIT_BYTES: usize = 1 << 30;

/// Why stored bytes are not the event that they claim to be.
///
/// Example: [`Event::decode`](crate::events::Event::decode).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The codec could not read them.
    #[error("payload does not decode: {0}")]
    Malformed(String),
    /// The codec read an event and bytes were left over.
    #[error("payload has {0} trailing bytes")]
    TrailingBytes(usize),
    /// The codec id is not known.
    #[error("unknown codec {0}")]
    UnknownCodec(u8),
}

impl DecodeError {
    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::TrailingBytes(_) => "trailing_bytes",
            Self::UnknownCodec(_) => "unknown_codec",
        }
    }
}

fn configuration() -> Configuration<LittleEndian, Varint, Limit<DECODE_LIMIT_BYTES>> {
    bincode::config::standard().with_limit::<DECODE_LIMIT_BYTES>()
}

struct Sink<'a>(&'a mut Vec<u8>);

impl bincode::enc::write::Writer for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// Appends the encoding of `value` to `buffer`. Wire structs hold nothing that can fail to encode.
pub(crate) fn encode_into<T: Serialize>(value: &T, buffer: &mut Vec<u8>) {
    let outcome = bincode::serde::encode_into_writer(value, Sink(buffer), configuration());
    debug_assert!(
        outcome.is_ok(),
        "a wire struct failed to encode: {outcome:?}"
    );
}

/// Decodes a whole payload; trailing bytes are an error.
pub(crate) fn decode<T: DeserializeOwned>(codec: u8, bytes: &[u8]) -> Result<T, DecodeError> {
    if codec != CODEC_BINCODE {
        return Err(DecodeError::UnknownCodec(codec));
    }
    whole(
        bytes,
        bincode::serde::decode_from_slice(bytes, configuration()),
    )
}

/// Decodes a saved state, whose digest has been checked; trailing bytes are an error.
#[cfg(feature = "engine")]
pub(crate) fn decode_state<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let configuration = bincode::config::standard().with_limit::<STATE_LIMIT_BYTES>();
    whole(
        bytes,
        bincode::serde::decode_from_slice(bytes, configuration),
    )
}

fn whole<T>(
    bytes: &[u8],
    decoded: Result<(T, usize), bincode::error::DecodeError>,
) -> Result<T, DecodeError> {
    let (value, consumed) = decoded.map_err(|error| DecodeError::Malformed(error.to_string()))?;
    match bytes.len().saturating_sub(consumed) {
        0 => Ok(value),
        left => Err(DecodeError::TrailingBytes(left)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_bytes_and_corrupt_lengths_are_errors() {
        let mut bytes = Vec::new();
        encode_into(&vec![String::from("a")], &mut bytes);
        assert_eq!(
            decode::<Vec<String>>(CODEC_BINCODE, &bytes),
            Ok(vec!["a".into()])
        );
        bytes.push(0);
        assert_eq!(
            decode::<Vec<String>>(CODEC_BINCODE, &bytes),
            Err(DecodeError::TrailingBytes(1))
        );
        let huge = [253, 255, 255, 255, 255, 255, 255, 255, 127];
        assert!(matches!(
            decode::<Vec<String>>(CODEC_BINCODE, &huge),
            Err(DecodeError::Malformed(_))
        ));
        assert_eq!(
            decode::<String>(9, b"\0"),
            Err(DecodeError::UnknownCodec(9))
        );
    }
}

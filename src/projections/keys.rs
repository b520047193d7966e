// SPDX-License-Identifier: Apache-2.0
//! Keys and values inside a view: one tag byte, then fixed-width big-endian parts, so that the
//! order of keys is the order of what they name.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Cause;
use crate::events::{CODEC_BINCODE, RecordHeader, decode, encode_into};
use crate::integrity::digest;

use super::ProjectionError;

/// Names of any length become keys of 16 bytes; the name itself is in the value.
pub(super) fn name_key(name: &str) -> [u8; 16] {
    let mut short = [0; 16];
    for (to, from) in short.iter_mut().zip(digest(name.as_bytes())) {
        *to = from;
    }
    short
}

pub(super) fn key(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
    key.push(tag);
    for part in parts {
        key.extend_from_slice(part);
    }
    key
}

/// As [`key`], without a detour over the heap: `N` is the length of all parts and one.
pub(super) fn fixed_key<const N: usize>(tag: u8, parts: &[&[u8]]) -> [u8; N] {
    let mut key = [tag; N];
    let mut at = 1;
    for part in parts {
        let end = at + part.len();
        if let Some(to) = key.get_mut(at..end) {
            to.copy_from_slice(part);
        }
        at = end;
    }
    debug_assert_eq!(at, N, "parts of another length");
    key
}

/// Whether this is the first record of its execution's stream: views that the stream alone brings
/// about hold nothing of it yet.
pub(super) fn begins_execution(header: &RecordHeader) -> bool {
    header.stream_version == 1 && header.stream.as_bytes() == header.execution.as_bytes()
}

/// View values may change shape with the projection's version: nothing here is frozen.
pub(super) fn pack<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_into(value, &mut bytes);
    bytes
}

pub(super) fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ProjectionError> {
    decode(CODEC_BINCODE, bytes).map_err(|error| ProjectionError::Damaged(Cause::of(error)))
}

/// The last eight bytes of a key, where keys end in a number.
pub(super) fn trailing_u64(key: &[u8]) -> Result<u64, ProjectionError> {
    key.last_chunk::<8>()
        .map(|bytes| u64::from_be_bytes(*bytes))
        .ok_or_else(|| ProjectionError::Damaged("a key is cut short".into()))
}

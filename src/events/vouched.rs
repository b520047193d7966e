// SPDX-License-Identifier: Apache-2.0
//! The event by which the journal vouches for finished segments of views.

use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// Longest name of a view, in bytes.
const VIEW_BYTES_MAX: usize = 64;

/// Segments of views are finished and synced: what a view holds of these records has this digest. The ledger alone
/// writes it, and never when it is idle. A segment in a file is believed only where such a record, behind all that it
/// is made of, states it.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewsSealedV1 {
    /// The segments, 1 to [`ViewsSealedV1::SEGMENTS_MAX`].
    #[serde(deserialize_with = "segments")]
    pub segments: Vec<VouchedSegment>,
}

impl ViewsSealedV1 {
    /// No record states more segments (64).
    pub const SEGMENTS_MAX: usize = 64;
}

/// A finished segment of a view, as a record states it.
///
/// Example: [`Event`](crate::events::Event).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VouchedSegment {
    /// The view's name: 1 to 64 of `a-z`, `0-9` and `_`.
    pub view: String,
    /// Version of the view that made it.
    pub version: u32,
    /// Number of the first record that it is made of; 1 or more.
    pub first_seq: u64,
    /// Number of the last record that it is made of; not below the first.
    pub last_seq: u64,
    /// Digest of its root, which covers all of it.
    #[serde(with = "super::readable::hex")]
    pub digest: super::Hash,
}

impl VouchedSegment {
    /// Whether it is one that a record may state: another one neither is written nor decodes.
    pub(crate) fn is_valid(&self) -> bool {
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        (1..=VIEW_BYTES_MAX).contains(&self.view.len())
            && self.view.bytes().all(letter)
            && (1..=self.last_seq).contains(&self.first_seq)
    }
}

/// Reads no more than there may be, and takes no room for what a length claims.
fn segments<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<VouchedSegment>, D::Error> {
    struct Bounded;

    impl<'de> Visitor<'de> for Bounded {
        type Value = Vec<VouchedSegment>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "1 to {} segments", ViewsSealedV1::SEGMENTS_MAX)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut segments = Vec::new();
            while let Some(segment) = list.next_element::<VouchedSegment>()? {
                if segments.len() == ViewsSealedV1::SEGMENTS_MAX {
                    return Err(Error::invalid_length(segments.len() + 1, &self));
                }
                if !segment.is_valid() {
                    return Err(Error::custom("a segment that no view has"));
                }
                segments.push(segment);
            }
            match segments.is_empty() {
                true => Err(Error::invalid_length(0, &self)),
                false => Ok(segments),
            }
        }
    }

    deserializer.deserialize_seq(Bounded)
}

super::readable::debug_as_read!(ViewsSealedV1, VouchedSegment);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{CODEC_BINCODE, DecodeError, Event, Wire};

    fn segment() -> VouchedSegment {
        VouchedSegment {
            view: "indexes".to_owned(),
            version: 3,
            first_seq: 1,
            last_seq: 65_536,
            digest: [7; 32],
        }
    }

    fn decoded(segments: Vec<VouchedSegment>) -> Result<Event, DecodeError> {
        let mut payload = Vec::new();
        Event::from(ViewsSealedV1 { segments }).encode_into(&mut payload);
        Event::decode(ViewsSealedV1::TYPE, 1, CODEC_BINCODE, &payload)
    }

    #[test]
    fn a_record_states_one_to_sixty_four_segments() {
        for count in [1, 2, ViewsSealedV1::SEGMENTS_MAX] {
            let segments = vec![segment(); count];
            let event = ViewsSealedV1 {
                segments: segments.clone(),
            };
            assert_eq!(decoded(segments), Ok(event.into()));
        }
        for count in [0, ViewsSealedV1::SEGMENTS_MAX + 1] {
            let refused = decoded(vec![segment(); count]).unwrap_err();
            assert!(
                refused.to_string().contains("1 to 64 segments"),
                "{refused}"
            );
        }
        // A length that claims more than there is takes no room.
        let huge = [253, 255, 255, 255, 255, 255, 255, 255, 127];
        let refused = Event::decode(ViewsSealedV1::TYPE, 1, CODEC_BINCODE, &huge);
        assert!(matches!(refused, Err(DecodeError::Malformed(_))));
    }

    #[test]
    fn a_segment_that_no_view_has_does_not_decode() {
        type Wrong = fn(&mut VouchedSegment);
        let wrong: [Wrong; 7] = [
            |it| it.view.clear(),
            |it| it.view = "a".repeat(65),
            |it| it.view = "../views".to_owned(),
            |it| it.view = "Indexes".to_owned(),
            |it| it.first_seq = 0,
            |it| it.last_seq = 0,
            |it| it.first_seq = it.last_seq + 1,
        ];
        for (number, wrong) in wrong.iter().enumerate() {
            let mut bad = segment();
            wrong(&mut bad);
            assert!(!bad.is_valid(), "{number}");
            assert!(decoded(vec![segment(), bad]).is_err(), "{number}");
        }
        let mut longest = segment();
        (longest.view, longest.first_seq) = ("a".repeat(64), longest.last_seq);
        assert!(decoded(vec![longest]).is_ok());
    }
}

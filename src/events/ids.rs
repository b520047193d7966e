// SPDX-License-Identifier: Apache-2.0
//! Identifiers: one newtype for each number that could be swapped for another; and digests.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::readable::hex::{Hex, unhex};

/// A 32-byte digest.
///
/// Example: [`Record`](crate::events::Record).
pub type Hash = [u8; 32];

/// A text is not a valid identifier: 32 hexadecimal digits, not all zero.
///
/// ```
/// use femtoclaw_ledger::events::{ExecutionId, IdError};
/// assert_eq!("none".parse::<ExecutionId>(), Err(IdError));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id is 32 hexadecimal digits, not all zero")]
pub struct IdError;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// As text it is 32 hexadecimal digits, for `Display`, `FromStr` and serde's formats for people; a binary format
        /// holds its 16 bytes. `[u8; 16]` converts both ways, `uuid::Uuid` too with the feature `uuid`:
        ///
        /// ```
        #[doc = concat!("use femtoclaw_ledger::events::", stringify!($name), ";")]
        #[doc = concat!("let id: ", stringify!($name), " = \"018f3c2a9b7e7d10a1b2c3d4e5f60718\".parse()?;")]
        #[doc = concat!("assert_eq!(", stringify!($name), "::try_from(*id.as_bytes()), Ok(id));")]
        /// assert_eq!(id.to_string(), "018f3c2a9b7e7d10a1b2c3d4e5f60718");
        /// # Ok::<(), femtoclaw_ledger::events::IdError>(())
        /// ```
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The all-zero value: *none*. No command accepts it as an id.
            pub const NIL: Self = Self([0; 16]);

            /// Wraps 16 bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 16 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// True for the all-zero value.
            #[must_use]
            pub fn is_nil(&self) -> bool {
                self.0 == [0; 16]
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&Hex(&self.0), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse_hex(text).map(Self)
            }
        }

        impl TryFrom<[u8; 16]> for $name {
            type Error = IdError;

            /// Refuses the all-zero value, as text is.
            fn try_from(bytes: [u8; 16]) -> Result<Self, IdError> {
                if bytes == [0; 16] {
                    return Err(IdError);
                }
                Ok(Self(bytes))
            }
        }

        impl From<$name> for [u8; 16] {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    return serializer.collect_str(self);
                }
                self.0.serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    return deserializer.deserialize_str(HexText).map(Self);
                }
                Deserialize::deserialize(deserializer).map(Self)
            }
        }

        #[cfg(feature = "uuid")]
        impl From<uuid::Uuid> for $name {
            /// The nil UUID becomes the nil id, which no command accepts.
            fn from(uuid: uuid::Uuid) -> Self {
                Self(uuid.into_bytes())
            }
        }

        #[cfg(feature = "uuid")]
        impl From<$name> for uuid::Uuid {
            fn from(id: $name) -> Self {
                Self::from_bytes(id.0)
            }
        }
    };
}

/// Reads an id as text: what is stored may be nil, which stands for none.
struct HexText;

impl serde::de::Visitor<'_> for HexText {
    type Value = [u8; 16];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("32 hexadecimal digits")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<[u8; 16], E> {
        let expected = || E::invalid_value(serde::de::Unexpected::Str(text), &self);
        unhex(text).ok_or_else(expected)
    }
}

fn parse_hex(text: &str) -> Result<[u8; 16], IdError> {
    unhex(text).filter(|bytes| *bytes != [0; 16]).ok_or(IdError)
}

id! {
    /// Names one ledger for ever; minted when its directory is created.
    LedgerId
}
id! {
    /// Names one capability execution, globally unique (FC-STORAGE §5).
    ExecutionId
}
id! {
    /// Names one command of one component: sending it again is answered with the first receipt.
    CommandId
}
id! {
    /// Names one stream: the events of one entity, versioned.
    StreamId
}
id! {
    /// Names the session or the execution that asked for an execution.
    ParentId
}
id! {
    /// The 16-byte W3C trace id that a runtime carries through.
    TraceId
}
id! {
    /// Stands for whom records are about: made of that person's id and a key of the ledger, so that it names nobody to who
    /// has not both.
    SubjectId
}
id! {
    /// Names one agent runtime (FC-STORAGE §9).
    RuntimeId
}

/// Names one component that was granted rights; interned by a `ComponentGranted` record.
/// Component 0 is the ledger itself.
///
/// Example: [`Record`](crate::events::Record).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ComponentId(pub u32);

impl ComponentId {
    /// The ledger itself: author of the records that nobody commands.
    pub const LEDGER: Self = Self(0);
}

impl fmt::Display for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A record's place in the one global order: from 1, gapless.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(NonZeroU64);

impl Seq {
    /// The first record's place.
    pub const FIRST: Self = Self(NonZeroU64::MIN);

    /// `None` for zero.
    #[must_use]
    pub fn new(value: u64) -> Option<Self> {
        NonZeroU64::new(value).map(Self)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }

    /// The place `count` further on; stays at the end of the range rather than wrap.
    #[must_use]
    pub fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_what_it_prints_and_nothing_else() {
        let id = ExecutionId::from_bytes([0xAB; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        // A number may have a sign; an id has none.
        let signed = format!("+{}", "1".repeat(31));
        for bad in ["", "ab", &"0".repeat(32), &"g".repeat(32), &signed] {
            assert_eq!(bad.parse::<ExecutionId>(), Err(IdError), "{bad}");
        }
        assert_eq!(ExecutionId::try_from([0xAB; 16]), Ok(id));
        assert_eq!(ExecutionId::try_from([0; 16]), Err(IdError));
        assert_eq!(<[u8; 16]>::from(id), [0xAB; 16]);
    }

    #[test]
    fn an_id_is_sixteen_bytes_where_no_person_reads() {
        let config = bincode::config::standard();
        for id in [TraceId::from_bytes([0xAB; 16]), TraceId::NIL] {
            let bytes = bincode::serde::encode_to_vec(id, config).unwrap();
            assert_eq!(bytes, id.as_bytes());
            let (read, _) =
                bincode::serde::decode_from_slice::<TraceId, _>(&bytes, config).unwrap();
            assert_eq!(read, id);
        }
    }

    #[cfg(feature = "engine")]
    #[test]
    fn an_id_is_text_where_people_read() {
        let id = CommandId::from_bytes([0x1C; 16]);
        let text = serde_json::to_string(&(id, CommandId::NIL)).unwrap();
        let nil = "0".repeat(32);
        assert_eq!(text, format!(r#"["{id}","{nil}"]"#));
        // From a reader a text is not borrowed.
        let read: (CommandId, CommandId) = serde_json::from_reader(text.as_bytes()).unwrap();
        assert_eq!(read, (id, CommandId::NIL));
        for bad in [r#""1c""#, "28", r#"[28,28]"#] {
            assert!(serde_json::from_str::<CommandId>(bad).is_err(), "{bad}");
        }
    }

    #[cfg(feature = "uuid")]
    #[test]
    fn an_id_is_a_uuid_and_back() {
        let id = CommandId::from_bytes([0x1C; 16]);
        let uuid = uuid::Uuid::from(id);
        assert_eq!(uuid.as_bytes(), id.as_bytes());
        assert_eq!(CommandId::from(uuid), id);
    }
}

//! Identifiers: one newtype for each number that could be swapped for another; and digests.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A 32-byte digest.
pub type Hash = [u8; 32];

/// A text is not a valid identifier: 32 hexadecimal digits, not all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id is 32 hexadecimal digits, not all zero")]
pub struct IdError;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
        #[serde(transparent)]
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
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
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
    };
}

fn parse_hex(text: &str) -> Result<[u8; 16], IdError> {
    if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(IdError);
    }
    match u128::from_str_radix(text, 16) {
        Ok(0) | Err(_) => Err(IdError),
        Ok(value) => Ok(value.to_be_bytes()),
    }
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
    /// Names one agent runtime (FC-STORAGE §9).
    RuntimeId
}

/// Names one component that was granted rights; interned by a `ComponentGranted` record.
/// Component 0 is the ledger itself.
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
        for bad in ["", "ab", &"0".repeat(32), &"g".repeat(32), &"+".repeat(32)] {
            assert_eq!(bad.parse::<ExecutionId>(), Err(IdError), "{bad}");
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
//! What a layer says of a key, and what two layers say together.

use super::SegmentError;

/// What a layer says of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::projections) enum Op {
    /// The key had no value before: where its end lies in the same layer, nothing of it is left. Of a key of which this
    /// is ever said, [`Op::Delete`] is said only where it has a value: else what is left depends on which neighbours
    /// were composed first, and so do the bytes of a segment. Readers find the same.
    New(Vec<u8>),
    /// The key has this value now, whatever it had before.
    Put(Vec<u8>),
    /// The key has no value any more.
    Delete,
}

impl Op {
    /// The same, lent.
    pub(in crate::projections) fn as_ref(&self) -> OpRef<'_> {
        match self {
            Self::New(value) => OpRef::New(value),
            Self::Put(value) => OpRef::Put(value),
            Self::Delete => OpRef::Delete,
        }
    }
}

/// An [`Op`] whose value lies elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::projections) enum OpRef<'a> {
    /// See [`Op::New`].
    New(&'a [u8]),
    /// See [`Op::Put`].
    Put(&'a [u8]),
    /// See [`Op::Delete`].
    Delete,
}

impl<'a> OpRef<'a> {
    /// A copy of its own.
    pub(in crate::projections) fn to_op(self) -> Op {
        match self {
            Self::New(value) => Op::New(value.to_vec()),
            Self::Put(value) => Op::Put(value.to_vec()),
            Self::Delete => Op::Delete,
        }
    }

    /// The value that the key has.
    pub(in crate::projections) fn value(self) -> Option<&'a [u8]> {
        match self {
            Self::New(value) | Self::Put(value) => Some(value),
            Self::Delete => None,
        }
    }

    pub(super) fn kind(self) -> OpKind {
        match self {
            Self::New(_) => OpKind::New,
            Self::Put(_) => OpKind::Put,
            Self::Delete => OpKind::Delete,
        }
    }
}

/// An operation without its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OpKind {
    New = 0,
    Put = 1,
    Delete = 2,
}

impl OpKind {
    pub(super) fn of_bits(bits: u64) -> Option<Self> {
        match bits {
            0 => Some(Self::New),
            1 => Some(Self::Put),
            2 => Some(Self::Delete),
            _ => None,
        }
    }

    pub(super) fn with(self, value: &[u8]) -> OpRef<'_> {
        match self {
            Self::New => OpRef::New(value),
            Self::Put => OpRef::Put(value),
            Self::Delete => OpRef::Delete,
        }
    }

    /// What an older and a newer layer say together; the value is always the newer one's. `None` where they say
    /// nothing: the key came and went.
    pub(super) fn composed(older: Self, newer: Self) -> Option<Self> {
        match (older, newer) {
            (Self::New, Self::Delete) => None,
            (Self::New, Self::New | Self::Put) => Some(Self::New),
            // Something lay there before: further down there may be a value still.
            (Self::Delete, Self::New) => Some(Self::Put),
            (_, newer) => Some(newer),
        }
    }

    /// What is left of it where nothing lies below.
    pub(super) fn at_bottom(self) -> Option<Self> {
        match self {
            Self::New | Self::Put => Some(Self::Put),
            Self::Delete => None,
        }
    }
}

/// What an older and a newer layer say of one key together; `None` where it came and went between them. Which
/// neighbours are composed first is no matter, where [`Op::New`] is said as it is to be.
pub(in crate::projections) fn compose(older: &Op, newer: Op) -> Option<Op> {
    let kind = OpKind::composed(older.as_ref().kind(), newer.as_ref().kind())?;
    Some(match (kind, newer) {
        (OpKind::New, Op::New(value) | Op::Put(value)) => Op::New(value),
        (OpKind::Put, Op::New(value) | Op::Put(value)) => Op::Put(value),
        (_, newer) => newer,
    })
}

/// Takes entries in the order of their keys, each key once.
pub(in crate::projections) trait EntrySink {
    /// Takes one.
    ///
    /// # Errors
    /// Where it could not be written.
    fn push(&mut self, key: &[u8], op: OpRef<'_>) -> Result<(), SegmentError>;
}

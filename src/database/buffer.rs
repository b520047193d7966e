// SPDX-License-Identifier: Apache-2.0
//! The bytes of one value of the database.

use std::io::{self, Read};
use std::ops::Deref;

use fjall::Slice;

/// Immutable bytes, shared: a clone copies none of them.
///
/// The engine's own buffer is in it and does not show, so a journal without the engine takes the same frames. The engine takes it
/// over and gives it back as it is: a frame's payload is copied once on its way to the disk, into this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ValueBuffer(Slice);

impl ValueBuffer {
    /// So many bytes of what is read.
    ///
    /// # Errors
    /// As `parts` says, and where it ends before.
    pub(crate) fn read(parts: &mut impl Read, length: u32) -> io::Result<Self> {
        Slice::from_reader(parts, length as usize).map(Self)
    }

    /// No bytes.
    pub(crate) fn empty() -> Self {
        Self(Slice::empty())
    }
}

impl Deref for ValueBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for ValueBuffer {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl From<Slice> for ValueBuffer {
    fn from(bytes: Slice) -> Self {
        Self(bytes)
    }
}

impl From<ValueBuffer> for Slice {
    fn from(buffer: ValueBuffer) -> Self {
        buffer.0
    }
}

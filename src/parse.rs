// SPDX-License-Identifier: Apache-2.0
//! Fields of a fixed size, read from the front of bytes.

/// Takes `N` bytes off the front; `None` where there are fewer, and nothing is taken.
pub(crate) fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}

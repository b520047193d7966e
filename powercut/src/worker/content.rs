// SPDX-License-Identifier: Apache-2.0
//! Ids, and the contents that follow from them: so whoever finds a record can tell whether its bytes
//! are the ones that were sent.

use crate::random::Random;

pub(crate) type Id = [u8; 16];

/// The id of a caller's `number`-th command in a run.
pub(crate) fn id(run: u32, caller: u32, number: u64, is_large: bool) -> Id {
    let mut id = [0; 16];
    id[0] = if is_large { 2 } else { 1 };
    id[1..5].copy_from_slice(&run.to_be_bytes());
    id[5..8].copy_from_slice(&caller.to_be_bytes()[1..]);
    id[8..].copy_from_slice(&number.to_be_bytes());
    id
}

/// True where an id is one of these.
pub(crate) const fn is_ours(id: &Id) -> bool {
    matches!(id[0], 1 | 2) && id[1] < 0x80
}

/// A JSON string of 20 bytes to 1.5 KiB, or of 200 to 800 KiB.
pub(crate) fn content(id: &Id) -> Vec<u8> {
    let seed = u128::from_be_bytes(*id);
    let mut random = Random::new((seed >> 64) as u64 ^ (seed as u64).rotate_left(17));
    let len = match id[0] {
        2 => 200_000 + random.below(600_000),
        _ => 20 + random.below(1_500),
    };
    let mut text = Vec::with_capacity(len as usize + 2);
    text.push(b'"');
    while (text.len() as u64) < len {
        let word = random.next().to_le_bytes();
        text.extend(word.iter().map(|byte| b'a' + byte % 26));
    }
    text.push(b'"');
    text
}

pub(crate) fn hex(id: &Id) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

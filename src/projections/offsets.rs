// SPDX-License-Identifier: Apache-2.0
//! Places in a range of 65,536 sequence numbers, as the value of one key. The same places have the same bytes, however
//! they came together: fewer than 4,096 are listed, two bytes each, ascending; more are a bit each, in 8,192 bytes.

/// From so many on a bit for each place takes no more room than a list.
const MANY: usize = 4_096;
const BITMAP_BYTES: usize = 8_192;

/// Places in a range, to be compared with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Offsets {
    /// Ascending.
    Listed(Vec<u16>),
    /// A bit each, the lowest of a word first.
    Bits(Vec<u64>),
}

impl Offsets {
    /// `None` where these bytes are none that [`insert`] makes.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() == BITMAP_BYTES {
            let bits = Self::Bits(bytes.as_chunks().0.iter().map(word).collect());
            return (bits.len() >= MANY).then_some(bits);
        }
        let (pairs, []) = bytes.as_chunks::<2>() else {
            return None;
        };
        let listed: Vec<u16> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
        let fits = !listed.is_empty() && listed.len() < MANY;
        (fits && listed.is_sorted_by(|a, b| a < b)).then_some(Self::Listed(listed))
    }

    /// How many they are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Listed(listed) => listed.len(),
            Self::Bits(bits) => bits.iter().map(|word| word.count_ones() as usize).sum(),
        }
    }

    fn contains(&self, offset: u16) -> bool {
        match self {
            Self::Listed(listed) => listed.binary_search(&offset).is_ok(),
            Self::Bits(bits) => {
                let word = bits.get(usize::from(offset / 64));
                word.is_some_and(|word| word >> (offset % 64) & 1 == 1)
            }
        }
    }

    /// Those that are in both.
    pub(super) fn common(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Bits(one), Self::Bits(two)) => {
                Self::Bits(one.iter().zip(two).map(|(one, two)| one & two).collect())
            }
            (Self::Listed(few), Self::Listed(many)) if few.len() <= many.len() => {
                Self::Listed(listed_in(few, other))
            }
            (_, Self::Listed(few)) => Self::Listed(listed_in(few, self)),
            (Self::Listed(few), Self::Bits(_)) => Self::Listed(listed_in(few, other)),
        }
    }

    /// All of them, ascending.
    pub(super) fn listed(self) -> Vec<u16> {
        let bits = match self {
            Self::Listed(listed) => return listed,
            Self::Bits(bits) => bits,
        };
        let mut listed = Vec::new();
        for (mut word, first) in bits.into_iter().zip((0_u16..).step_by(64)) {
            while word != 0 {
                listed.push(first + word.trailing_zeros() as u16);
                word &= word - 1;
            }
        }
        listed
    }
}

fn listed_in(few: &[u16], many: &Offsets) -> Vec<u16> {
    let both = few.iter().copied();
    both.filter(|offset| many.contains(*offset)).collect()
}

fn word(bytes: &[u8; 8]) -> u64 {
    u64::from_le_bytes(*bytes)
}

/// Adds a place; one that is there already stays once.
pub(super) fn insert(bytes: &mut Vec<u8>, offset: u16) {
    if let Some((byte, bit)) = bit_of(bytes, offset) {
        *byte |= bit;
        return;
    }
    let pairs = bytes.as_chunks::<2>().0;
    let new = offset.to_be_bytes();
    let at = match pairs.last() {
        Some(last) if *last >= new => match pairs.binary_search(&new) {
            Ok(_) => return,
            Err(at) => at,
        },
        _ => pairs.len(),
    };
    bytes.splice(2 * at..2 * at, new);
    if bytes.len() == 2 * MANY {
        let listed = std::mem::replace(bytes, vec![0; BITMAP_BYTES]);
        for pair in listed.as_chunks::<2>().0 {
            if let Some((byte, bit)) = bit_of(bytes, u16::from_be_bytes(*pair)) {
                *byte |= bit;
            }
        }
    }
}

/// Takes a place away. Nothing is left of the last one.
pub(super) fn remove(bytes: &mut Vec<u8>, offset: u16) {
    if let Some((byte, bit)) = bit_of(bytes, offset) {
        *byte &= !bit;
        let bits = Offsets::Bits(bytes.as_chunks().0.iter().map(word).collect());
        if bits.len() < MANY {
            let listed = bits.listed();
            *bytes = listed.into_iter().flat_map(u16::to_be_bytes).collect();
        }
        return;
    }
    if let Ok(at) = bytes
        .as_chunks::<2>()
        .0
        .binary_search(&offset.to_be_bytes())
    {
        bytes.drain(2 * at..2 * at + 2);
    }
}

/// The place's byte and bit, where there is a bit for each.
fn bit_of(bytes: &mut [u8], offset: u16) -> Option<(&mut u8, u8)> {
    if bytes.len() != BITMAP_BYTES {
        return None;
    }
    let byte = bytes.get_mut(usize::from(offset / 8))?;
    Some((byte, 1 << (offset % 8)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn bytes(places: &BTreeSet<u16>) -> Vec<u8> {
        let mut bytes = Vec::new();
        places.iter().for_each(|it| insert(&mut bytes, *it));
        bytes
    }

    fn places() -> impl Strategy<Value = BTreeSet<u16>> {
        let some = prop::collection::btree_set(any::<u16>(), 1..300);
        let many = (0..60_000_u16, 4_000..5_500_u16, 1..3_usize);
        let many = many.prop_map(|(from, length, step)| {
            let to = from.saturating_add(length);
            (from..to).step_by(step).collect()
        });
        prop_oneof![some, many.clone(), many]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn places_are_those_that_were_put_there(one in places(), two in places()) {
            let (encoded, other) = (bytes(&one), bytes(&two));
            let decoded = |bytes: &[u8]| Offsets::decode(bytes).unwrap();
            prop_assert_eq!(decoded(&encoded).len(), one.len());
            prop_assert_eq!(decoded(&encoded).listed(), one.iter().copied().collect::<Vec<_>>());
            let common: Vec<u16> = one.intersection(&two).copied().collect();
            prop_assert_eq!(decoded(&encoded).common(&decoded(&other)).listed(), common);
            // In another order, and with others that are taken away again.
            let (mut others, mut back) = (other, bytes(&two));
            one.iter().rev().for_each(|it| insert(&mut others, *it));
            prop_assert_eq!(&others, &bytes(&(&one | &two)));
            (&one - &two).iter().for_each(|it| remove(&mut others, *it));
            prop_assert_eq!(&others, &back);
            two.iter().for_each(|it| remove(&mut back, *it));
            prop_assert!(back.is_empty());
        }
    }

    #[test]
    fn other_bytes_are_no_places() {
        assert!(Offsets::decode(&[]).is_none());
        assert!(Offsets::decode(&[1]).is_none());
        assert!(Offsets::decode(&[0, 2, 0, 2]).is_none());
        assert!(Offsets::decode(&[0; BITMAP_BYTES]).is_none());
        assert!(Offsets::decode(&vec![0; BITMAP_BYTES + 2]).is_none());
        assert!(Offsets::decode(&[0, 2, 0, 3]).is_some());
    }
}

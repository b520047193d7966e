// SPDX-License-Identifier: Apache-2.0
//! The records' contents: JSON texts of exactly one length, of which no compression makes much less.

/// Texts made in advance, one after the other.
pub(crate) struct Payloads(Vec<Vec<u8>>);

const DIFFERENT: usize = 64;
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Payloads {
    /// JSON strings of this length, at least two bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        let one = |_| {
            let mut text: Vec<u8> = (0..bytes.max(2)).map(|_| random.letter()).collect();
            if let [first, .., last] = text.as_mut_slice() {
                (*first, *last) = (b'"', b'"');
            }
            text
        };
        Self((0..DIFFERENT).map(one).collect())
    }

    /// A copy of one of them: what a caller would have made for itself.
    pub(crate) fn get(&self, number: u64) -> Vec<u8> {
        let index = (number % DIFFERENT as u64) as usize;
        self.0.get(index).cloned().unwrap_or_default()
    }
}

/// xorshift64*: the same numbers in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Between 0 and 1, neither included.
    pub(crate) fn fraction(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn letter(&mut self) -> u8 {
        let index = (self.next() >> 58) as usize;
        LETTERS.get(index).copied().unwrap_or(b'x')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_json_of_their_length() {
        let payloads = Payloads::new(312);
        for number in 0..100 {
            let text = payloads.get(number);
            assert_eq!(text.len(), 312);
            assert!(serde_json::from_slice::<String>(&text).is_ok());
        }
        assert_ne!(payloads.get(0), payloads.get(1));
    }
}

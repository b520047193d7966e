// SPDX-License-Identifier: Apache-2.0
//! Hashes side by side are those that the public functions give.

use crate::integrity::{CHAIN_CONTEXT, Chain, PAYLOAD_CONTEXT};

/// Lengths around every block's and chunk's end, each in a crowd of others and many times over.
#[test]
fn hashes_side_by_side_are_those_of_the_public_functions() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let noise: Vec<u8> = (0..8_192).map(|_| random() as u8).collect();
    let any = (0..200).map(|_| random() as usize % 3_000);
    let lengths: Vec<usize> = (0..1_100).chain([2_048, 2_049, 4_096]).chain(any).collect();
    for times in [1, 19] {
        let inputs = lengths
            .iter()
            .flat_map(|length| std::iter::repeat_n(*length, times));
        let inputs: Vec<&[u8]> = inputs
            .enumerate()
            .map(|(at, length)| &noise[at * 7 % 4_096..][..length])
            .collect();
        let chain = Chain::default();
        let [mut records, mut payloads] = [(); 2].map(|()| vec![[0; 32]; inputs.len()]);
        chain.record_hashes(&inputs, &mut records);
        chain.payload_commitments(&inputs, &mut payloads);
        for (context, hashes) in [(CHAIN_CONTEXT, records), (PAYLOAD_CONTEXT, payloads)] {
            for (input, hash) in inputs.iter().zip(hashes) {
                let length = input.len();
                assert_eq!(hash, blake3::derive_key(context, input), "{length} bytes");
            }
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
use crate::integrity::{FieldDigest, digest};

#[test]
fn fields_hash_as_their_lengths_and_bytes_however_long_they_are() {
    for lengths in [
        vec![],
        vec![0, 3],
        vec![2_000, 40, 8],
        vec![1, 9_000, 2, 2_048, 7],
    ] {
        let mut fields = FieldDigest::new("domain");
        let mut plain = [&6_u64.to_le_bytes()[..], b"domain"].concat();
        for length in lengths {
            let field = vec![7; length];
            fields.add(&field);
            plain.extend_from_slice(&(length as u64).to_le_bytes());
            plain.extend_from_slice(&field);
        }
        assert_eq!(fields.finish(), digest(&plain), "{} bytes", plain.len());
    }
}

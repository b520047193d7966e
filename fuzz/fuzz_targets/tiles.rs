// SPDX-License-Identifier: Apache-2.0
//! Paths of tiles, and an export whose every file is the same input.
#![no_main]

use std::convert::Infallible;

use femtoclaw_ledger::integrity::checkpoint::Checkpoint;
use femtoclaw_ledger::integrity::export::{ExportSource, verify_export};
use femtoclaw_ledger::integrity::merkle::{
    Tile, TileSource, TreeHash, consistency, frontier, inclusion,
};
use libfuzzer_sys::fuzz_target;

struct Same<'a>(&'a [u8]);

impl TileSource for Same<'_> {
    type Error = Infallible;

    fn tile(&self, tile: Tile) -> Result<Vec<u8>, Infallible> {
        // Of the right length as often as not, or nothing but the length would be tested.
        let wanted = usize::from(tile.width()) * 32;
        let mut bytes = self.0.to_vec();
        if self.0.first().is_some_and(|byte| byte % 2 == 0) {
            bytes.resize(wanted, 0);
        }
        Ok(bytes)
    }
}

impl ExportSource for Same<'_> {
    fn entries(&self, _: Tile) -> Result<Vec<u8>, Infallible> {
        Ok(self.0.to_vec())
    }
}

fuzz_target!(|bytes: &[u8]| {
    if let Some(path) = std::str::from_utf8(bytes).ok()
        && let Ok(tile) = Tile::from_path(path)
    {
        assert_eq!(tile.path(), path);
    }
    let Some((numbers, rest)) = bytes.split_first_chunk::<16>() else {
        return;
    };
    let (a, b) = numbers.split_at(8);
    let size = u64::from_le_bytes(a.try_into().unwrap_or_default());
    let other = u64::from_le_bytes(b.try_into().unwrap_or_default());
    let source = Same(rest);
    let _ = inclusion(&source, size, other);
    let _ = consistency(&source, other, size);
    let _ = frontier(&source, size);
    if let Ok(checkpoint) = Checkpoint::new("o", size, TreeHash::from_bytes([7; 32])) {
        assert!(verify_export(&source, &checkpoint, |_, _| {}).is_err());
    }
});

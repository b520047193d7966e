// SPDX-License-Identifier: Apache-2.0
//! Which segments make up the generation that serves, and which record of the journal vouches for each.
//!
//! A manifest is a table of contents and no proof: what it says is believed where the journal says so too.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::database::{Damage, files};
use crate::events::Hash;
use crate::projections::error::HaltReason;

const FORMAT: u32 = 1;
/// Lines for some 100,000 segments.
const MANIFEST_BYTES_MAX: u64 = 16 << 20;

/// The segments of the generation that serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    format: u32,
    pub(super) version: u32,
    pub(super) generation: u64,
    /// From the first record on, without a gap.
    pub(super) segments: Vec<ManifestEntry>,
}

/// One segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ManifestEntry {
    pub(super) first_seq: u64,
    pub(super) last_seq: u64,
    #[serde(with = "hex")]
    pub(super) digest: Hash,
    /// The record that states it; 0 where these views have nobody who vouches.
    pub(super) vouched_by: u64,
}

impl Manifest {
    pub(super) const fn new(version: u32, generation: u64, segments: Vec<ManifestEntry>) -> Self {
        Self {
            format: FORMAT,
            version,
            generation,
            segments,
        }
    }

    /// `None` where there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, Damage> {
        let damaged = |what: String| Damage::of(path, what);
        let bytes = match files::read(path, MANIFEST_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Damage::io(path, error)),
        };
        let read: Self = serde_json::from_slice(&bytes).map_err(|it| damaged(it.to_string()))?;
        if read.format != FORMAT {
            return Err(damaged(format!("format {} is not known", read.format)));
        }
        let mut next = 1;
        for entry in &read.segments {
            if entry.first_seq != next || entry.last_seq < next || entry.last_seq == u64::MAX {
                return Err(damaged(format!("no segment begins with record {next}")));
            }
            next = entry.last_seq + 1;
        }
        Ok(Some(read))
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), HaltReason> {
        let told = |error: io::Error| HaltReason::io(path, &error);
        let mut text = serde_json::to_vec_pretty(self).map_err(|error| told(error.into()))?;
        text.push(b'\n');
        files::replace(path, &text).map_err(told)
    }
}

/// A manifest as it was last written or read.
pub(super) struct StatedManifest {
    pub(super) path: PathBuf,
    pub(super) manifest: Manifest,
}

impl StatedManifest {
    /// The file still says so.
    pub(super) fn check(&self) -> Result<(), Damage> {
        let path = &self.path;
        match Manifest::read(path)? {
            Some(found) if found == self.manifest => Ok(()),
            Some(_) => Err(Damage::of(
                path,
                "it names other segments than were written",
            )),
            None => Err(Damage::of(path, "it is missing")),
        }
    }
}

mod hex {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::events::Hash;

    pub(super) fn serialize<S: Serializer>(hash: &Hash, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{:x}", base16ct::HexDisplay(hash)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Hash, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        let mut hash = [0; 32];
        let read = base16ct::lower::decode(text.as_bytes(), &mut hash);
        let whole = read.is_ok_and(|read| read.len() == size_of::<Hash>());
        whole
            .then_some(hash)
            .ok_or_else(|| D::Error::custom("a digest is not 64 hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn entry(first_seq: u64, last_seq: u64) -> ManifestEntry {
        ManifestEntry {
            first_seq,
            last_seq,
            digest: [0xa5; 32],
            vouched_by: last_seq + 3,
        }
    }

    #[test]
    fn a_manifest_comes_back_as_it_was_written_and_one_with_a_gap_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("manifest.json");
        assert_eq!(Manifest::read(&path).unwrap(), None);
        let whole = Manifest::new(3, 7, vec![entry(1, 9), entry(10, 10)]);
        whole.write(&path).unwrap();
        assert_eq!(Manifest::read(&path).unwrap(), Some(whole));
        for segments in [
            vec![entry(2, 9)],
            vec![entry(1, 9), entry(9, 12)],
            vec![entry(1, 9), entry(11, 12)],
            vec![entry(1, 0)],
        ] {
            Manifest::new(3, 7, segments).write(&path).unwrap();
            assert!(Manifest::read(&path).is_err());
        }
    }

    /// Every byte that is lost, and every one that is another.
    #[test]
    fn a_manifest_that_was_changed_is_damaged_or_says_something_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("manifest.json");
        let whole = Manifest::new(3, 7, vec![entry(1, 9), entry(10, 10)]);
        whole.write(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for at in 0..bytes.len() - 1 {
            std::fs::write(&path, &bytes[..at]).unwrap();
            assert!(Manifest::read(&path).is_err());
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x01;
            std::fs::write(&path, &flipped).unwrap();
            match Manifest::read(&path) {
                Err(_) => {}
                Ok(Some(read)) => assert!(read != whole || bytes[at].is_ascii_whitespace()),
                other => panic!("{other:?}"),
            }
        }
    }
}

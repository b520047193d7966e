// SPDX-License-Identifier: Apache-2.0
//! The file `SUBJECTS`: the key by which a ledger makes pseudonyms of those whom records are about. It lies beside the
//! journal and never in it, so that a record alone, an export or a copy of the journal identifies nobody.
//!
//! The file is written once, when the ledger is made, and from then on only read. A missing one is never made again in
//! silence: earlier pseudonyms would be found by no id any more.

use std::io;
use std::path::Path;

use base16ct::HexDisplay;
use zeroize::Zeroizing;

use crate::clock::Entropy;
use crate::database::files;
use crate::error::OpenError;
use crate::events::{LedgerId, SubjectId};
use crate::integrity;

const FIRST_LINE: &str = "femtoclaw-ledger subjects";
const FORMAT: u32 = 1;
/// Larger than any file of these lines; what is larger is none.
const BYTES_MAX: u64 = 1024;

/// The key of one ledger's pseudonyms.
pub(crate) struct SubjectKey(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SubjectKey")
    }
}

impl SubjectKey {
    /// Makes a new key and its file, in the place of whatever has the name.
    ///
    /// # Errors
    /// As the operating system says.
    pub(crate) fn create(path: &Path, ledger: LedgerId, entropy: &dyn Entropy) -> io::Result<Self> {
        let mut key = Zeroizing::new([0; 32]);
        for half in key.chunks_mut(16) {
            half.copy_from_slice(&entropy.bytes16());
        }
        let key = Self(key);
        files::replace(path, key.encode(ledger).as_bytes())?;
        Ok(key)
    }

    /// Reads the file, and touches nothing.
    ///
    /// # Errors
    /// [`OpenError::SubjectKey`] where there is none, where it is damaged, or of another ledger; [`OpenError::OddFile`]
    /// and those of the operating system.
    pub(crate) fn read(path: &Path, ledger: LedgerId) -> Result<Self, OpenError> {
        let unusable = |problem: &str| OpenError::SubjectKey {
            path: path.to_owned(),
            problem: problem.to_owned(),
        };
        let bytes = match files::read(path, BYTES_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(unusable("it is missing"));
            }
            read => Zeroizing::new(read.map_err(|error| OpenError::io(path, error))?),
        };
        let (key, of) = Self::decode(&bytes)
            .ok_or_else(|| unusable("it is damaged: its lines do not match its checksum"))?;
        match of == ledger {
            true => Ok(key),
            false => Err(unusable(&format!("it is of ledger {of}, not of {ledger}"))),
        }
    }

    /// The same key in a new file, for a copy of the same ledger.
    ///
    /// # Errors
    /// As the operating system says.
    pub(crate) fn write(&self, path: &Path, ledger: LedgerId) -> io::Result<()> {
        files::replace(path, self.encode(ledger).as_bytes())
    }

    /// The pseudonym of the subject with this id, which is taken byte for byte.
    pub(crate) fn pseudonym(&self, id: &str) -> SubjectId {
        let hash = integrity::keyed_digest(&self.0, id.as_bytes());
        SubjectId::from_bytes(hash.first_chunk().copied().unwrap_or_default())
    }

    fn encode(&self, ledger: LedgerId) -> Zeroizing<String> {
        // Never grows, so no copy of it is left behind.
        let mut text = Zeroizing::new(String::with_capacity(BYTES_MAX as usize));
        let key = HexDisplay(&*self.0);
        let lines = format_args!("{FIRST_LINE}\nformat {FORMAT}\nledger {ledger}\nkey {key:x}\n");
        let written = std::fmt::Write::write_fmt(&mut *text, lines);
        debug_assert!(written.is_ok(), "a text takes what is written to it");
        let digest = integrity::digest(text.as_bytes());
        text.push_str(&format!("checksum {:x}\n", HexDisplay(&digest)));
        text
    }

    fn decode(bytes: &[u8]) -> Option<(Self, LedgerId)> {
        let mut lines = std::str::from_utf8(bytes).ok()?.lines();
        let mut field = |name: &str| lines.find_map(|line| line.strip_prefix(name));
        let ledger = field("ledger ")?.parse().ok()?;
        let mut key = Zeroizing::new([0; 32]);
        let decoded = base16ct::lower::decode(field("key ")?, &mut *key).ok()?;
        if decoded.len() != 32 {
            return None;
        }
        let key = Self(key);
        // Every byte is compared: the first line, format and checksum too.
        (key.encode(ledger).as_bytes() == bytes).then_some((key, ledger))
    }
}

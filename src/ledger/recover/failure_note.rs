// SPDX-License-Identifier: Apache-2.0
//! The word of a writer that failed: it cannot append any more, so it leaves a note beside the
//! journal, and the next opening makes a record of it. (FC-STORAGE §20–21)

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use base16ct::HexDisplay;

use crate::database::{self, files};
use crate::events::StorageFailedV1;
use crate::integrity::{digest, text::show_into};

pub(in crate::ledger) const NOTE: &str = "failure.note";
/// Beside the note.
const QUARANTINE: &str = "quarantine";
/// No longer note is believed.
const NOTE_BYTES_MAX: u64 = 64 << 10;

/// So much of it becomes a record, with nothing in it that deceives: whoever could write into the directory could
/// have written it.
const TOLD_CHARS_MAX: usize = 1_024;
const UNTRUSTED: &str = "a note beside the journal, which nothing vouches for, says: ";

/// Where the note goes.
#[derive(Clone)]
pub(in crate::ledger) struct FailureNote(PathBuf);

/// What an earlier writer left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ledger) struct LastWords {
    pub(in crate::ledger) failed: StorageFailedV1,
    /// The name in quarantine, where the note is not what a writer left.
    kept: Option<String>,
}

impl FailureNote {
    pub(in crate::ledger) fn in_directory(root: &Path) -> Self {
        Self(root.join(NOTE))
    }

    /// Best effort: the medium that failed may refuse this too. The seal itself rests on nothing
    /// that is written here.
    pub(in crate::ledger) fn leave(&self, failed_ns: i64, cause: &str) {
        let mut text = format!("{failed_ns}\n{cause}\n");
        text.push_str(&checksum(&text));
        if let Err(error) = database::replace(&self.0, text.as_bytes()) {
            tracing::error!(%error, "the failure could not be noted for the next opening");
        }
    }

    /// What an earlier writer left. A note that is not whole is told of too, and its words are not
    /// repeated.
    pub(in crate::ledger) fn read(&self) -> Option<LastWords> {
        let mut bytes = Vec::new();
        let note = files::open(&self.0).ok()?;
        note.take(NOTE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        if let Some(failed) = parse(&bytes) {
            return Some(LastWords { failed, kept: None });
        }
        let short: String = checksum(&String::from_utf8_lossy(&bytes))
            .trim_start_matches("checksum ")
            .chars()
            .take(8)
            .collect();
        let kept = format!("failure-{short}.note");
        let cause = format!(
            "an earlier writer failed; its note is damaged, and kept as {QUARANTINE}/{kept}"
        );
        Some(LastWords {
            failed: StorageFailedV1 {
                failed_ns: 0,
                cause,
            },
            kept: Some(kept),
        })
    }

    /// The record is durable: the note has done its work. A damaged one is kept.
    pub(in crate::ledger) fn clear(&self, read: &LastWords) {
        // Not synced: a note that comes back after a power cut is told once more, and no harm.
        let cleared = match &read.kept {
            None => fs::remove_file(&self.0),
            Some(kept) => {
                let quarantine = self.0.with_file_name(QUARANTINE);
                database::ensure_private(&quarantine)
                    .and_then(|()| fs::rename(&self.0, quarantine.join(kept)))
            }
        };
        if let Err(error) = cleared
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "the note of an earlier failure stays");
        }
    }
}

/// The last line of a note that says `text`.
fn checksum(text: &str) -> String {
    format!("checksum {:x}\n", HexDisplay(&digest(text.as_bytes())))
}

fn told(cause: &str) -> String {
    let mut text = UNTRUSTED.to_owned();
    let mut chars = cause.chars();
    let most: String = chars.by_ref().take(TOLD_CHARS_MAX).collect();
    show_into(&most, &mut text);
    if chars.next().is_some() {
        text.push('…');
    }
    text
}

fn parse(bytes: &[u8]) -> Option<StorageFailedV1> {
    let note = std::str::from_utf8(bytes).ok()?;
    let text = note.get(..note.rfind("checksum ")?)?;
    if note.strip_prefix(text)? != checksum(text) {
        return None;
    }
    let (failed_ns, cause) = text.split_once('\n')?;
    Some(StorageFailedV1 {
        failed_ns: failed_ns.parse().ok()?,
        cause: told(cause.trim()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_back_until_it_is_cleared() {
        let directory = tempfile::tempdir().unwrap();
        let note = FailureNote::in_directory(directory.path());
        assert_eq!(note.read(), None);
        note.leave(7, "sync failed\nchecksum of something");
        let found = note.read().unwrap();
        let cause = format!("{UNTRUSTED}sync failed\\u{{a}}checksum of something");
        assert_eq!(
            (found.failed.failed_ns, found.failed.cause, &found.kept),
            (7, cause, &None)
        );
        note.clear(&note.read().unwrap());
        assert_eq!(note.read(), None);
        assert!(!directory.path().join(QUARANTINE).exists());
    }

    /// Its checksum needs no key: a forged one must not speak in the ledger's name.
    #[test]
    fn a_forged_note_is_bounded_and_marked() {
        let directory = tempfile::tempdir().unwrap();
        let note = FailureNote::in_directory(directory.path());
        note.leave(
            7,
            &format!("all is well\u{1b}[2J\u{202e}{}", "x".repeat(60_000)),
        );
        let cause = note.read().unwrap().failed.cause;
        assert!(cause.starts_with(UNTRUSTED), "{cause}");
        assert!(cause.contains("\\u{1b}[2J\\u{202e}x"), "{cause}");
        assert!(cause.chars().count() < 1_200 && cause.ends_with('…'));
    }

    /// Whole as it is, it is longer than any that a writer leaves: its end is not read.
    #[test]
    fn a_note_without_end_is_not_read_to_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let note = FailureNote::in_directory(directory.path());
        let most = usize::try_from(NOTE_BYTES_MAX).unwrap();
        note.leave(7, &"x".repeat(most / 2));
        assert_eq!(note.read().unwrap().kept, None);
        note.leave(7, &"x".repeat(most));
        let found = note.read().unwrap();
        assert!(found.kept.is_some() && found.failed.failed_ns == 0);
    }

    /// Every bit, and every length: told, never repeated as if it had been said, and kept.
    #[test]
    fn a_damaged_note_is_told_of_and_kept() {
        let directory = tempfile::tempdir().unwrap();
        let note = FailureNote::in_directory(directory.path());
        note.leave(7, "sync failed");
        let whole = fs::read(&note.0).unwrap();
        let flipped = (0..whole.len() * 8).map(|bit| {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        });
        let cut = (0..whole.len()).map(|length| whole[..length].to_vec());
        for bytes in flipped.chain(cut) {
            fs::write(&note.0, &bytes).unwrap();
            let found = note.read().unwrap();
            let kept = found.kept.clone().unwrap();
            assert!(found.failed.cause.ends_with(&kept), "{found:?}");
            note.clear(&found);
            assert_eq!(note.read(), None);
            let kept = directory.path().join(QUARANTINE).join(kept);
            assert_eq!(fs::read(&kept).unwrap(), bytes);
        }
    }
}

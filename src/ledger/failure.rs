//! The word of a writer that failed: it cannot append any more, so it leaves a note beside the
//! journal, and the next opening makes a record of it. (FC-STORAGE §20–21)

use std::fs;
use std::path::{Path, PathBuf};

use crate::database;
use crate::events::StorageFailedV1;

pub(super) const NOTE: &str = "failure.note";
/// No longer note is believed.
const NOTE_BYTES_MAX: u64 = 64 << 10;

/// Where the note goes.
#[derive(Clone)]
pub(super) struct FailureNote(PathBuf);

impl FailureNote {
    pub(super) fn in_directory(root: &Path) -> Self {
        Self(root.join(NOTE))
    }

    /// Best effort: the medium that failed may refuse this too. The seal itself rests on nothing
    /// that is written here.
    pub(super) fn leave(&self, failed_ns: i64, cause: &str) {
        let text = format!("{failed_ns}\n{cause}\n");
        if let Err(error) = database::replace(&self.0, text.as_bytes()) {
            tracing::error!(%error, "the failure could not be noted for the next opening");
        }
    }

    /// What an earlier writer left, where it left something legible.
    pub(super) fn read(&self) -> Option<StorageFailedV1> {
        let length = fs::metadata(&self.0).ok()?.len();
        let text = fs::read_to_string(&self.0)
            .ok()
            .filter(|_| length <= NOTE_BYTES_MAX)?;
        let (failed_ns, cause) = text.split_once('\n')?;
        Some(StorageFailedV1 {
            failed_ns: failed_ns.parse().ok()?,
            cause: cause.trim().to_owned(),
        })
    }

    /// The record is durable: the note has done its work.
    pub(super) fn clear(&self) {
        // Not synced: a note that comes back after a power cut is told once more, and no harm.
        if let Err(error) = fs::remove_file(&self.0)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "the note of an earlier failure stays");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FailureNote;

    #[test]
    fn a_note_is_read_back_until_it_is_cleared() {
        let directory = tempfile::tempdir().unwrap();
        let note = FailureNote::in_directory(directory.path());
        assert_eq!(note.read(), None);
        note.leave(7, "sync failed");
        let found = note.read().unwrap();
        assert_eq!((found.failed_ns, found.cause.as_str()), (7, "sync failed"));
        note.clear();
        assert_eq!(note.read(), None);
    }
}

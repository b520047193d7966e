// SPDX-License-Identifier: Apache-2.0
//! Completeness without trust in the ledger's numbering: every header up to a checkpoint is read.

use super::{Bundle, RECORDS_MAX, Stream, StreamError, StreamReader};
use crate::events::{HEADER_LEN, Seq};
use crate::integrity::checkpoint::{Checkpoint, CheckpointTextError};
use crate::integrity::export::{ExportError, ExportSource, verify_export};
use crate::integrity::merkle::{self, ProofError};

/// An export does not show that a bundle is complete, or shows that it is not.
///
/// Example: `cli/tests/verifier/evidence/scan.rs`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError<E: std::error::Error + 'static> {
    /// The bundle's note is no checkpoint.
    #[error("the bundle's checkpoint is not one")]
    Checkpoint(#[from] CheckpointTextError),
    /// The export is of another log.
    #[error("the export is of the log {0:?}")]
    OtherLog(String),
    /// The export ends before the bundle's checkpoint.
    #[error("the export ends at record {size}, before the bundle's checkpoint")]
    Short {
        /// Where it ends.
        size: u64,
    },
    /// The export is not what its checkpoint says.
    #[error("the export cannot be used")]
    Export(#[from] ExportError<E>),
    /// The export's history is another than that of the bundle's checkpoint.
    #[error("the export does not extend the bundle's checkpoint at {size} records")]
    OtherHistory {
        /// Records that the bundle's checkpoint covers.
        size: u64,
        /// What does not fit.
        #[source]
        source: ProofError,
    },
    /// A record of the execution's stream is in the export and not in the bundle.
    #[error("record {0} is of the execution's stream, and the bundle leaves it out")]
    Missing(Seq),
    /// The bundle has a record that is not in the export, or more than can be.
    #[error("the bundle and the export do not have the same records of the execution's stream")]
    Different,
    /// Up to the end of the export the records break the ledger's rules.
    #[error("the ledger broke its own rules")]
    Stream(#[source] StreamError),
}

impl<E: std::error::Error + 'static> ScanError<E> {
    /// What the source said, where it failed.
    #[must_use]
    pub const fn source_error(&self) -> Option<&E> {
        match self {
            Self::Export(error) => error.source_error(),
            _ => None,
        }
    }
}

/// What every header up to a checkpoint says.
///
/// Example: `cli/tests/verifier/evidence/scan.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Scanned {
    /// Records that were read: all up to the export's checkpoint.
    pub records: u64,
    /// The execution's stream up to there. No other record of it exists among them.
    #[serde(flatten)]
    pub stream: Stream,
    /// Records of others that name the execution, all up to there.
    pub mentions: u64,
}

/// Reads every header of an export whose checkpoint the caller trusts, and holds the bundle against it:
/// the export extends the bundle's checkpoint, up to there the bundle has every record of the
/// execution's stream and no other, and what follows keeps the ledger's rules.
///
/// This is what a bundle alone cannot show: that *no* further record of the execution exists up to
/// the export's checkpoint. The caller verifies the bundle itself with [`Bundle::verify`].
///
/// Example: `cli/tests/verifier/evidence/scan.rs`.
///
/// # Errors
/// [`ScanError`] says what was found.
pub fn scan<S: ExportSource>(
    bundle: &Bundle,
    source: &S,
    export: &Checkpoint,
) -> Result<Scanned, ScanError<S::Error>> {
    let covered = Checkpoint::parse(bundle.checkpoint().text())?;
    if covered.origin() != export.origin() {
        return Err(ScanError::OtherLog(export.origin().to_owned()));
    }
    if export.size() < covered.size() {
        return Err(ScanError::Short {
            size: export.size(),
        });
    }
    let execution = bundle.execution();
    let mut reader = StreamReader::new(execution);
    let (mut found, mut mentions, mut broken) = (Vec::new(), 0, None);
    let verified = verify_export(source, export, |header, entry| {
        if header.execution != execution {
            return;
        }
        if !StreamReader::is_of(execution, header) {
            mentions += 1;
        } else if broken.is_none() {
            broken = reader.next(header).err();
            if header.seq.get() <= covered.size() && found.len() <= RECORDS_MAX {
                found.push((header.seq, entry.to_vec()));
            }
        }
    })?;
    extends(source, &covered, export)?;
    // Before what the ledger did wrong: what the bundle leaves out.
    compare(bundle, &found)?;
    if let Some(error) = broken {
        return Err(ScanError::Stream(error));
    }
    let stream = reader.finish().map_err(ScanError::Stream)?;
    Ok(Scanned {
        records: verified.records,
        stream,
        mentions,
    })
}

fn extends<S: ExportSource>(
    source: &S,
    old: &Checkpoint,
    new: &Checkpoint,
) -> Result<(), ScanError<S::Error>> {
    let proof = merkle::consistency(source, old.size(), new.size());
    let proof = proof.map_err(|error| ScanError::Export(ExportError::Tile(error)))?;
    let size = old.size();
    merkle::verify_consistency(size, old.root(), new.size(), new.root(), &proof)
        .map_err(|source| ScanError::OtherHistory { size, source })
}

fn compare<E: std::error::Error>(
    bundle: &Bundle,
    found: &[(Seq, Vec<u8>)],
) -> Result<(), ScanError<E>> {
    let execution = bundle.execution();
    let mut items = bundle.items().iter();
    let mut entry = Vec::with_capacity(HEADER_LEN);
    for (seq, scanned) in found {
        let item = items.find(|item| StreamReader::is_of(execution, &item.header));
        let Some(item) = item.filter(|item| item.header.seq <= *seq) else {
            return Err(ScanError::Missing(*seq));
        };
        entry.clear();
        item.header.encode_into(&mut entry);
        if entry != *scanned {
            return Err(ScanError::Different);
        }
    }
    match items.find(|item| StreamReader::is_of(execution, &item.header)) {
        Some(_) => Err(ScanError::Different),
        None => Ok(()),
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Evidence of one execution, made from an open ledger: its records, their proofs, the checkpoint.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::error::{Cause, ReadError, Retry};
use crate::events::{ComponentId, EventType, ExecutionId, Record, Seq, Store, StoreMask};
use crate::integrity::evidence::{
    BUNDLE_BYTES_MAX, BUNDLE_FILE, Bundle, Item, MakeError, Naming, Opening, PAGE_FILE,
    RECORDS_MAX, StreamReader,
};
use crate::integrity::key::VerifierKey;
use crate::integrity::merkle::{self, TreeHash};
use crate::integrity::note::Note;
use crate::projections::Filter;

use super::checkpoints::CheckpointError;
use super::export::put;
use crate::ledger::read::reads::Reads;
use crate::ledger::read::views::unviewable;

/// Records that are asked for at a time.
const PAGE: usize = 64;

/// What evidence is made of.
#[derive(Debug, Clone, Default)]
pub struct EvidenceOptions {
    /// The checkpoint that the proofs lead to, with the cosignatures that it has gathered; `None`: the
    /// newest that the ledger recorded.
    pub checkpoint: Option<Note>,
    /// Has a new checkpoint signed, and recorded, where that one does not cover the execution; without
    /// it that is [`EvidenceError::NotCovered`]. Takes the right
    /// [`Rights::sign_checkpoints`](crate::Rights::sign_checkpoints), whether one is needed or not.
    pub sign: bool,
    /// Keys of witnesses: of the checkpoint's cosignatures those by these keys are taken along.
    pub witnesses: Vec<VerifierKey>,
    /// Leaves payloads and salts out, and with them the names of components: headers, proofs and commitments verify all the same.
    pub withhold_payloads: bool,
    /// Leaves out what others recorded about the execution.
    pub without_mentions: bool,
}

/// No evidence could be made. Nothing that was recorded is touched by it.
///
/// Example: [`evidence`](crate::evidence).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// The records could not be read, or may not be: it takes the right to read the audit log, but for
    /// [`EvidenceOptions::withhold_payloads`] the payloads of the execution log, and to have checkpoints signed where
    /// that is asked for.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// No record of this execution is known.
    #[error("no such execution: {0}")]
    Unknown(ExecutionId),
    /// No record names the ledger.
    #[error("no record of an opening names the ledger")]
    Unnamed,
    /// No checkpoint was signed yet, or the newest one, or the one given, does not cover the
    /// execution: have one signed (`Root::checkpoint`, or
    /// [`EvidenceOptions::sign`]).
    #[error(
        "record {seq}, which belongs to the evidence, came after the checkpoint at {size} records: sign one"
    )]
    NotCovered {
        /// The last record of the execution's stream, or the opening that names the ledger.
        seq: Seq,
        /// Records that the checkpoint covers; 0: there is none.
        size: u64,
    },
    /// The ledger signs no checkpoints, this one is not its own, the tree cannot be read, or
    /// signing failed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The records that were read make no evidence.
    #[error(transparent)]
    Make(#[from] MakeError),
    /// The files could not be written.
    #[error("the evidence could not be written: {0}")]
    Write(#[source] Cause),
}

impl EvidenceError {
    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Read(error) => error.code(),
            Self::Unknown(_) => "unknown_execution",
            Self::Unnamed => "unnamed",
            Self::NotCovered { .. } => "not_covered",
            Self::Checkpoint(_) => "checkpoint",
            Self::Make(MakeError::TooLarge) => "too_large",
            Self::Make(_) => "unsound",
            Self::Write(_) => "write",
        }
    }

    /// Whether to ask again.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        match self {
            Self::Read(error) => error.retry(),
            // A checkpoint comes by itself, where the ledger signs them.
            Self::NotCovered { .. } => Retry::Safe,
            Self::Checkpoint(error) => error.retry(),
            _ => Retry::Never,
        }
    }
}

/// Records of an execution, as far as they were wanted.
#[derive(Default)]
struct WantedRecords {
    records: Vec<Record>,
    /// The last one of its stream.
    last: Option<Seq>,
}

impl Reads {
    /// Makes evidence of one execution: every record of its stream, what others recorded about it as
    /// far as the grant may read it, payloads of other stores too, the grants that name the components which caused them, and a proof of each that leads to a signed checkpoint. See
    /// [`crate::integrity::evidence`] for what it shows.
    ///
    /// Cancel safe: it gives nothing, and what was signed for it stays signed.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub async fn evidence(
        &self,
        execution: ExecutionId,
        options: EvidenceOptions,
    ) -> Result<Bundle, EvidenceError> {
        let (core, signing) = (&self.inner.core, &self.inner.signing);
        // Every record of an execution is in the audit log: who may not read it would get a part.
        let audit = StoreMask::NONE.with(Store::AuditLog);
        core.may_read(&self.grant.0, audit)
            .map_err(ReadError::from)?;
        if !options.withhold_payloads {
            core.may_read_payloads(&self.grant.0, Store::ExecutionLog)
                .map_err(ReadError::from)?;
        }
        if options.sign {
            let may = core.may_sign(&self.grant.0);
            may.map_err(ReadError::from)?;
        }
        // Before the records: those that a later one covers would be missing.
        let mut note = match options.checkpoint.clone() {
            Some(note) => Some(note),
            None => self.newest_checkpoint().await?,
        };
        let mut found = self.records_of(execution, &options).await?;
        let last = found.last.ok_or(EvidenceError::Unknown(execution))?;
        let opening = self.opening().await?;
        let last = last.max(opening.header.seq);
        let mut size = match &note {
            Some(note) => signing.checkpoints.own(note)?.size(),
            None => 0,
        };
        if size < last.get() && options.sign {
            let signed = super::proofs::signed(signing).await?;
            size = signing.checkpoints.own(&signed)?.size();
            note = Some(signed);
            // What came in between is covered too, and would be missing.
            found = self.records_of(execution, &options).await?;
        } else if size < last.get() {
            return Err(EvidenceError::NotCovered { seq: last, size });
        }
        let Some(note) = note else {
            return Err(EvidenceError::NotCovered { seq: last, size });
        };
        found
            .records
            .retain(|record| record.header.seq.get() <= size);
        let mut names = match options.withhold_payloads {
            true => Vec::new(),
            false => self.names_of(&found.records).await?,
        };
        let records = found.records.iter().map(|it| it.header.seq);
        let named = names.iter().map(|naming: &Naming| naming.header.seq);
        let seqs = records.chain(named).chain([opening.header.seq]);
        let mut paths = self.paths(seqs.collect(), size).await?;
        let opening = Opening {
            header: opening.header,
            path: paths.pop().unwrap_or_default(),
        };
        let named = paths.split_off(found.records.len().min(paths.len()));
        names
            .iter_mut()
            .zip(named)
            .for_each(|(naming, path)| naming.path = path);
        let items: Vec<_> = found.records.into_iter().zip(paths).map(item).collect();
        let mut keys = signing.checkpoints.keys();
        keys.extend(options.witnesses);
        let make = move || Bundle::new(opening, execution, names, items, &note, &keys);
        let made = tokio::task::spawn_blocking(make).await;
        Ok(made.map_err(|_| CheckpointError::Stopped)??)
    }

    /// Makes evidence and writes it into the new directory `path`, as `evidence.txt` and, for people,
    /// `page.html`; readable by their owner alone until somebody hands them on.
    ///
    /// Cancelled while it writes, it goes on to its end: `path` may be there afterwards.
    ///
    /// # Errors
    /// As [`Reads::evidence`]; `Write`, also where `path` exists.
    pub async fn write_evidence(
        &self,
        execution: ExecutionId,
        options: EvidenceOptions,
        path: impl AsRef<Path>,
    ) -> Result<Bundle, EvidenceError> {
        let path = std::path::absolute(path.as_ref());
        let path = path.map_err(|error| EvidenceError::Write(Cause::of(error)))?;
        let bundle = self.evidence(execution, options).await?;
        let work = move || write(&path, bundle);
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|_| CheckpointError::Stopped)?
    }

    /// The newest checkpoint that the journal tells of.
    async fn newest_checkpoint(&self) -> Result<Option<Note>, EvidenceError> {
        let (core, signing) = (&self.inner.core, &self.inner.signing);
        let reached = signing
            .checkpoints
            .reached(core.reader.head().count())
            .await;
        reached.map_err(CheckpointError::Tree)?;
        let tree = signing.checkpoints.tree.clone();
        let read = tokio::task::spawn_blocking(move || tree.newest_checkpoint()).await;
        let read = read.map_err(|_| CheckpointError::Stopped)?;
        let newest = read.map_err(CheckpointError::Tree)?;
        Ok(newest.found.and_then(|bytes| Note::parse(&bytes).ok()))
    }

    /// The first record that names this ledger: record 1, but where earlier software began it.
    async fn opening(&self) -> Result<Record, EvidenceError> {
        let mut from = 1;
        loop {
            let filter = Filter {
                event_type: Some(EventType::LedgerOpened),
                seq: Some(from..=u64::MAX),
                ..Filter::default()
            };
            let page = self.query(filter, PAGE).await?;
            let last = page.last().map(|record| record.header.seq);
            let names = |it: &Record| Opening::ledger(&it.header) == Some(self.inner.id());
            if let Some(found) = page.into_iter().find(names) {
                return Ok(found);
            }
            // This opening names it, so there is one.
            let last = last.ok_or(EvidenceError::Unnamed)?;
            from = last.get().saturating_add(1);
        }
    }

    /// What names the execution, in pages, so that others cannot fill memory by writing about it.
    async fn records_of(
        &self,
        execution: ExecutionId,
        options: &EvidenceOptions,
    ) -> Result<WantedRecords, EvidenceError> {
        let (mut found, mut bytes, mut from) = (WantedRecords::default(), 0, 1);
        loop {
            let filter = Filter {
                execution: Some(execution),
                seq: Some(from..=u64::MAX),
                ..Filter::default()
            };
            let page = self.query(filter, PAGE).await?;
            let ends = page.len() < PAGE;
            for mut record in page {
                let seq = record.header.seq;
                from = seq.get().saturating_add(1);
                let own = StreamReader::is_of(execution, &record.header);
                if own {
                    found.last = Some(seq);
                } else if options.without_mentions {
                    continue;
                }
                if options.withhold_payloads {
                    record.content = None;
                }
                bytes += record.payload().map_or(0, <[u8]>::len);
                found.records.push(record);
            }
            if found.records.len() > RECORDS_MAX || bytes > BUNDLE_BYTES_MAX / 2 {
                return Err(MakeError::TooLarge.into());
            }
            if ends {
                return Ok(found);
            }
        }
    }

    /// The first grant of each component that caused one of the records, found by the indexes. One that cannot be
    /// found, or not be read by this software, is left out: the bundle tells who is not named.
    async fn names_of(&self, records: &[Record]) -> Result<Vec<Naming>, EvidenceError> {
        let mut components: BTreeMap<ComponentId, Seq> = BTreeMap::new();
        for header in records.iter().map(|record| &record.header) {
            let first = components.entry(header.component);
            first.or_insert(header.seq);
        }
        components.remove(&ComponentId::LEDGER);
        let rights = self.grant.rights();
        let (reader, indexes) = (
            self.inner.core.reader.clone(),
            self.inner.set.indexes.clone(),
        );
        let read = move || {
            let mut names = Vec::new();
            for (component, first) in components {
                let found = indexes.first_grant(component).map_err(unviewable)?;
                // It stands before whatever the component caused, or it is not what names it.
                let Some(seq) = found.filter(|seq| *seq < first) else {
                    continue;
                };
                let record = reader.get(seq).map_err(ReadError::from)?;
                let naming = record.and_then(|it| rights.shown(it)).and_then(Naming::new);
                let names_it = |it: &Naming| it.named().is_some_and(|it| it.component == component);
                names.extend(naming.filter(names_it));
            }
            names.sort_by_key(|naming| naming.header.seq);
            Ok(names)
        };
        Ok(self.given(read).await?)
    }

    async fn paths(
        &self,
        seqs: Vec<Seq>,
        size: u64,
    ) -> Result<Vec<Vec<TreeHash>>, CheckpointError> {
        self.inner
            .signing
            .checkpoints
            .read_tree(move |tree| {
                let paths = seqs.iter();
                paths
                    .map(|seq| merkle::inclusion(tree, size, seq.get() - 1))
                    .collect()
            })
            .await
    }
}

fn item((record, path): (Record, Vec<TreeHash>)) -> Item {
    Item::new(record, path)
}

fn write(path: &Path, bundle: Bundle) -> Result<Bundle, EvidenceError> {
    let failed = |error: std::io::Error| EvidenceError::Write(Cause::of(error));
    if path.exists() {
        return Err(EvidenceError::Write(
            format!("{} exists", path.display()).into(),
        ));
    }
    let mut creating = path.as_os_str().to_owned();
    creating.push(".creating");
    let creating = Path::new(&creating);
    if creating.exists() {
        fs::remove_dir_all(creating).map_err(failed)?;
    }
    put(&creating.join(BUNDLE_FILE), bundle.to_string().as_bytes()).map_err(failed)?;
    put(&creating.join(PAGE_FILE), bundle.page().as_bytes()).map_err(failed)?;
    fs::rename(creating, path)
        .and_then(|()| crate::database::sync_parent(path))
        .map_err(failed)?;
    Ok(bundle)
}

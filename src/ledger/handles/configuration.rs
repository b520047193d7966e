// SPDX-License-Identifier: Apache-2.0
//! The configuration store's handle (FC-STORAGE §8).

use super::super::blocking::blocking;
use super::handle::{Handle, Wanted};
use super::to_caller::misfit;
use super::watch::Watch;
use crate::actors::{DocumentInForce, InForce, Reply};
use crate::commands::{Change, Changed, Command, Rollback};
use crate::error::{AppendError, ReadError};
use crate::events::{Event, Store};
use crate::integrity::digest;
use crate::journal::Reader;
use crate::ledger::read::history_lookup::decoded;
use crate::ledger::read::views::ViewSet;
use crate::projections::{AsOf, DiffLine, DocumentVersion, VersionInfo};

/// Names, states, versions, places and times of this store.
const STANDING: Wanted = Wanted::Standing(Store::Configuration);
/// The texts and bytes that components wrote into this store.
const PAYLOADS: Wanted = Wanted::Payloads(Store::Configuration);

/// The configuration store (FC-STORAGE §8).
///
/// Every read holds what this ledger acknowledged before the call, by whichever handle. Reads wait
/// for the view that answers them, at most for a minute, without blocking a thread; where it is
/// halted or being made again they are an error at once (`unavailable`, `recovering`).
/// [`Configuration::current`] and [`Configuration::content`] need no view. Dropping a read ends the
/// wait and nothing else.
///
/// Example: [`configuration`](crate::configuration).
#[derive(Clone)]
pub struct Configuration(pub(in crate::ledger) Handle);

impl Configuration {
    async fn changed(&self, command: Command) -> Result<Changed, AppendError> {
        let answered = self.0.ask(command).await?;
        match answered.reply {
            Reply::Changed { version } => Ok(Changed {
                version,
                receipt: answered.receipt,
            }),
            _ => Err(misfit(answered.receipt)),
        }
    }

    /// Gives a document new content.
    ///
    /// Cancelled before it is on its way it leaves nothing; after that it may be committed, which
    /// its command id tells ([`Ledger::lookup`](crate::Ledger::lookup)).
    ///
    /// # Errors
    /// `VersionConflict`, `Rejected` by a validator; otherwise [`AppendError`].
    pub async fn change(&self, change: Change) -> Result<Changed, AppendError> {
        self.changed(Command::Change(change)).await
    }

    /// Gives a document the content of an earlier version, as a new version.
    ///
    /// Cancelled before it is on its way it leaves nothing; after that it may be committed, which
    /// its command id tells ([`Ledger::lookup`](crate::Ledger::lookup)).
    ///
    /// # Errors
    /// As [`Configuration::change`].
    pub async fn rollback(&self, rollback: Rollback) -> Result<Changed, AppendError> {
        self.changed(Command::Rollback(rollback)).await
    }

    /// The document in force: by [`Ledger::in_force`](crate::Ledger::in_force), so never less than
    /// what was acknowledged before the call. Reads the journal and no view. A damaged one is an
    /// error, never a default.
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn current(&self, document: &str) -> Result<Option<DocumentVersion>, ReadError> {
        self.content(&self.0.inner.in_force(), document).await
    }

    /// The document as `in_force` has it, also after it changed again: for whoever decides by that
    /// snapshot. Reads the journal and no view; the content is compared with the snapshot's digest.
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    /// `ForeignSnapshot` where it is of another ledger; otherwise [`ReadError`].
    pub async fn content(
        &self,
        in_force: &InForce,
        document: &str,
    ) -> Result<Option<DocumentVersion>, ReadError> {
        self.0.may_read(PAYLOADS)?;
        if in_force.ledger() != self.0.inner.id() {
            return Err(ReadError::ForeignSnapshot);
        }
        let Some(found) = in_force.document(document) else {
            return Ok(None);
        };
        let (reader, document) = (self.0.inner.core.reader.clone(), document.to_owned());
        blocking(move || content(&reader, &document, found).map(Some)).await
    }

    /// One version of a document.
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn version(
        &self,
        document: &str,
        version: u64,
    ) -> Result<Option<DocumentVersion>, ReadError> {
        let document = document.to_owned();
        let read = move |set: &ViewSet| set.configuration.version(&document, version);
        self.0.read(PAYLOADS, read).await
    }

    /// Every version of a document: who, when, why, from which version.
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn history(&self, document: &str) -> Result<Vec<VersionInfo>, ReadError> {
        let document = document.to_owned();
        let read = move |set: &ViewSet| set.configuration.history(&document);
        self.0.read(PAYLOADS, read).await
    }

    /// The version in force at a place or time.
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn as_of(
        &self,
        document: &str,
        at: AsOf,
    ) -> Result<Option<DocumentVersion>, ReadError> {
        let document = document.to_owned();
        let read = move |set: &ViewSet| set.configuration.as_of(&document, at);
        self.0.read(PAYLOADS, read).await
    }

    /// What changed between two versions, line by line; `None` where one does not exist.
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn diff(
        &self,
        document: &str,
        from: u64,
        to: u64,
    ) -> Result<Option<Vec<DiffLine>>, ReadError> {
        let document = document.to_owned();
        let read = move |set: &ViewSet| set.configuration.diff(&document, from, to);
        self.0.read(PAYLOADS, read).await
    }

    /// All documents' names.
    ///
    /// Cancel safe: it changes nothing.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn documents(&self) -> Result<Vec<String>, ReadError> {
        self.0
            .read(STANDING, |set| set.configuration.documents())
            .await
    }

    /// Watches what is in force of a document: its content, version and record.
    #[must_use]
    pub fn watch(&self, document: &str) -> Watch<DocumentVersion> {
        let positions = self.0.inner.set.configuration.view().watch();
        let document = document.to_owned();
        Watch::new(&self.0, PAYLOADS, positions, move |set, seen| {
            let found = set.configuration.newer_than(&document, seen)?;
            Ok(found.map(|found| (found.info.version, found)))
        })
    }
}

/// The version that `in_force` names, read from its record.
fn content(
    reader: &Reader,
    document: &str,
    in_force: DocumentInForce,
) -> Result<DocumentVersion, ReadError> {
    let seq = in_force.seq;
    let damaged = |problem: &str| ReadError::Damaged {
        seq,
        problem: problem.to_owned(),
    };
    let record = reader.get(seq).map_err(ReadError::from)?;
    let record = record.ok_or_else(|| damaged("it is not there"))?;
    match decoded(&record)? {
        Event::ConfigurationChanged(changed)
            if changed.document == document && changed.version == in_force.version =>
        {
            if digest(&changed.content) != in_force.digest {
                return Err(damaged("its content does not match its digest"));
            }
            Ok(DocumentVersion::of(&record.header, changed))
        }
        _ => Err(damaged("it does not hold the document in force")),
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Configuration documents: the current version, every earlier one, as of any moment (FC-STORAGE §8).
//!
//! Content is checked against its digest at each read. A mismatch is an error and never a default.

use serde::{Deserialize, Serialize};

use crate::events::{
    ComponentId, ConfigurationChangedV1, Event, EventType, Hash, Record, RecordHeader,
};
use crate::integrity::digest;

use super::diff::{DiffLine, diff_lines};
use super::keys::{key, name_key, pack, unpack};
use super::view::reader;
use super::{Projection, ProjectionError, View, ViewBatch, ViewError, ViewSnapshot};

const VERSION: u32 = 1;
/// name key → document: its name and current version.
const DOCUMENT: u8 = b'd';
/// name key, version → version information.
const INFO: u8 = b'i';
/// name key, version → content.
const CONTENT: u8 = b'c';
/// → number of configuration changes.
const TOTAL: u8 = b't';

/// A moment in history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// After this record.
    Seq(u64),
    /// After the last record of this time or earlier, in nanoseconds since 1970.
    Time(i64),
}

impl AsOf {
    pub(super) const fn covers(self, seq: u64, time_ns: i64) -> bool {
        match self {
            Self::Seq(limit) => seq <= limit,
            Self::Time(limit) => time_ns <= limit,
        }
    }
}

/// One version of a document, without its content.
///
/// Example: [`configuration`](crate::configuration).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionInfo {
    /// The document.
    pub document: String,
    /// Its version, from 1.
    pub version: u64,
    /// Number of configuration changes, over all documents, with this one.
    pub configuration_version: u64,
    /// BLAKE3 of the content.
    #[serde(with = "crate::events::readable::hex")]
    pub content_digest: Hash,
    /// Length of the content in bytes.
    pub content_len: u64,
    /// Who.
    pub author: String,
    /// Why.
    pub reason: String,
    /// The version whose content this restores (0: new content).
    pub restored_version: u64,
    /// The record.
    pub seq: u64,
    /// When, in nanoseconds since 1970.
    #[serde(rename = "time", with = "crate::events::readable::time")]
    pub time_ns: i64,
    /// The component that made the change.
    pub component: ComponentId,
}

crate::events::readable::debug_as_read!(VersionInfo);

/// One version of a document.
///
/// Example: [`configuration`](crate::configuration).
#[derive(Clone, PartialEq, Eq, serde::Serialize)]
pub struct DocumentVersion {
    /// Everything but the content.
    #[serde(flatten)]
    pub info: VersionInfo,
    /// The content, byte for byte; it matches its digest.
    #[serde(serialize_with = "crate::events::readable::bytes::serialize")]
    pub content: Vec<u8>,
}

crate::events::readable::debug_as_read!(DocumentVersion);

impl VersionInfo {
    fn of(header: &RecordHeader, change: &ConfigurationChangedV1) -> Self {
        Self {
            document: change.document.clone(),
            version: change.version,
            configuration_version: change.configuration_version,
            content_digest: change.content_digest,
            content_len: change.content.len() as u64,
            author: change.author.clone(),
            reason: change.reason.clone(),
            restored_version: change.restored_version,
            seq: header.seq.get(),
            time_ns: header.time_ns,
            component: header.component,
        }
    }
}

impl DocumentVersion {
    /// The version that a record holds; whether its content matches its digest was compared before.
    pub(crate) fn of(header: &RecordHeader, change: ConfigurationChangedV1) -> Self {
        Self {
            info: VersionInfo::of(header, &change),
            content: change.content,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct DocumentRow {
    name: String,
    version: u64,
}

/// The projection.
///
/// Example: `tests/projections/as_of.rs`.
#[derive(Debug, Clone, Copy, Default)]
pub struct ConfigurationProjection;

impl ConfigurationProjection {
    /// The view's name.
    pub const NAME: &'static str = super::names::CONFIGURATION;
}

impl Projection for ConfigurationProjection {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn version(&self) -> u32 {
        VERSION
    }

    fn wants(&self, header: &RecordHeader) -> bool {
        header.event_type == EventType::ConfigurationChanged
    }

    fn apply(
        &mut self,
        record: &Record,
        event: &Event,
        batch: &mut ViewBatch,
    ) -> Result<(), ProjectionError> {
        if let Event::ConfigurationChanged(change) = event {
            store(record, change, batch);
        }
        Ok(())
    }
}

fn store(record: &Record, change: &ConfigurationChangedV1, batch: &mut ViewBatch) {
    let name = name_key(&change.document);
    let version = change.version.to_be_bytes();
    let info = VersionInfo::of(&record.header, change);
    let document = DocumentRow {
        name: change.document.clone(),
        version: change.version,
    };
    batch.put(&key(INFO, &[&name, &version]), pack(&info));
    batch.put(&key(CONTENT, &[&name, &version]), change.content.clone());
    batch.put(&key(DOCUMENT, &[&name]), pack(&document));
    batch.put(
        &[TOTAL],
        change.configuration_version.to_be_bytes().to_vec(),
    );
}

/// Reads the configuration view, at the view's position: wait for a newer one with
/// [`View::at_least`].
///
/// Example: `tests/projections/as_of.rs`.
#[derive(Debug, Clone)]
pub struct ConfigurationView(View);

reader!(ConfigurationView, ConfigurationProjection, VERSION);

impl ConfigurationView {
    /// The names of all documents, sorted.
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn documents(&self) -> Result<Vec<String>, ViewError> {
        self.read(|snapshot| {
            let mut names = Vec::new();
            for pair in snapshot.scan(&[DOCUMENT], &[DOCUMENT]) {
                names.push(unpack::<DocumentRow>(&pair?.1)?.name);
            }
            names.sort();
            Ok(names)
        })
    }

    /// Number of configuration changes, over all documents.
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn configuration_version(&self) -> Result<u64, ViewError> {
        self.read(|snapshot| {
            let bytes = snapshot.get(&[TOTAL])?.unwrap_or_default();
            Ok(bytes.try_into().map_or(0, u64::from_be_bytes))
        })
    }

    /// The document's current version; `None` where there is no such document.
    ///
    /// # Errors
    /// [`ViewError::ContentDamaged`] where the content fails its digest; else as [`View::read`].
    pub fn current(&self, document: &str) -> Result<Option<DocumentVersion>, ViewError> {
        self.read(|snapshot| {
            let version = current_version(snapshot, document)?;
            load(snapshot, document, version)
        })
    }

    /// The document in force where its version is above `version`; `None` where it is not, or
    /// where there is no document.
    ///
    /// # Errors
    /// As [`ConfigurationView::current`].
    pub fn newer_than(
        &self,
        document: &str,
        version: u64,
    ) -> Result<Option<DocumentVersion>, ViewError> {
        self.read(|snapshot| {
            let current = current_version(snapshot, document)?;
            if current <= version {
                return Ok(None);
            }
            load(snapshot, document, current)
        })
    }

    /// One version of the document; `None` where there is none.
    ///
    /// # Errors
    /// As [`ConfigurationView::current`].
    pub fn version(
        &self,
        document: &str,
        version: u64,
    ) -> Result<Option<DocumentVersion>, ViewError> {
        self.read(|snapshot| load(snapshot, document, version))
    }

    /// All versions of the document, oldest first.
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn history(&self, document: &str) -> Result<Vec<VersionInfo>, ViewError> {
        self.read(|snapshot| {
            let prefix = key(INFO, &[&name_key(document)]);
            let pairs = snapshot.scan(&prefix, &prefix);
            pairs.map(|pair| Ok(unpack(&pair?.1)?)).collect()
        })
    }

    /// The version in force at a moment; `None` where there was none yet.
    ///
    /// # Errors
    /// As [`ConfigurationView::current`].
    pub fn as_of(&self, document: &str, at: AsOf) -> Result<Option<DocumentVersion>, ViewError> {
        self.read(|snapshot| {
            // Versions are gapless and neither their records nor their times ever go back.
            let (mut from, mut beyond) = (0, current_version(snapshot, document)? + 1);
            while beyond - from > 1 {
                let middle = from + (beyond - from) / 2;
                let info = load_info(snapshot, document, middle)?;
                if info.is_some_and(|info| at.covers(info.seq, info.time_ns)) {
                    from = middle;
                } else {
                    beyond = middle;
                }
            }
            load(snapshot, document, from)
        })
    }

    /// What changed, line by line, from one version to another; `None` where one is missing.
    ///
    /// # Errors
    /// As [`ConfigurationView::current`].
    pub fn diff(
        &self,
        document: &str,
        from: u64,
        to: u64,
    ) -> Result<Option<Vec<DiffLine>>, ViewError> {
        self.read(|snapshot| {
            let from = load(snapshot, document, from)?;
            let to = load(snapshot, document, to)?;
            Ok(from
                .zip(to)
                .map(|(from, to)| diff_lines(&from.content, &to.content)))
        })
    }
}

fn current_version(snapshot: &ViewSnapshot, document: &str) -> Result<u64, ViewError> {
    let found: Option<DocumentRow> = snapshot.value(&key(DOCUMENT, &[&name_key(document)]))?;
    Ok(found.map_or(0, |document| document.version))
}

fn load_info(
    snapshot: &ViewSnapshot,
    document: &str,
    version: u64,
) -> Result<Option<VersionInfo>, ViewError> {
    snapshot.value(&key(INFO, &[&name_key(document), &version.to_be_bytes()]))
}

fn load(
    snapshot: &ViewSnapshot,
    document: &str,
    version: u64,
) -> Result<Option<DocumentVersion>, ViewError> {
    let Some(info) = load_info(snapshot, document, version)? else {
        return Ok(None);
    };
    let content_key = key(CONTENT, &[&name_key(document), &version.to_be_bytes()]);
    match snapshot.get(&content_key)? {
        Some(content) if digest(&content) == info.content_digest => {
            Ok(Some(DocumentVersion { info, content }))
        }
        _ => Err(ViewError::ContentDamaged {
            document: document.to_owned(),
            version,
        }),
    }
}

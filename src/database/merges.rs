// SPDX-License-Identifier: Apache-2.0
//! Before the engine merges tables, their bytes are held against what the manifest states. A merge
//! reads data alone, by its checksums: damage to an index, a filter or the end of a table would go
//! unseen with the tables that it replaces.
//!
//! Each table is read once in an opening, before the first merge in its keyspace after it came to be
//! known. That happens in the engine's own thread, while it holds no lock. The engine asks when a
//! merge meets its first value: one of nothing but removals is not asked about, nor is one in the
//! keyspace that the engine keeps for itself.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::panic::RefUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use fjall::Keyspace;
use fjall::compaction::filter::{
    CompactionFilter, CompactionFilterResult, Context, Factory, ItemAccessor, Verdict,
};

use super::damage::{Damage, Meaning};
use super::inspection::{is_named, tables_of};
use super::structure;
use crate::error::again;
use crate::locks::whole;

/// Is told what is damaged, before the merge fails for it.
pub(crate) type Complain = Box<dyn Fn(String) + Send + Sync + RefUnwindSafe>;

/// The merges of one opening of a database.
pub(crate) struct Merges {
    database: PathBuf,
    complain: Complain,
    /// Directories of keyspaces, by name.
    /// Lock: an opening and the engine's merges, for one entry; no file is read under it.
    keyspaces: Mutex<BTreeMap<String, PathBuf>>,
    /// Tables that were found whole, by the directory of their keyspace.
    /// Lock: the engine's merges, for one entry; no file is read under it.
    whole: Mutex<BTreeMap<PathBuf, BTreeSet<u64>>>,
    is_closing: AtomicBool,
}

impl Merges {
    pub(crate) fn of(database: &Path, complain: Complain) -> Arc<Self> {
        Arc::new(Self {
            database: database.to_owned(),
            complain,
            keyspaces: Mutex::default(),
            whole: Mutex::default(),
            is_closing: AtomicBool::new(false),
        })
    }

    /// What the engine asks for each keyspace, when it opens or creates it.
    pub(crate) fn filter(self: &Arc<Self>, keyspace: &str) -> Arc<dyn Factory> {
        Arc::new(OfKeyspace {
            merges: Arc::clone(self),
            keyspace: keyspace.to_owned(),
        })
    }

    /// Notes where a keyspace lies. Until then a merge in it looks at all of them.
    pub(crate) fn note(&self, keyspace: &Keyspace) {
        let name = keyspace.name().to_string();
        whole(self.keyspaces.lock()).insert(name, keyspace.path().to_owned());
    }

    /// The engine waits for its threads when it closes: what they read now is given up.
    pub(crate) fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
    }

    /// True where every table may be replaced; false where the database is closing.
    fn look(&self, keyspace: &str) -> Result<bool, Damage> {
        let known = whole(self.keyspaces.lock()).get(keyspace).cloned();
        let keyspaces = match known {
            Some(path) => vec![path],
            None => structure::keyspaces(&self.database)?,
        };
        for keyspace in keyspaces {
            // Where there is none yet, it is being made.
            if keyspace.join("current").exists() && !self.look_at(&keyspace)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn look_at(&self, keyspace: &Path) -> Result<bool, Damage> {
        let Some((tables, damages)) = tables_of(keyspace, true) else {
            return Ok(true);
        };
        if let Some(damage) = damages.into_iter().next() {
            return Err(damage);
        }
        let known = whole(self.whole.lock())
            .get(keyspace)
            .cloned()
            .unwrap_or_default();
        let goes_on = || !self.is_closing.load(Ordering::Acquire);
        for table in tables.iter().filter(|table| !known.contains(&table.id)) {
            match table.check(&mut |_| goes_on()) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                // Its blocks are right: the table that replaces it will have a checksum that is.
                Err(damage) if damage.meaning() == Meaning::EngineFault => {
                    tracing::warn!(%damage, "the engine's fault, and no damage");
                }
                Err(damage) if is_named(table) => return Err(damage),
                Err(_) => {}
            }
        }
        let now = tables.into_iter().map(|table| table.id).collect();
        whole(self.whole.lock()).insert(keyspace.to_owned(), now);
        Ok(true)
    }
}

struct OfKeyspace {
    merges: Arc<Merges>,
    keyspace: String,
}

impl Factory for OfKeyspace {
    fn name(&self) -> &'static str {
        "whole tables"
    }

    fn make_filter(&self, _: &Context) -> Box<dyn CompactionFilter> {
        Box::new(OneMerge {
            merges: Arc::clone(&self.merges),
            keyspace: self.keyspace.clone(),
            may: false,
        })
    }
}

struct OneMerge {
    merges: Arc<Merges>,
    keyspace: String,
    may: bool,
}

impl CompactionFilter for OneMerge {
    fn filter_item(&mut self, _: ItemAccessor<'_>, _: &Context) -> CompactionFilterResult {
        if !self.may {
            match self.merges.look(&self.keyspace) {
                Ok(true) => self.may = true,
                Ok(false) => return Err(io::Error::other("the database is closing").into()),
                Err(damage) => {
                    // What could not be read is not known to be damaged: the merge fails, and no more.
                    if let Some(error) = damage.unread() {
                        tracing::warn!(%damage, "a table could not be read before it is merged");
                        return Err(again(error).into());
                    }
                    let cause = damage.to_string();
                    (self.merges.complain)(cause.clone());
                    return Err(io::Error::other(cause).into());
                }
            }
        }
        Ok(Verdict::Keep)
    }
}

// SPDX-License-Identifier: Apache-2.0
//! The database under `views/`: one keyspace per generation of a view, and `meta`, which says which generation
//! serves. Never synced but for the switch of a generation and the close: losing it costs a rebuild.
//!
//! The position lies in the view's own keyspace, so that one LSM tree holds both or neither.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fjall::compaction::Leveled;
use fjall::config::PartitioningPolicy;
use fjall::{
    AbstractTree, Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch as WriteBatch,
    PersistMode,
};

use crate::events::{Hash, Record};

use super::error::HaltReason;
use super::room::{DatabaseUnderWay, MemtableRoom};
use super::views::ViewsOptions;
use super::{boot_mark, seal};
use crate::database::{self, Complain, Damage, Merges, files, structure, wal::Wal};

/// First byte of the key under which the position lies.
const POSITION: [u8; 1] = [0];
/// First byte of every key of a view's state.
pub(super) const STATE: u8 = 1;
const META: &str = "meta";
/// Of the memtable of what is small.
const META_BYTES: u64 = 1 << 20;
/// Of two, the first does nothing but ask, as often as it can, whether the second still compacts.
const WORKER_THREADS: usize = 1;
/// Fewer the engine does not take.
const FILES_MIN: usize = 10;
/// A compaction keeps a hash for each key of the table that it writes: smaller tables bound that.
const TABLE_BYTES: u64 = 8 << 20;

/// The stored key of a view's key.
pub(super) fn state_key(key: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(1 + key.len());
    stored.push(STATE);
    stored.extend_from_slice(key);
    stored
}

/// How far a view has read, and the hash of the record there: another history under the same
/// numbers (a restore, a fork) is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Position {
    pub(super) seq: u64,
    pub(super) hash: Hash,
}

impl Position {
    pub(super) fn of(record: &Record) -> Self {
        Self {
            seq: record.header.seq.get(),
            hash: record.hash,
        }
    }

    pub(super) fn write_into(&self, keyspace: &Keyspace, batch: &mut WriteBatch) {
        let mut value = self.seq.to_be_bytes().to_vec();
        value.extend_from_slice(&self.hash);
        batch.insert(keyspace, POSITION, value);
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (seq, hash) = bytes.split_first_chunk::<8>()?;
        Some(Self {
            seq: u64::from_be_bytes(*seq),
            hash: hash.try_into().ok()?,
        })
    }

    /// The position that a view has under this snapshot.
    pub(super) fn read(
        snapshot: &fjall::Snapshot,
        keyspace: &Keyspace,
    ) -> Result<Self, fjall::Error> {
        use fjall::Readable;
        let bytes = snapshot.get(keyspace, POSITION)?;
        // A generation is created with its position: without one it was never whole.
        bytes
            .and_then(|bytes| Self::decode(&bytes))
            .ok_or(fjall::Error::Unrecoverable)
    }
}

/// One stored form of a view. A reader holds it, and it keeps the database open.
pub(super) struct Generation {
    pub(super) database: Database,
    pub(super) keyspace: Keyspace,
    pub(super) version: u32,
    pub(super) number: u64,
    /// Which opening of the database it belongs to: complaints about an earlier one are void.
    pub(super) incarnation: u64,
    /// The database's.
    pub(super) under_way: Arc<DatabaseUnderWay>,
}

/// The open database.
pub(super) struct ViewsDatabase {
    database: Database,
    meta: Keyspace,
    incarnation: u64,
    memtable_bytes: u64,
    /// How large the memtable was that was made to become a table last.
    waiting_bytes: AtomicU64,
    merges: Arc<Merges>,
    under_way: Arc<DatabaseUnderWay>,
}

impl Drop for ViewsDatabase {
    fn drop(&mut self) {
        self.merges.close();
    }
}

impl ViewsDatabase {
    /// Opens or creates the database in `path`. `complain` is told of a table that would be merged
    /// away and is damaged.
    pub(super) fn open(
        path: &Path,
        options: &ViewsOptions,
        incarnation: u64,
        complain: Complain,
    ) -> Result<Self, HaltReason> {
        if fs::symlink_metadata(path).is_ok_and(|found| !found.is_dir()) {
            return Err(HaltReason::Damage(format!(
                "{} is no directory",
                path.display()
            )));
        }
        let medium = |error: crate::error::OpenError| HaltReason::Medium(error.to_string());
        let create = || database::create(path, &[(META, create_options(META_BYTES))]);
        let is_new = !database::exists(path).map_err(medium)?;
        if is_new {
            create().map_err(medium)?;
        }
        let sealed = seal::check(path)?;
        let told = |error: io::Error| HaltReason::io(path, &error);
        let boot = options.boot.name().map_err(told)?;
        let is_same = boot_mark::is_same(path, boot.as_deref()).map_err(told)?;
        if !is_new && !sealed && !is_same {
            // Before they are looked at: a power cut may have taken any part of them, and none of that is damage.
            tracing::warn!("views were not closed before the machine started: they are made again");
            database::discard(path).map_err(told)?;
            create().map_err(medium)?;
        }
        if let Some(failure) = check(path, sealed)
            .err()
            .and_then(|it| HaltReason::found(&it))
        {
            return Err(failure);
        }
        if let Some(preflight) = &options.preflight {
            preflight(path).map_err(HaltReason::Damage)?;
        }
        if !is_same {
            boot_mark::mark(path, boot.as_deref()).map_err(told)?;
        }
        // The engine does not open a database without it, and there is nothing in it.
        let lock = path.join(structure::LOCK);
        files::open_or_create(&lock).map_err(|error| HaltReason::io(&lock, &error))?;
        seal::break_it(path)?;
        let merges = Merges::of(path, complain);
        let filters = Arc::clone(&merges);
        let database = Database::builder(path)
            .worker_threads(WORKER_THREADS)
            .cache_size(options.cache_bytes)
            .max_cached_files(Some(options.files_max.max(FILES_MIN)))
            .with_compaction_filter_factories(Arc::new(move |name| Some(filters.filter(name))))
            .open()?;
        let meta = database.keyspace(META, || create_options(META_BYTES))?;
        merges.note(&meta);
        Ok(Self {
            database,
            meta,
            incarnation,
            memtable_bytes: options.memtable_bytes,
            waiting_bytes: AtomicU64::new(0),
            merges,
            under_way: Arc::default(),
        })
    }

    /// Keeps the memtables of all views together at the size of one, with those that are becoming
    /// tables, by making the largest one a table in time: full at times of their own, they would now and
    /// then be so all at once. False where more changes would only pile up behind those that wait.
    pub(super) fn make_room<'a>(
        &self,
        generations: impl Iterator<Item = &'a Generation>,
    ) -> Result<bool, HaltReason> {
        let (mut total, mut waiting, mut largest) = (0, 0, None);
        for generation in generations {
            let tree = &generation.keyspace.tree;
            let bytes = tree.active_memtable().size();
            total += bytes;
            waiting += tree.sealed_memtable_count();
            if largest.is_none_or(|(most, _)| most < bytes) {
                largest = Some((bytes, &generation.keyspace));
            }
        }
        let waiting_bytes = self.waiting_bytes.load(Ordering::Relaxed);
        let waiting = (waiting > 0).then_some((waiting, waiting_bytes));
        match MemtableRoom::of(total, waiting, self.memtable_bytes) {
            MemtableRoom::Free => {}
            MemtableRoom::FullSoon => {
                if let Some((bytes, keyspace)) = largest {
                    self.waiting_bytes.store(bytes, Ordering::Relaxed);
                    keyspace.rotate_memtable()?;
                }
            }
            MemtableRoom::Full => {
                // No commit would tell, meanwhile, that the engine has stopped.
                self.database.persist(PersistMode::Buffer)?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) fn batch(&self) -> WriteBatch {
        // Handed to the operating system, not to the disk: a killed process loses nothing.
        self.database.batch().durability(Some(PersistMode::Buffer))
    }

    pub(super) fn commit(&self, batch: WriteBatch) -> Result<(), HaltReason> {
        self.under_way.batch.store(true, Ordering::Release);
        batch.commit()?;
        self.under_way.batch.store(false, Ordering::Release);
        Ok(())
    }

    /// The generation that `meta` says serves; `None` where there is none.
    pub(super) fn serving(&self, name: &str) -> Result<Option<Arc<Generation>>, HaltReason> {
        let Some(entry) = self.meta.get(name)? else {
            return Ok(None);
        };
        let parts = entry.split_first_chunk::<4>().and_then(|(version, rest)| {
            let number: [u8; 8] = rest.try_into().ok()?;
            Some((u32::from_be_bytes(*version), u64::from_be_bytes(number)))
        });
        let (version, number) = parts.ok_or_else(|| {
            HaltReason::Damage(format!("meta entry of view {name} is not readable"))
        })?;
        let keyspace_name = keyspace_name(name, version, number);
        if !self.database.keyspace_exists(&keyspace_name) {
            return Ok(None);
        }
        self.generation(&keyspace_name, version, number).map(Some)
    }

    fn generation(
        &self,
        name: &str,
        version: u32,
        number: u64,
    ) -> Result<Arc<Generation>, HaltReason> {
        let keyspace = self
            .database
            .keyspace(name, || create_options(self.memtable_bytes))?;
        self.merges.note(&keyspace);
        Ok(Arc::new(Generation {
            database: self.database.clone(),
            keyspace,
            version,
            number,
            incarnation: self.incarnation,
            under_way: Arc::clone(&self.under_way),
        }))
    }

    /// A new, empty generation.
    pub(super) fn create(
        &self,
        name: &str,
        version: u32,
        number: u64,
    ) -> Result<Arc<Generation>, HaltReason> {
        self.under_way.making.store(true, Ordering::Release);
        let generation = self.generation(&keyspace_name(name, version, number), version, number)?;
        self.under_way.making.store(false, Ordering::Release);
        let mut batch = self.batch();
        Position::default().write_into(&generation.keyspace, &mut batch);
        self.commit(batch)?;
        Ok(generation)
    }

    /// From here on this generation serves, also after a power cut.
    pub(super) fn switch(&self, name: &str, to: &Generation) -> Result<(), HaltReason> {
        let mut batch = self.batch();
        let mut entry = to.version.to_be_bytes().to_vec();
        entry.extend_from_slice(&to.number.to_be_bytes());
        batch.insert(&self.meta, name, entry);
        self.commit(batch)?;
        self.persist()
    }

    /// Removes every generation of `name` but `keep`; its files go when its last reader has gone.
    pub(super) fn drop_others(
        &self,
        name: &str,
        keep: Option<&Generation>,
    ) -> Result<(), HaltReason> {
        let kept = keep.map(|kept| keyspace_name(name, kept.version, kept.number));
        for other in self.generations(name) {
            if Some(&other) != kept.as_ref() {
                let handle = self
                    .database
                    .keyspace(&other, || create_options(META_BYTES))?;
                self.database.delete_keyspace(handle)?;
            }
        }
        Ok(())
    }

    fn generations(&self, name: &str) -> Vec<String> {
        let prefix = format!("{name}.v");
        self.database
            .list_keyspace_names()
            .iter()
            .map(ToString::to_string)
            .filter(|other| other.starts_with(&prefix))
            .collect()
    }

    /// A generation number that no generation of `name` has had as long as one of them exists.
    pub(super) fn next_number(&self, name: &str) -> u64 {
        let numbers = self.generations(name).into_iter().filter_map(|other| {
            let (_, number) = other.rsplit_once(".g")?;
            number.parse::<u64>().ok()
        });
        numbers.max().unwrap_or(0) + 1
    }

    pub(super) fn persist(&self) -> Result<(), HaltReason> {
        self.database
            .persist(PersistMode::SyncAll)
            .map_err(HaltReason::from)
    }
}

fn keyspace_name(name: &str, version: u32, number: u64) -> String {
    format!("{name}.v{version}.g{number}")
}

fn create_options(memtable_bytes: u64) -> KeyspaceCreateOptions {
    let compaction = Leveled::default().with_table_target_size(TABLE_BYTES);
    KeyspaceCreateOptions::default()
        .max_memtable_size(memtable_bytes)
        .compaction_strategy(Arc::new(compaction))
        .index_block_partitioning_policy(PartitioningPolicy::all(true))
        .filter_block_partitioning_policy(PartitioningPolicy::all(true))
}

/// What the engine would not notice. A log that was closed well needs no second look.
fn check(views: &Path, sealed: bool) -> Result<(), Damage> {
    structure::check(views)?;
    if sealed {
        return Ok(());
    }
    match Wal::scan(views)?.gap() {
        None => Ok(()),
        Some(id) => Err(Damage::of(
            views,
            format!("the log file {id}.jnl is missing"),
        )),
    }
}

/// Moves a closed database out of the way; nothing in it is changed or deleted.
pub(super) fn set_aside(views: &Path, quarantine: &Path) -> io::Result<PathBuf> {
    database::ensure_private(quarantine)?;
    let mut number = 1_u64;
    loop {
        let to = quarantine.join(format!("views-{number}"));
        if to.symlink_metadata().is_err() {
            fs::rename(views, &to)?;
            database::sync_parent(views)?;
            database::sync_parent(&to)?;
            return Ok(to);
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests;

// SPDX-License-Identifier: Apache-2.0
//! A closed store, kept in memory and on a disk in memory: copied for each case, damaged, opened.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, FileTimes, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::kinds::{frames_in, is_superseded};

/// One thing that goes wrong with one file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) enum Fault {
    /// One bit.
    Flip {
        path: String,
        at: u64,
        bit: u8,
    },
    /// Bytes that read as zeros.
    Zero {
        path: String,
        from: u64,
        to: u64,
    },
    Truncate {
        path: String,
        to: u64,
    },
    Delete {
        path: String,
    },
}

impl Fault {
    pub(super) fn path(&self) -> &str {
        match self {
            Self::Flip { path, .. }
            | Self::Zero { path, .. }
            | Self::Truncate { path, .. }
            | Self::Delete { path } => path,
        }
    }

    fn apply(&self, root: &Path) -> io::Result<()> {
        let path = root.join(self.path());
        let file = || OpenOptions::new().read(true).write(true).open(&path);
        match self {
            Self::Delete { .. } => fs::remove_file(&path),
            Self::Truncate { to, .. } => file()?.set_len(*to),
            Self::Zero { from, to, .. } => {
                file()?.write_all_at(&vec![0; (to - from) as usize], *from)
            }
            Self::Flip { at, bit, .. } => {
                let (file, mut byte) = (file()?, [0]);
                file.read_exact_at(&mut byte, *at)?;
                byte[0] ^= 1 << bit;
                file.write_all_at(&byte, *at)
            }
        }
    }
}

/// A file's bytes up to the last that is not zero, and its length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bytes {
    pub(super) used: Vec<u8>,
    pub(super) length: u64,
}

impl Bytes {
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let mut used = fs::read(path)?;
        let length = used.len() as u64;
        // The engine preallocates its log: most of it is zeros.
        let block = [0; 4096];
        while used.len() >= block.len() && used.ends_with(&block) {
            used.truncate(used.len() - block.len());
        }
        let end = used.iter().rposition(|byte| *byte != 0);
        used.truncate(end.map_or(0, |end| end + 1));
        used.shrink_to_fit();
        Ok(Self { used, length })
    }
}

impl Bytes {
    /// With the zeros at the end. Not for what was preallocated.
    pub(super) fn whole(&self) -> Vec<u8> {
        let mut whole = self.used.clone();
        whole.resize(self.length as usize, 0);
        whole
    }
}

/// All files of a directory, by their paths in it.
pub(super) fn files(root: &Path) -> io::Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            if path.is_dir() {
                directories.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap_or(&path);
                found.insert(name.to_string_lossy().into_owned(), path);
            }
        }
    }
    Ok(found)
}

fn directories(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = vec![root.to_owned()];
    let mut next = 0;
    while let Some(directory) = found.get(next).cloned() {
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            if path.is_dir() {
                found.push(path);
            }
        }
        next += 1;
    }
    Ok(found)
}

/// A time that no file written now has: so a write that changes nothing but the time shows too.
fn long_ago() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)
}

fn is_long_ago(path: &Path) -> bool {
    let modified = fs::metadata(path).and_then(|it| it.modified());
    modified.is_ok_and(|at| at == long_ago())
}

pub(super) struct Store {
    root: PathBuf,
    directories: Vec<PathBuf>,
    pub(super) files: BTreeMap<String, Bytes>,
}

impl Store {
    pub(super) fn load(root: &Path) -> io::Result<Self> {
        let mut loaded = BTreeMap::new();
        for (name, path) in files(root)? {
            loaded.insert(name, Bytes::read(&path)?);
            File::open(&path)?.set_times(FileTimes::new().set_modified(long_ago()))?;
        }
        let prefix = |path: PathBuf| path.strip_prefix(root).map(Path::to_owned).ok();
        Ok(Self {
            root: root.to_owned(),
            directories: directories(root)?.into_iter().filter_map(prefix).collect(),
            files: loaded,
        })
    }

    /// A copy, and what is wrong with it.
    pub(super) fn damaged(&self, to: &Path, faults: &[Fault]) -> io::Result<Damaged> {
        if to.exists() {
            fs::remove_dir_all(to)?;
        }
        for directory in &self.directories {
            let path = to.join(directory);
            fs::create_dir(&path)?;
            fs::set_permissions(&path, Permissions::from_mode(0o700))?;
        }
        for (name, bytes) in &self.files {
            let path = to.join(name);
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o600);
            let mut file = options.open(&path)?;
            file.write_all(&bytes.used)?;
            file.set_len(bytes.length)?;
        }
        for fault in faults {
            fault.apply(to)?;
        }
        let mut hit = BTreeMap::new();
        for fault in faults {
            let bytes = match fault {
                Fault::Delete { .. } => None,
                _ => Some(Bytes::read(&to.join(fault.path()))?),
            };
            hit.insert(fault.path().to_owned(), bytes);
        }
        for path in files(to)?.into_values() {
            File::open(&path)?.set_times(FileTimes::new().set_modified(long_ago()))?;
        }
        Ok(Damaged {
            root: to.to_owned(),
            hit,
        })
    }

    /// True where what the cases share is as it was.
    pub(super) fn is_unchanged(&self) -> bool {
        self.files
            .keys()
            .all(|name| is_long_ago(&self.root.join(name)))
    }
}

/// A damaged copy, as it was before it was opened.
pub(super) struct Damaged {
    root: PathBuf,
    /// What the faults left of a file, if anything.
    hit: BTreeMap<String, Option<Bytes>>,
}

/// What was spilled is one opening's alone, and a manifest that names what the journal has not is written anew: a view
/// is made of records again.
fn is_nobodys(name: &str) -> bool {
    name.starts_with("views/") && (name.ends_with(".spill") || name.ends_with("/manifest.json"))
}

/// What says nothing of the store: process ids, and locks that hold nothing.
fn is_lock(name: &str) -> bool {
    name == "LOCK" || name.ends_with("/lock")
}

impl Damaged {
    /// The files of `store` that are no longer what they were when this was refused, and are not
    /// kept in quarantine either.
    pub(super) fn changed(&self, store: &Store) -> io::Result<Vec<String>> {
        let mut changed = Vec::new();
        for (name, bytes) in &store.files {
            let before = match self.hit.get(name) {
                Some(None) => continue,
                Some(Some(hit)) => hit,
                None => bytes,
            };
            let path = self.root.join(name);
            if is_lock(name) || is_superseded(store, name) || is_long_ago(&path) {
                continue;
            }
            // What is derived may be looked at before the journal is found wanting.
            let is_derived = name.starts_with("views/") && !self.hit.contains_key(name);
            let is_same = Bytes::read(&path).is_ok_and(|now| now == *before);
            let is_there = is_same
                || is_derived
                || self.is_newer_current(name)
                || self.is_kept(name, before)?;
            if !is_there && !self.are_frames_there(name, before)? {
                changed.push(name.clone());
            }
        }
        Ok(changed)
    }

    /// The engine writes another manifest where it opens and moves its log into tables: `current`,
    /// which was not hit, names that one then. Every table is looked at by itself.
    fn is_newer_current(&self, name: &str) -> bool {
        let Some(directory) = name
            .strip_suffix("current")
            .filter(|_| !self.hit.contains_key(name))
        else {
            return false;
        };
        let current = fs::read(self.root.join(name)).unwrap_or_default();
        let number = current.first_chunk::<8>().map(|it| u64::from_le_bytes(*it));
        number.is_some_and(|number| self.root.join(format!("{directory}v{number}")).exists())
    }

    /// The engine moves its log into tables when it opens: then every frame must be in one.
    fn are_frames_there(&self, name: &str, before: &Bytes) -> io::Result<bool> {
        if !name.starts_with("journal/") || !name.ends_with(".jnl") || self.hit.contains_key(name) {
            return Ok(false);
        }
        let mut there = BTreeSet::new();
        for (name, path) in files(&self.root.join("journal"))? {
            if name.ends_with(".jnl") || name.contains("/tables/") {
                let bytes = fs::read(path)?;
                let frames = frames_in(&bytes).into_iter();
                there.extend(frames.map(|range| *blake3::hash(&bytes[range]).as_bytes()));
            }
        }
        let mut frames = frames_in(&before.used).into_iter();
        Ok(frames.all(|range| there.contains(blake3::hash(&before.used[range]).as_bytes())))
    }

    /// What was hit and is neither as it was, nor goes on from there, nor is kept in quarantine.
    pub(super) fn destroyed(&self, store: &Store) -> io::Result<Vec<String>> {
        let mut destroyed = Vec::new();
        for (name, before) in &self.hit {
            let Some(before) = before else { continue };
            let now = Bytes::read(&self.root.join(name));
            let goes_on = now.is_ok_and(|now| now.used.starts_with(&before.used));
            let counts = !is_lock(name) && !is_nobodys(name) && !is_superseded(store, name);
            if counts && !goes_on && !self.is_kept(name, before)? {
                destroyed.push(name.clone());
            }
        }
        Ok(destroyed)
    }

    /// The whole file, or the end of a log, in quarantine.
    fn is_kept(&self, name: &str, before: &Bytes) -> io::Result<bool> {
        let quarantine = self.root.join("quarantine");
        if !quarantine.is_dir() {
            return Ok(false);
        }
        let now = Bytes::read(&self.root.join(name)).ok();
        for (kept, path) in files(&quarantine)? {
            let kept_bytes = Bytes::read(&path)?;
            let is_whole = kept_bytes.used == before.used;
            let is_torn = kept.ends_with(".torn")
                && before.used.ends_with(&kept_bytes.used)
                && now.as_ref().is_some_and(|now| {
                    let cut = before.used.len() - kept_bytes.used.len();
                    now.used.len() >= cut && now.used[..cut] == before.used[..cut]
                });
            if is_whole || is_torn {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

// SPDX-License-Identifier: Apache-2.0
//! A disk in memory with two faces: what programs see, and what would still be there without power.
//!
//! Every change is made to the first at once and stands in a list until it is synced; a sync moves it
//! to the second. When the power is cut, `cut.rs` decides what of the list had reached the medium
//! by itself, and the second face becomes the first.
//!
//! * **Strict**: nothing is durable but what POSIX promises. A file's sync covers its bytes, its length
//!   and its mode (`fdatasync` not the mode); a name is durable when its directory was synced. What
//!   was not synced survives in any selection and any order.
//! * **Ordered**: as ext4 with `data=ordered`. Names, lengths set and modes go through one journal in
//!   their order; the sync of anything commits all of it. A file grows only with its bytes. (The
//!   flush that ext4 adds when a rename replaces a file is left out: less survives, not more.)

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::time::{Duration, SystemTime};

mod content;
mod cut;
mod names;
#[cfg(test)]
mod tests;

use content::Content;
pub(crate) use content::PAGE;
pub(crate) use cut::Cut;

use crate::random::Random;

/// An error as the kernel knows it.
pub(crate) type Errno = i32;
pub(crate) type Ino = u64;

pub(crate) const ROOT: Ino = 1;

/// Which promises the disk keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    Strict,
    Ordered,
}

/// How a sync ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SyncEnd {
    Done,
    /// Fails; what was to be written is lost, and still read from memory: as Linux does it.
    FailedAndLost,
    /// Fails, and everything reached the medium.
    FailedButPersisted,
}

#[derive(Debug, Clone)]
enum Change {
    Write { offset: u64, data: Vec<u8> },
    Length(u64),
    Mode(u32),
}

/// A change to a file that was not synced yet; `id` is its place among all changes.
#[derive(Debug, Clone)]
struct Pending {
    id: u64,
    change: Change,
}

#[derive(Debug, Clone, Default)]
struct FileNode {
    shown: Content,
    durable: Content,
    pending: Vec<Pending>,
}

type Entries = BTreeMap<OsString, Ino>;

#[derive(Debug, Clone, Default)]
struct DirectoryNode {
    shown: Entries,
    durable: Entries,
}

#[derive(Debug, Clone)]
enum Kind {
    File(FileNode),
    Directory(DirectoryNode),
}

#[derive(Debug, Clone)]
struct Inode {
    kind: Kind,
    mode: u32,
    durable_mode: u32,
    links: u32,
    handles: u32,
    modified: SystemTime,
    /// Where it was seen last, for paths in reports.
    place: (Ino, OsString),
}

/// A change of names that takes effect as a whole: in this directory, this name is that.
#[derive(Debug, Clone)]
struct NameChange {
    id: u64,
    sets: Vec<(Ino, OsString, Option<Ino>)>,
}

/// What `stat` tells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attributes {
    pub(crate) ino: Ino,
    pub(crate) is_directory: bool,
    pub(crate) len: u64,
    pub(crate) pages: u64,
    pub(crate) mode: u32,
    pub(crate) links: u32,
    pub(crate) modified: SystemTime,
}

#[derive(Debug, Clone)]
pub(crate) struct Disk {
    mode: Mode,
    random: Random,
    inodes: BTreeMap<Ino, Inode>,
    /// Changes of names that are not durable yet.
    names: Vec<NameChange>,
    next_ino: Ino,
    next_id: u64,
    pub(crate) capacity_pages: u64,
    used_pages: u64,
}

impl Disk {
    pub(crate) fn new(mode: Mode, seed: u64, capacity_bytes: u64) -> Self {
        let root = Inode::new(
            Kind::Directory(DirectoryNode::default()),
            0o700,
            (ROOT, OsString::new()),
        );
        Self {
            mode,
            random: Random::new(seed),
            inodes: BTreeMap::from([(ROOT, root)]),
            names: Vec::new(),
            next_ino: ROOT + 1,
            next_id: 0,
            capacity_pages: capacity_bytes / PAGE,
            used_pages: 0,
        }
    }

    pub(crate) fn free_pages(&self) -> u64 {
        self.capacity_pages.saturating_sub(self.used_pages)
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn inode(&self, ino: Ino) -> Result<&Inode, Errno> {
        self.inodes.get(&ino).ok_or(libc::ENOENT)
    }

    fn inode_mut(&mut self, ino: Ino) -> Result<&mut Inode, Errno> {
        self.inodes.get_mut(&ino).ok_or(libc::ENOENT)
    }

    fn file(&self, ino: Ino) -> Result<&FileNode, Errno> {
        match &self.inode(ino)?.kind {
            Kind::File(file) => Ok(file),
            Kind::Directory(_) => Err(libc::EISDIR),
        }
    }

    fn file_mut(&mut self, ino: Ino) -> Result<&mut FileNode, Errno> {
        let inode = self.inode_mut(ino)?;
        inode.modified = SystemTime::now();
        match &mut inode.kind {
            Kind::File(file) => Ok(file),
            Kind::Directory(_) => Err(libc::EISDIR),
        }
    }

    pub(crate) fn attributes(&self, ino: Ino) -> Result<Attributes, Errno> {
        let inode = self.inode(ino)?;
        let (len, pages) = match &inode.kind {
            Kind::File(file) => (file.shown.len(), file.shown.pages()),
            Kind::Directory(_) => (PAGE, 1),
        };
        Ok(Attributes {
            ino,
            is_directory: matches!(inode.kind, Kind::Directory(_)),
            len,
            pages,
            mode: inode.mode,
            links: inode.links,
            modified: inode.modified,
        })
    }

    /// Path from the root, as last seen.
    pub(crate) fn path(&self, ino: Ino) -> String {
        let mut names = Vec::new();
        let mut at = ino;
        while at != ROOT && names.len() < 64 {
            let Some(inode) = self.inodes.get(&at) else {
                break;
            };
            names.push(inode.place.1.to_string_lossy());
            at = inode.place.0;
        }
        names.reverse();
        names.join("/")
    }

    pub(crate) fn read(&self, ino: Ino, offset: u64, len: u64) -> Result<Vec<u8>, Errno> {
        Ok(self.file(ino)?.shown.read(offset, len))
    }

    /// Writes what there is room for; says how much.
    pub(crate) fn write(&mut self, ino: Ino, offset: u64, data: &[u8]) -> Result<u64, Errno> {
        let mut len = data.len() as u64;
        let free = self.free_pages();
        let shown = &self.file(ino)?.shown;
        while len > 0 && shown.pages_needed(offset, len) > free {
            len = (offset + len - 1) / PAGE * PAGE;
            len = len.saturating_sub(offset);
        }
        if len == 0 && !data.is_empty() {
            return Err(libc::ENOSPC);
        }
        let data = data[..len as usize].to_vec();
        let id = self.id();
        let file = self.file_mut(ino)?;
        let before = file.shown.pages();
        file.shown.write(offset, &data);
        let taken = file.shown.pages() - before;
        let change = Change::Write { offset, data };
        file.pending.push(Pending { id, change });
        self.used_pages += taken;
        Ok(len)
    }

    pub(crate) fn set_len(&mut self, ino: Ino, len: u64) -> Result<(), Errno> {
        let id = self.id();
        let file = self.file_mut(ino)?;
        let before = file.shown.pages();
        file.shown.set_len(len);
        let freed = before - file.shown.pages();
        let change = Change::Length(len);
        file.pending.push(Pending { id, change });
        self.used_pages -= freed;
        Ok(())
    }

    /// `fallocate`: room, and the length where `grows`.
    pub(crate) fn allocate(
        &mut self,
        ino: Ino,
        offset: u64,
        len: u64,
        grows: bool,
    ) -> Result<(), Errno> {
        if self.file(ino)?.shown.pages_needed(offset, len) > self.free_pages() {
            return Err(libc::ENOSPC);
        }
        let file = self.file_mut(ino)?;
        let before = file.shown.pages();
        file.shown.allocate(offset, len);
        let (taken, end) = (file.shown.pages() - before, offset + len);
        let longer = grows && end > file.shown.len();
        self.used_pages += taken;
        if longer {
            self.set_len(ino, end)
        } else {
            Ok(())
        }
    }

    pub(crate) fn set_mode(&mut self, ino: Ino, mode: u32) -> Result<(), Errno> {
        let id = self.id();
        let inode = self.inode_mut(ino)?;
        inode.mode = mode & 0o7777;
        match &mut inode.kind {
            Kind::File(file) => {
                let change = Change::Mode(mode & 0o7777);
                file.pending.push(Pending { id, change });
            }
            // A directory's mode never decides what a test finds.
            Kind::Directory(_) => inode.durable_mode = mode & 0o7777,
        }
        Ok(())
    }

    /// Makes a file durable, or fails to.
    pub(crate) fn sync(&mut self, ino: Ino, data_only: bool, end: SyncEnd) -> Result<(), Errno> {
        self.file(ino)?;
        if self.mode == Mode::Ordered && end != SyncEnd::FailedAndLost {
            self.commit_journal();
        }
        let inode = self.inode_mut(ino)?;
        let Kind::File(file) = &mut inode.kind else {
            return Err(libc::EISDIR);
        };
        for Pending { id, change } in std::mem::take(&mut file.pending) {
            match change {
                Change::Mode(_) if data_only => file.pending.push(Pending { id, change }),
                _ if end == SyncEnd::FailedAndLost => {}
                Change::Mode(mode) => inode.durable_mode = mode,
                Change::Length(len) => file.durable.set_len(len),
                Change::Write { offset, data } => file.durable.write(offset, &data),
            }
        }
        match end {
            SyncEnd::Done => Ok(()),
            SyncEnd::FailedAndLost | SyncEnd::FailedButPersisted => Err(libc::EIO),
        }
    }

    pub(crate) fn opened(&mut self, ino: Ino) -> Result<(), Errno> {
        self.inode_mut(ino)?.handles += 1;
        Ok(())
    }

    pub(crate) fn closed(&mut self, ino: Ino) {
        if let Some(inode) = self.inodes.get_mut(&ino) {
            inode.handles = inode.handles.saturating_sub(1);
        }
        self.forget(ino);
    }

    /// Gives back the room of a file that nobody can reach any more. What is durable of it stays
    /// until the next boot.
    fn forget(&mut self, ino: Ino) {
        let Some(inode) = self.inodes.get_mut(&ino) else {
            return;
        };
        if inode.links == 0
            && inode.handles == 0
            && let Kind::File(file) = &mut inode.kind
        {
            self.used_pages -= file.shown.pages();
            file.shown = Content::default();
        }
    }

    /// Changes that no sync has covered: how many, and how many bytes they write.
    pub(crate) fn unsynced(&self) -> (u64, u64) {
        let (mut changes, mut bytes) = (self.names.len() as u64, 0);
        for inode in self.inodes.values() {
            if let Kind::File(file) = &inode.kind {
                changes += file.pending.len() as u64;
                bytes += file.pending.iter().map(Pending::bytes).sum::<u64>();
            }
        }
        (changes, bytes)
    }
}

impl Pending {
    const fn bytes(&self) -> u64 {
        match &self.change {
            Change::Write { data, .. } => data.len() as u64,
            Change::Length(_) | Change::Mode(_) => 0,
        }
    }
}

impl Inode {
    fn new(kind: Kind, mode: u32, place: (Ino, OsString)) -> Self {
        Self {
            kind,
            mode,
            durable_mode: mode,
            links: 1,
            handles: 0,
            modified: SystemTime::UNIX_EPOCH + Duration::from_secs(1),
            place,
        }
    }

    fn is_at(&mut self, parent: Ino, name: &OsStr) {
        self.place = (parent, name.to_owned());
    }
}

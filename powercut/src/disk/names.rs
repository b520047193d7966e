// SPDX-License-Identifier: Apache-2.0
//! Names: what directories show, and how that becomes durable.

use std::ffi::{OsStr, OsString};

use super::{
    Change, DirectoryNode, Disk, Errno, FileNode, Ino, Inode, Kind, Mode, NameChange, SyncEnd,
};

impl Disk {
    fn directory(&self, ino: Ino) -> Result<&DirectoryNode, Errno> {
        match &self.inode(ino)?.kind {
            Kind::Directory(directory) => Ok(directory),
            Kind::File(_) => Err(libc::ENOTDIR),
        }
    }

    fn directory_mut(&mut self, ino: Ino) -> Result<&mut DirectoryNode, Errno> {
        match &mut self.inode_mut(ino)?.kind {
            Kind::Directory(directory) => Ok(directory),
            Kind::File(_) => Err(libc::ENOTDIR),
        }
    }

    pub(crate) fn lookup(&self, parent: Ino, name: &OsStr) -> Result<Ino, Errno> {
        let found = self.directory(parent)?.shown.get(name);
        found.copied().ok_or(libc::ENOENT)
    }

    pub(crate) fn list(&self, ino: Ino) -> Result<Vec<(OsString, Ino, bool)>, Errno> {
        let entries = self.directory(ino)?.shown.iter();
        let entry = |(name, ino): (&OsString, &Ino)| {
            let is_directory = matches!(self.inode(*ino)?.kind, Kind::Directory(_));
            Ok((name.clone(), *ino, is_directory))
        };
        entries.map(entry).collect()
    }

    /// Changes what directories show, as one step.
    fn set(&mut self, sets: Vec<(Ino, OsString, Option<Ino>)>) -> Result<(), Errno> {
        for (parent, name, ino) in &sets {
            let shown = &mut self.directory_mut(*parent)?.shown;
            match ino {
                Some(ino) => shown.insert(name.clone(), *ino),
                None => shown.remove(name),
            };
            if let Some(inode) = ino.and_then(|ino| self.inodes.get_mut(&ino)) {
                inode.is_at(*parent, name);
            }
        }
        let id = self.id();
        self.names.push(NameChange { id, sets });
        Ok(())
    }

    fn make(&mut self, parent: Ino, name: &OsStr, kind: Kind, mode: u32) -> Result<Ino, Errno> {
        match self.lookup(parent, name) {
            Ok(_) => return Err(libc::EEXIST),
            Err(libc::ENOENT) => {}
            Err(errno) => return Err(errno),
        }
        let ino = self.next_ino;
        self.next_ino += 1;
        let inode = Inode::new(kind, mode & 0o7777, (parent, name.to_owned()));
        self.inodes.insert(ino, inode);
        self.set(vec![(parent, name.to_owned(), Some(ino))])?;
        Ok(ino)
    }

    pub(crate) fn create(&mut self, parent: Ino, name: &OsStr, mode: u32) -> Result<Ino, Errno> {
        self.make(parent, name, Kind::File(FileNode::default()), mode)
    }

    pub(crate) fn mkdir(&mut self, parent: Ino, name: &OsStr, mode: u32) -> Result<Ino, Errno> {
        self.make(
            parent,
            name,
            Kind::Directory(DirectoryNode::default()),
            mode,
        )
    }

    pub(crate) fn link(&mut self, ino: Ino, parent: Ino, name: &OsStr) -> Result<(), Errno> {
        self.file(ino)?;
        if self.lookup(parent, name).is_ok() {
            return Err(libc::EEXIST);
        }
        self.set(vec![(parent, name.to_owned(), Some(ino))])?;
        self.inode_mut(ino)?.links += 1;
        Ok(())
    }

    pub(crate) fn unlink(&mut self, parent: Ino, name: &OsStr) -> Result<(), Errno> {
        let ino = self.lookup(parent, name)?;
        self.file(ino)?;
        self.set(vec![(parent, name.to_owned(), None)])?;
        self.unlinked(ino);
        Ok(())
    }

    pub(crate) fn rmdir(&mut self, parent: Ino, name: &OsStr) -> Result<(), Errno> {
        let ino = self.lookup(parent, name)?;
        if !self.directory(ino)?.shown.is_empty() {
            return Err(libc::ENOTEMPTY);
        }
        self.set(vec![(parent, name.to_owned(), None)])
    }

    pub(crate) fn rename(
        &mut self,
        from: (Ino, &OsStr),
        to: (Ino, &OsStr),
        replaces: bool,
    ) -> Result<(), Errno> {
        let ino = self.lookup(from.0, from.1)?;
        let replaced = self.lookup(to.0, to.1).ok();
        if replaced == Some(ino) {
            return Ok(());
        }
        if let Some(replaced) = replaced {
            if !replaces {
                return Err(libc::EEXIST);
            }
            match (&self.inode(ino)?.kind, &self.inode(replaced)?.kind) {
                (Kind::Directory(_), Kind::Directory(target)) if !target.shown.is_empty() => {
                    return Err(libc::ENOTEMPTY);
                }
                (Kind::Directory(_), Kind::File(_)) => return Err(libc::ENOTDIR),
                (Kind::File(_), Kind::Directory(_)) => return Err(libc::EISDIR),
                _ => {}
            }
        }
        self.set(vec![
            (from.0, from.1.to_owned(), None),
            (to.0, to.1.to_owned(), Some(ino)),
        ])?;
        if let Some(replaced) = replaced {
            self.unlinked(replaced);
        }
        Ok(())
    }

    fn unlinked(&mut self, ino: Ino) {
        if let Some(inode) = self.inodes.get_mut(&ino) {
            inode.links = inode.links.saturating_sub(1);
        }
        self.forget(ino);
    }

    /// Makes a directory's names durable, or fails to.
    pub(crate) fn sync_directory(&mut self, ino: Ino, end: SyncEnd) -> Result<(), Errno> {
        self.directory(ino)?;
        if end == SyncEnd::FailedAndLost {
            // Names are not lost by this: a journal keeps them until it can commit. They are not
            // durable either, before the directory is synced again.
            return Err(libc::EIO);
        }
        match self.mode {
            Mode::Ordered => self.commit_journal(),
            Mode::Strict => {
                let (covered, left) = std::mem::take(&mut self.names)
                    .into_iter()
                    .partition(|change| change.touches(ino));
                self.names = left;
                self.apply_names(covered);
            }
        }
        match end {
            SyncEnd::FailedButPersisted => Err(libc::EIO),
            _ => Ok(()),
        }
    }

    /// Ordered: names, lengths that were set and modes become durable, all of them.
    pub(super) fn commit_journal(&mut self) {
        let names = std::mem::take(&mut self.names);
        self.apply_names(names);
        for inode in self.inodes.values_mut() {
            let Kind::File(file) = &mut inode.kind else {
                continue;
            };
            if file
                .pending
                .iter()
                .all(|it| matches!(it.change, Change::Write { .. }))
            {
                continue;
            }
            let mut writes: Vec<super::Pending> = Vec::new();
            for pending in std::mem::take(&mut file.pending) {
                match pending.change {
                    Change::Mode(mode) => inode.durable_mode = mode,
                    Change::Length(len) => {
                        file.durable.set_len(len);
                        writes.iter_mut().for_each(|write| write.clip(len));
                        writes.retain(|write| write.bytes() > 0);
                    }
                    Change::Write { .. } => writes.push(pending),
                }
            }
            file.pending = writes;
        }
    }

    pub(super) fn apply_names(&mut self, changes: Vec<NameChange>) {
        for (parent, name, ino) in changes.into_iter().flat_map(|change| change.sets) {
            let Some(Inode {
                kind: Kind::Directory(directory),
                ..
            }) = self.inodes.get_mut(&parent)
            else {
                continue;
            };
            match ino {
                Some(ino) => directory.durable.insert(name, ino),
                None => directory.durable.remove(&name),
            };
        }
    }
}

impl NameChange {
    fn touches(&self, directory: Ino) -> bool {
        self.sets.iter().any(|(parent, ..)| *parent == directory)
    }
}

impl super::Pending {
    /// Cuts a write off where the file was made shorter after it.
    fn clip(&mut self, end: u64) {
        if let Change::Write { offset, data } = &mut self.change {
            data.truncate(end.saturating_sub(*offset) as usize);
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
//! What the kernel asks, and what the machine answers.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, Errno, FileHandle, Filesystem, FopenFlags, Generation, INodeNo, LockOwner,
    OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty,
    ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};

use super::reply::{attr, errno, kind, sync_end};
use crate::disk::{Attributes, Disk, Ino, PAGE};
use crate::machine::{Op, Shared, Wrong};

/// This machine is the only one that changes anything, and a boot mounts anew.
const KEPT: Duration = Duration::from_secs(3_600);

type Listing = Vec<(OsString, Ino, bool)>;

pub(super) struct FileSystem {
    pub(super) machine: Shared,
    /// What a directory held when it was opened: removing while reading skips nothing.
    pub(super) listings: Mutex<(u64, BTreeMap<u64, Listing>)>,
}

impl FileSystem {
    /// A step on a file or directory that is there.
    fn on<R>(
        &self,
        op: Op,
        ino: INodeNo,
        act: impl FnOnce(&mut Disk, Option<Wrong>) -> Result<R, i32>,
    ) -> Result<R, i32> {
        let mut machine = self.machine.lock();
        let path = machine.disk.path(ino.0);
        machine.step(op, &path, act)
    }

    /// A step on a name in a directory.
    fn at<R>(
        &self,
        op: Op,
        parent: INodeNo,
        name: &OsStr,
        act: impl FnOnce(&mut Disk) -> Result<R, i32>,
    ) -> Result<R, i32> {
        let mut machine = self.machine.lock();
        let path = format!("{}/{}", machine.disk.path(parent.0), name.display());
        machine.step(op, &path, |disk, _| act(disk))
    }

    fn path(&self, ino: INodeNo) -> String {
        self.machine.lock().disk.path(ino.0)
    }

    fn entry(reply: ReplyEntry, found: Result<Attributes, i32>) {
        match found {
            Ok(found) => reply.entry(&KEPT, &attr(&found), Generation(0)),
            Err(code) => reply.error(errno(code)),
        }
    }

    fn empty(reply: ReplyEmpty, done: Result<(), i32>) {
        match done {
            Ok(()) => reply.ok(),
            Err(code) => reply.error(errno(code)),
        }
    }

    fn sync(&self, op: Op, ino: INodeNo, data_only: bool, reply: ReplyEmpty) {
        let machine = self.machine.clone();
        let path = self.path(ino);
        let step_path = path.clone();
        self.machine.delayable(op, &path, move || {
            let done = machine.lock().step(op, &step_path, |disk, wrong| match op {
                Op::SyncDirectory => disk.sync_directory(ino.0, sync_end(wrong)),
                _ => disk.sync(ino.0, data_only, sync_end(wrong)),
            });
            Self::empty(reply, done);
        });
    }
}

impl Filesystem for FileSystem {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let disk = &self.machine.lock().disk;
        let found = disk.lookup(parent.0, name);
        Self::entry(reply, found.and_then(|ino| disk.attributes(ino)));
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.machine.lock().disk.attributes(ino.0) {
            Ok(found) => reply.attr(&KEPT, &attr(&found)),
            Err(code) => reply.error(errno(code)),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let mut done = Ok(());
        if let Some(size) = size {
            done = self.on(Op::Length, ino, |disk, _| disk.set_len(ino.0, size));
        }
        if let (Ok(()), Some(mode)) = (done, mode) {
            done = self.on(Op::Mode, ino, |disk, _| disk.set_mode(ino.0, mode));
        }
        match done.and_then(|()| self.machine.lock().disk.attributes(ino.0)) {
            Ok(found) => reply.attr(&KEPT, &attr(&found)),
            Err(code) => reply.error(errno(code)),
        }
    }

    fn mkdir(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        reply: ReplyEntry,
    ) {
        let made = self.at(Op::Mkdir, parent, name, |disk| {
            let ino = disk.mkdir(parent.0, name, mode & !umask)?;
            disk.attributes(ino)
        });
        Self::entry(reply, made);
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let act = |disk: &mut Disk| disk.unlink(parent.0, name);
        Self::empty(reply, self.at(Op::Unlink, parent, name, act));
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let act = |disk: &mut Disk| disk.rmdir(parent.0, name);
        Self::empty(reply, self.at(Op::Rmdir, parent, name, act));
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        if flags.contains(RenameFlags::RENAME_EXCHANGE) {
            return reply.error(Errno::EINVAL);
        }
        let replaces = !flags.contains(RenameFlags::RENAME_NOREPLACE);
        let act =
            |disk: &mut Disk| disk.rename((parent.0, name), (new_parent.0, new_name), replaces);
        Self::empty(reply, self.at(Op::Rename, new_parent, new_name, act));
    }

    fn link(&self, _: &Request, ino: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let made = self.at(Op::Link, parent, name, |disk| {
            disk.link(ino.0, parent.0, name)?;
            disk.attributes(ino.0)
        });
        Self::entry(reply, made);
    }

    fn open(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match self.on(Op::Open, ino, |disk, _| disk.opened(ino.0)) {
            Ok(()) => reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO),
            Err(code) => reply.error(errno(code)),
        }
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        let made = self.at(Op::Create, parent, name, |disk| {
            let ino = disk.create(parent.0, name, mode & !umask)?;
            disk.opened(ino)?;
            disk.attributes(ino)
        });
        match made {
            Ok(made) => {
                let flags = FopenFlags::FOPEN_DIRECT_IO;
                reply.created(&KEPT, &attr(&made), Generation(0), FileHandle(0), flags);
            }
            Err(code) => reply.error(errno(code)),
        }
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.on(Op::Read, ino, |disk, _| {
            disk.read(ino.0, offset, u64::from(size))
        }) {
            Ok(bytes) => reply.data(&bytes),
            Err(code) => reply.error(errno(code)),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let machine = self.machine.clone();
        let path = self.path(ino);
        let (step_path, data) = (path.clone(), data.to_vec());
        self.machine.delayable(Op::Write, &path, move || {
            let done = machine.lock().step(Op::Write, &step_path, |disk, wrong| {
                let part = if wrong == Some(Wrong::Short) {
                    data.len().div_ceil(2)
                } else {
                    data.len()
                };
                disk.write(ino.0, offset, &data[..part])
            });
            match done {
                Ok(written) => reply.written(written as u32),
                Err(code) => reply.error(errno(code)),
            }
        });
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn release(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.machine.lock().disk.closed(ino.0);
        reply.ok();
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, data_only: bool, reply: ReplyEmpty) {
        self.sync(Op::Sync, ino, data_only, reply);
    }

    fn fsyncdir(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        data_only: bool,
        reply: ReplyEmpty,
    ) {
        self.sync(Op::SyncDirectory, ino, data_only, reply);
    }

    fn opendir(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match self.on(Op::Open, ino, |disk, _| disk.list(ino.0)) {
            Ok(listing) => {
                let mut listings = self.listings.lock().unwrap_or_else(PoisonError::into_inner);
                listings.0 += 1;
                let handle = listings.0;
                listings.1.insert(handle, listing);
                reply.opened(FileHandle(handle), FopenFlags::empty());
            }
            Err(code) => reply.error(errno(code)),
        }
    }

    fn readdir(
        &self,
        _: &Request,
        ino: INodeNo,
        handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let dots = [(".", ino.0), ("..", ino.0)].map(|(name, ino)| (name.into(), ino, true));
        let listings = self.listings.lock().unwrap_or_else(PoisonError::into_inner);
        let listing = listings.1.get(&handle.0).into_iter().flatten();
        let entries = dots.iter().chain(listing).enumerate().skip(offset as usize);
        for (index, (name, ino, is_directory)) in entries {
            if reply.add(INodeNo(*ino), index as u64 + 1, kind(*is_directory), name) {
                break;
            }
        }
        reply.ok();
    }

    fn releasedir(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        reply: ReplyEmpty,
    ) {
        let mut listings = self.listings.lock().unwrap_or_else(PoisonError::into_inner);
        listings.1.remove(&handle.0);
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let disk = &self.machine.lock().disk;
        let (all, free) = (disk.capacity_pages, disk.free_pages());
        reply.statfs(
            all,
            free,
            free,
            1 << 20,
            1 << 20,
            PAGE as u32,
            255,
            PAGE as u32,
        );
    }

    fn fallocate(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        if mode & !libc::FALLOC_FL_KEEP_SIZE != 0 {
            return reply.error(Errno::EOPNOTSUPP);
        }
        let act = |disk: &mut Disk, _| disk.allocate(ino.0, offset, length, mode == 0);
        Self::empty(reply, self.on(Op::Allocate, ino, act));
    }
}

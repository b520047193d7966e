// SPDX-License-Identifier: Apache-2.0
//! Our words in the kernel's.

use fuser::{Errno, FileAttr, FileType, INodeNo};

use crate::disk::{Attributes, PAGE, SyncEnd};
use crate::machine::Wrong;

pub(super) fn errno(code: i32) -> Errno {
    Errno::from_i32(code)
}

pub(super) fn attr(attributes: &Attributes) -> FileAttr {
    let is_directory = attributes.is_directory;
    FileAttr {
        ino: INodeNo(attributes.ino),
        size: attributes.len,
        blocks: attributes.pages * PAGE / 512,
        atime: attributes.modified,
        mtime: attributes.modified,
        ctime: attributes.modified,
        crtime: attributes.modified,
        kind: kind(is_directory),
        perm: attributes.mode as u16,
        nlink: attributes.links + u32::from(is_directory),
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: PAGE as u32,
        flags: 0,
    }
}

pub(super) const fn kind(is_directory: bool) -> FileType {
    if is_directory {
        FileType::Directory
    } else {
        FileType::RegularFile
    }
}

pub(super) const fn sync_end(wrong: Option<Wrong>) -> SyncEnd {
    match wrong {
        Some(Wrong::Sync(end)) => end,
        _ => SyncEnd::Done,
    }
}

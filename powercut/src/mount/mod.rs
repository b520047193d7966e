// SPDX-License-Identifier: Apache-2.0
//! The disk as a file system of the kernel. Nothing is cached on the way: a write and a sync reach the
//! disk when the program makes them. Locks are the kernel's own.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use fuser::{BackgroundSession, Config, MountOption};

mod file_system;
mod reply;
#[cfg(test)]
mod tests;

use crate::disk::{Disk, Mode};
use crate::machine::{Machine, Shared};
use file_system::FileSystem;

/// A mounted disk; unmounted when dropped.
pub(crate) struct Mounted {
    session: Option<BackgroundSession>,
    path: PathBuf,
}

impl Mounted {
    pub(crate) fn new(machine: &Shared, path: &Path) -> io::Result<Self> {
        let file_system = FileSystem {
            machine: machine.clone(),
            listings: Mutex::default(),
        };
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("powercut".into()), MountOption::NoAtime];
        let session = fuser::spawn_mount(file_system, path, &config)?;
        Ok(Self {
            session: Some(session),
            path: path.to_owned(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Some(session) = self.session.take()
            && let Err(error) = session.umount_and_join()
            // The session's thread may notice the end in this way.
            && error.kind() != io::ErrorKind::ConnectionAborted
        {
            eprintln!("powercut: unmounting {}: {error}", self.path.display());
        }
    }
}

/// Why this machine cannot mount; `None` where it can.
pub(crate) fn obstacle() -> Option<String> {
    let scratch = match tempfile::tempdir() {
        Ok(scratch) => scratch,
        Err(error) => return Some(format!("no scratch directory: {error}")),
    };
    let disk = Disk::new(Mode::Strict, 0, 1 << 20);
    let machine = Shared::new(Machine::new(disk));
    let mounted = Mounted::new(&machine, scratch.path())
        .and_then(|mounted| std::fs::write(mounted.path().join("probe"), b"probe"));
    mounted
        .err()
        .map(|error| format!("cannot mount a FUSE file system: {error}"))
}

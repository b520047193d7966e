// SPDX-License-Identifier: Apache-2.0
//! What can lie where a file is expected.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, mknodat};

/// Not root, and nobody's here.
const STRANGER: u32 = 54_321;
const SPARSE_BYTES: u64 = 4 << 30;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Symlink,
    Hardlink,
    Pipe,
    Directory,
    Sparse,
    Foreign,
    GroupWritable,
}

impl Kind {
    pub(crate) const ALL: [Self; 7] = [
        Self::Symlink,
        Self::Hardlink,
        Self::Pipe,
        Self::Directory,
        Self::Sparse,
        Self::Foreign,
        Self::GroupWritable,
    ];

    pub(crate) fn is_possible(self, is_directory: bool) -> bool {
        match self {
            Self::Foreign if !rustix::process::geteuid().is_root() => {
                println!("SKIPPED: only root can make files of another user");
                false
            }
            Self::Hardlink | Self::Directory | Self::Sparse => !is_directory,
            _ => true,
        }
    }

    /// How an opening must refuse it; `None` where it may pass it over, make it again or set it aside.
    pub(crate) fn refused_with(self, name: &Path) -> Option<&'static str> {
        let is_opened = !name.starts_with("quarantine");
        match self {
            Self::Symlink | Self::Hardlink | Self::Foreign | Self::Pipe if is_opened => {
                Some("odd_file")
            }
            Self::GroupWritable => Some("insecure"),
            _ => None,
        }
    }

    /// Puts it in the place of the file `name` of a ledger.
    pub(crate) fn put(self, ledger: &Path, name: &Path) -> Odd {
        let path = ledger.join(name);
        let outside = ledger.parent().unwrap().join("outside");
        let kept = ledger.parent().unwrap().join("kept");
        fs::create_dir_all(&outside).unwrap();
        let target = outside.join("target");
        let before = fs::metadata(&path).unwrap();
        let place = move || fs::rename(&path, &kept).unwrap();
        let path = ledger.join(name);
        let kept = ledger.parent().unwrap().join("kept");
        let mut undo = Undo::Restore { kept: kept.clone() };
        match self {
            Self::Symlink => {
                place();
                if before.is_dir() {
                    fs::create_dir(&target).unwrap();
                    fs::write(target.join("file"), b"precious").unwrap();
                } else {
                    fs::write(&target, b"precious").unwrap();
                }
                symlink(&target, &path).unwrap();
            }
            Self::Hardlink => {
                fs::hard_link(&path, &target).unwrap();
                undo = Undo::Nothing;
            }
            Self::Pipe => {
                place();
                mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
            }
            Self::Directory => {
                place();
                fs::create_dir(&path).unwrap();
            }
            Self::Sparse => {
                place();
                File::create(&path).unwrap().set_len(SPARSE_BYTES).unwrap();
                fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            }
            Self::Foreign => {
                chown(&path, Some(STRANGER), None).unwrap();
                undo = Undo::Owner(before.uid());
            }
            Self::GroupWritable => {
                // Where others can reach it.
                let mut above = path.clone();
                while above != *ledger {
                    above = above.parent().unwrap().to_owned();
                    fs::set_permissions(&above, Permissions::from_mode(0o755)).unwrap();
                }
                let mode = before.mode() | 0o020;
                fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
                undo = Undo::Mode(before.mode());
            }
        }
        if target.is_file() {
            fs::set_permissions(&target, Permissions::from_mode(0o640)).unwrap();
        } else if target.is_dir() {
            fs::set_permissions(&target, Permissions::from_mode(0o777)).unwrap();
        }
        Odd {
            path,
            state: state(&outside),
            outside,
            undo,
        }
    }
}

enum Undo {
    Nothing,
    Restore { kept: PathBuf },
    Owner(u32),
    Mode(u32),
}

/// What lies there now, and how things outside were before anybody opened it.
pub(crate) struct Odd {
    path: PathBuf,
    outside: PathBuf,
    state: Vec<String>,
    undo: Undo,
}

impl Odd {
    pub(crate) fn assert_untouched(&self, what: &str) {
        assert_eq!(state(&self.outside), self.state, "{what}");
    }

    /// As it was before.
    pub(crate) fn take_back(self) {
        fs::remove_dir_all(&self.outside).unwrap();
        match self.undo {
            Undo::Nothing => {}
            Undo::Restore { kept } => {
                if self.path.is_dir() && !self.path.is_symlink() {
                    fs::remove_dir_all(&self.path).unwrap();
                } else {
                    fs::remove_file(&self.path).unwrap();
                }
                fs::rename(kept, &self.path).unwrap();
            }
            Undo::Owner(owner) => chown(&self.path, Some(owner), None).unwrap(),
            Undo::Mode(mode) => {
                fs::set_permissions(&self.path, Permissions::from_mode(mode)).unwrap();
            }
        }
    }
}

/// Everything below: names, modes, lengths, times of change, and what is in small files.
fn state(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(path) = waiting.pop() {
        let metadata = path.symlink_metadata().unwrap();
        let small = metadata.is_file() && metadata.len() < 1 << 20;
        let bytes = if small {
            fs::read(&path).unwrap()
        } else {
            Vec::new()
        };
        found.push(format!(
            "{} {:o} {} {} {:?} {bytes:?}",
            path.display(),
            metadata.mode(),
            metadata.uid(),
            metadata.len(),
            metadata.modified().unwrap(),
        ));
        if metadata.is_dir() {
            let entries = fs::read_dir(&path).unwrap();
            waiting.extend(entries.map(|entry| entry.unwrap().path()));
        }
    }
    found.sort();
    found
}

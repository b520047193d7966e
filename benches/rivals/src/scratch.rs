// SPDX-License-Identifier: Apache-2.0
//! Directories that go when their owner goes, and an interrupt that lets it go in order.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const PREFIX: &str = "rivals-";

/// A directory of this process, which another user may pass through. It is removed when this is dropped; one
/// whose process was killed, by the next that makes one beside it.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(parent: &Path) -> io::Result<Self> {
        fs::create_dir_all(parent)?;
        remove_stale(parent);
        let directory = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{}-", std::process::id()))
            .permissions(Permissions::from_mode(0o711))
            .tempdir_in(parent)?;
        Ok(Self(directory.keep()))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A directory in it, fresh.
    pub(crate) fn fresh(&self, name: &str) -> Result<PathBuf, String> {
        let path = self.0.join(name);
        remove(&path);
        let made = fs::create_dir(&path)
            .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(0o711)));
        made.map(|()| path.clone())
            .map_err(|error| format!("{}: {error}", path.display()))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

/// A server that was just told to end may still hold files: some more tries.
pub(crate) fn remove(path: &Path) {
    for _ in 0..20 {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                std::thread::sleep(Duration::from_millis(100))
            }
            _ => return,
        }
    }
    eprintln!("rivals: {} could not be removed", path.display());
}

fn remove_stale(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let owner = owner.and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            remove(&entry.path());
        }
    }
}

fn interrupted() -> &'static Arc<AtomicBool> {
    static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    FLAG.get_or_init(Arc::default)
}

/// From here on the first SIGINT or SIGTERM is told by [`check`], and the second ends the process at once.
pub(crate) fn watch_signals() -> io::Result<()> {
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(interrupted()))?;
        signal_hook::flag::register(signal, Arc::clone(interrupted()))?;
    }
    Ok(())
}

pub(crate) fn check() -> Result<(), String> {
    if interrupted().load(Ordering::Relaxed) {
        return Err("interrupted".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scratch_goes_and_so_does_one_of_a_dead_process() {
        let parent = tempfile::tempdir().unwrap();
        let stale = parent.path().join("rivals-4194999-abc");
        let foreign = parent.path().join("kept");
        fs::create_dir_all(stale.join("deep")).unwrap();
        fs::create_dir(&foreign).unwrap();
        let first = Scratch::new(parent.path()).unwrap();
        let second = Scratch::new(parent.path()).unwrap();
        assert!(!stale.exists() && foreign.exists() && first.path().exists());
        fs::write(second.fresh("a").unwrap().join("file"), b"x").unwrap();
        assert_eq!(fs::read_dir(second.fresh("a").unwrap()).unwrap().count(), 0);
        let path = second.path().to_owned();
        drop(second);
        assert!(!path.exists());
    }
}

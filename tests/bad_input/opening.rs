// SPDX-License-Identifier: Apache-2.0
//! Places that are no ledger, or none that can be opened.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use femtoclaw_ledger::events::LedgerId;
use femtoclaw_ledger::{Ledger, OpenError, Options};

use crate::scene::options;

fn place() -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("ledger");
    (root, path)
}

/// Everything under `path`: names, modes, contents.
fn contents(path: &Path) -> Vec<(PathBuf, u32, Vec<u8>)> {
    let metadata = path.symlink_metadata().unwrap();
    let content = std::fs::read(path).unwrap_or_default();
    let mut all = vec![(path.to_owned(), metadata.permissions().mode(), content)];
    if metadata.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            all.extend(contents(&entry.unwrap().path()));
        }
    }
    all.sort();
    all
}

/// Not opened, for this reason, and nothing was touched.
async fn unopened(root: &Path, path: &Path, options: Options, code: &str) -> OpenError {
    let before = contents(root);
    let error = Ledger::open(path, options).await.unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    assert!(contents(root) == before, "touched: {error}");
    error
}

#[tokio::test]
async fn a_directory_that_is_a_file() {
    let (root, path) = place();
    std::fs::write(&path, b"precious").unwrap();
    unopened(root.path(), &path, options(), "not_a_directory").await;
    let below = path.join("below");
    unopened(root.path(), &below, options(), "not_a_directory").await;
}

#[tokio::test]
async fn a_foreign_or_newer_format() {
    let (root, path) = place();
    std::fs::create_dir(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    std::fs::write(path.join("thesis.txt"), b"precious").unwrap();
    unopened(root.path(), &path, options(), "not_a_ledger").await;
    std::fs::remove_file(path.join("thesis.txt")).unwrap();
    let (ledger, authority) = Ledger::open(&path, options()).await.unwrap();
    let id = ledger.id();
    authority.close(Duration::from_secs(60)).await.unwrap();
    let identity = path.join("LEDGER");
    let good = std::fs::read_to_string(&identity).unwrap();
    let cases = [
        (good.replace("format 3", "format 4"), "format_too_new"),
        (good.replace("format 3", "format 2"), "format_too_old"),
        (good.replace("created 1", "created 2"), "damaged"),
        ("income and expenses\n".to_owned(), "not_a_ledger"),
    ];
    for (text, code) in cases {
        std::fs::write(&identity, &text).unwrap();
        unopened(root.path(), &path, options(), code).await;
    }
    std::fs::write(&identity, &good).unwrap();
    let mut other = options();
    other.ledger_id = Some(LedgerId::from_bytes([1; 16]));
    let before = contents(&path.join("journal"));
    let error = Ledger::open(&path, other).await.unwrap_err();
    assert_eq!(error.code(), "other_ledger", "{error}");
    assert!(contents(&path.join("journal")) == before);
    let (ledger, _) = Ledger::open(&path, options()).await.unwrap();
    assert_eq!(ledger.id(), id);
}

#[tokio::test]
async fn limits_that_contradict_each_other() {
    let (root, path) = place();
    let mut bad = options();
    bad.limits.running_max = 0;
    unopened(root.path(), &path, bad, "limits").await;
}

/// On a file system of its own with a few pages; needs root and `mount`.
#[tokio::test]
async fn a_full_disk_at_open() {
    let root = tempfile::tempdir().unwrap();
    let Some(mount) = Mounted::new(root.path()) else {
        eprintln!("SKIPPED a_full_disk_at_open: no file system can be mounted here (not root?)");
        return;
    };
    let path = root.path().join("ledger");
    let filler = root.path().join("filler");
    fill(&filler);
    let error = Ledger::open(&path, options()).await.unwrap_err();
    assert_eq!(error.code(), "refused", "{error}");
    // With room again it opens: what the failed opening left is no obstacle.
    std::fs::remove_file(&filler).unwrap();
    let (ledger, authority) = Ledger::open(&path, options()).await.unwrap();
    authority.close(Duration::from_secs(60)).await.unwrap();
    drop((ledger, authority, mount));
}

/// Writes until nothing fits any more.
fn fill(path: &Path) {
    let mut file = std::fs::File::create(path).unwrap();
    let mut bytes = vec![1_u8; 1 << 20];
    while !bytes.is_empty() {
        match file.write(&bytes) {
            Ok(0) | Err(_) => bytes.truncate(bytes.len() / 2),
            Ok(_) => {}
        }
    }
}

struct Mounted(PathBuf);

impl Mounted {
    fn new(path: &Path) -> Option<Self> {
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=160m,mode=700", "none"]);
        let status = mount.arg(path).stderr(std::process::Stdio::null()).status();
        status.ok()?.success().then(|| Self(path.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = std::process::Command::new("umount")
            .arg("-l")
            .arg(&self.0)
            .status();
        assert!(unmounted.is_ok());
    }
}

// SPDX-License-Identifier: Apache-2.0
//! The other places that a ledger reads and writes: key files, destinations, exports.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use femtoclaw_ledger::directory::keys::{self, KeyStoreError};
use femtoclaw_ledger::integrity::checkpoint::Checkpoint;
use femtoclaw_ledger::integrity::key::Algorithm;
use femtoclaw_ledger::integrity::merkle::leaf_hash;
use femtoclaw_ledger::{
    Ledger,
    checkpoint::{CheckpointDirectory, Destination},
};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::scene::options;
use crate::{MORE_BYTES_MAX, peak_of};

fn pipe(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

#[test]
fn a_key_file_is_a_file_of_its_user() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    let create = || keys::create(&path, "ledger.example/k", Algorithm::Ed25519, None);
    // What lies under the name is not followed, and not overwritten.
    let outside = directory.path().join("outside");
    symlink(&outside, &path).unwrap();
    assert!(matches!(create(), Err(KeyStoreError::Exists(_))));
    assert!(!outside.exists());
    fs::remove_file(&path).unwrap();
    fs::write(&outside, b"precious").unwrap();
    symlink(&outside, directory.path().join("key.creating")).unwrap();
    create().unwrap();
    assert_eq!(fs::read(&outside).unwrap(), b"precious");
    // Secrets are mounted as links.
    let link = directory.path().join("link");
    symlink(&path, &link).unwrap();
    keys::open(&link, None).unwrap();
    if rustix::process::geteuid().is_root() {
        chown(&path, Some(54_321), None).unwrap();
        assert!(matches!(
            keys::open(&path, None),
            Err(KeyStoreError::Io { .. })
        ));
    } else {
        println!("SKIPPED: only root can make files of another user");
    }
    for put in [
        &pipe as &dyn Fn(&Path),
        &|path| fs::create_dir(path).unwrap(),
        &|path| {
            File::create(path).unwrap().set_len(4 << 30).unwrap();
            fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
        },
    ] {
        let odd = directory.path().join("odd");
        put(&odd);
        let peak = peak_of(|| assert!(keys::open(&odd, None).is_err()));
        assert!(peak < MORE_BYTES_MAX, "{peak}");
        match odd.is_dir() {
            true => fs::remove_dir(&odd).unwrap(),
            false => fs::remove_file(&odd).unwrap(),
        }
    }
}

#[test]
fn a_copy_is_written_to_no_other_place() {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key");
    let key = keys::create(&key, "ledger.example/d", Algorithm::Ed25519, None).unwrap();
    let outside = directory.path().join("outside");
    fs::write(&outside, b"precious").unwrap();
    let kept = directory.path().join("kept");
    fs::create_dir(&kept).unwrap();
    let destination = CheckpointDirectory::new(&kept);
    for (size, odd) in [
        (1, "00000000000000000001.checkpoint.creating"),
        (2, "00000000000000000002.creating"),
        (3, "00000000000000000003.checkpoint"),
    ] {
        symlink(&outside, kept.join(odd)).unwrap();
        let checkpoint = Checkpoint::new("ledger.example/d", size, leaf_hash(b"x")).unwrap();
        let put = destination.put(&checkpoint.sign(&key).unwrap());
        assert_eq!(put.is_err(), size == 3, "{odd}: {put:?}");
        assert_eq!(fs::read(&outside).unwrap(), b"precious", "{odd}");
    }
    pipe(&kept.join("00000000000000000004.checkpoint"));
    assert_eq!(destination.kept(&[]).unwrap().len(), 0);
}

#[tokio::test]
async fn an_export_is_written_to_no_other_place() {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key");
    keys::create(&key, "ledger.example/e", Algorithm::Ed25519, None).unwrap();
    let ledger = directory.path().join("ledger");
    let (_, root) = Ledger::open(ledger, options(&key)).await.unwrap();
    let note = root.checkpoint().await.unwrap();
    let outside = directory.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), b"precious").unwrap();
    // A directory of the tree that leads elsewhere.
    let export = directory.path().join("export");
    fs::create_dir(&export).unwrap();
    symlink(&outside, export.join("tile")).unwrap();
    assert!(root.export(&note, &export).await.is_err());
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    // A name under which something is made.
    fs::remove_file(export.join("tile")).unwrap();
    symlink(outside.join("file"), export.join("checkpoint.creating")).unwrap();
    root.export(&note, &export).await.unwrap();
    assert_eq!(fs::read(outside.join("file")).unwrap(), b"precious");
    assert!(!export.join("checkpoint").is_symlink());
    root.close(std::time::Duration::from_secs(30))
        .await
        .unwrap();
}

// SPDX-License-Identifier: Apache-2.0
//! Where the directory lies, and whose it is.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::integrity::key::{Algorithm, Signer};
use femtoclaw_ledger::integrity::secret::SigningKey;
use femtoclaw_ledger::{
    Ledger, OpenError, Options,
    checkpoint::{CheckpointDirectory, CheckpointOptions},
    read_only::ReadOnlyOptions,
    verify::VerifyOptions,
};

use crate::child::child_path;
use crate::scene::{block_on, closed, entries, filled, in_a_process, options, quarantined};
use crate::shared::{WAIT, everything};

/// As a daemon does it that goes to `/`.
#[test]
fn a_process_that_goes_to_another_directory_finds_its_ledger() {
    let name = "directory::a_process_that_goes_to_another_directory_finds_its_ledger";
    let Some(path) = child_path() else {
        let directory = tempfile::tempdir().unwrap();
        return in_a_process(name, directory.path());
    };
    block_on(async {
        std::env::set_current_dir(&path).unwrap();
        let key = SigningKey::from_seed("ledger.example/cd", Algorithm::Ed25519, &[7; 32]);
        let signer: Arc<dyn Signer> = Arc::new(key.unwrap());
        let copies = CheckpointDirectory::new("copies");
        let options = Options {
            checkpoints: Some(CheckpointOptions::new(signer, vec![Arc::new(copies)])),
            scrub_bytes_per_second: 1 << 30,
            scrub_pause: Duration::ZERO,
            ..options()
        };
        let (ledger, root) = Ledger::open("data", options).await.unwrap();
        std::env::set_current_dir("/").unwrap();
        let grant = everything(&root).await;
        crate::scene::record(&ledger, &grant, 300, 400).await;
        root.checkpoint().await.unwrap();
        let waits = async {
            let snapshots = path.join("data/snapshots");
            while entries(&snapshots).is_empty() || ledger.scrubbed().passes < 2 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(WAIT, waits).await.expect("in time");
        assert!(ledger.health().healthy, "{:?}", ledger.health());
        assert_eq!(ledger.scrubbed().damages, []);
        let verified = ledger
            .verify(VerifyOptions::default(), |_| {})
            .await
            .unwrap();
        assert!(
            verified.is_sound(),
            "{:?} {:?}",
            verified.damages,
            verified.unread
        );
        assert!(!entries(&path.join("copies")).is_empty());
        assert!(quarantined(&path.join("data")).is_empty());
        closed((ledger, root, grant)).await;
        assert!(!Path::new("/data").exists());
        // And one that reads only.
        std::env::set_current_dir(&path).unwrap();
        let opened = Ledger::open_read_only("data", ReadOnlyOptions::default()).unwrap();
        std::env::set_current_dir("/").unwrap();
        assert!(opened.findings().is_empty());
        assert!(
            opened
                .range(femtoclaw_ledger::Seq::FIRST)
                .all(|it| it.is_ok())
        );
    });
}

/// A directory that was moved away while it was open is not damaged: nothing in it was looked at.
#[tokio::test]
async fn a_directory_that_was_moved_is_not_damaged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    // All of it in memory and in the log: the engine makes no table meanwhile.
    let options = Options {
        memtable_bytes: None,
        ..options()
    };
    let (ledger, root, grant) = filled(&path, options, 100).await;
    fs::rename(&path, directory.path().join("moved")).unwrap();
    let error = ledger
        .verify(VerifyOptions::threads(1), |_| {})
        .await
        .unwrap_err();
    assert_eq!(error.code(), "unavailable", "{error}");
    assert!(error.to_string().contains("no longer"), "{error}");
    fs::rename(directory.path().join("moved"), &path).unwrap();
    let verified = ledger
        .verify(VerifyOptions::threads(1), |_| {})
        .await
        .unwrap();
    assert!(
        verified.is_sound(),
        "{:?} {:?}",
        verified.damages,
        verified.unread
    );
    closed((ledger, root, grant)).await;
}

#[tokio::test]
async fn a_fresh_volume_is_no_foreign_directory() {
    let directory = tempfile::tempdir().unwrap();
    let volume = directory.path().join("volume");
    let lost = volume.join("lost+found");
    fs::create_dir_all(&lost).unwrap();
    // As `mkfs` makes it, and readable besides: nothing of it is looked into.
    fs::write(lost.join("#1"), "a file that fsck found").unwrap();
    for path in [&lost.join("#1"), &lost] {
        fs::set_permissions(path, Permissions::from_mode(0o770)).unwrap();
    }
    fs::set_permissions(&volume, Permissions::from_mode(0o755)).unwrap();
    for _ in 0..2 {
        closed(filled(&volume, options(), 10).await).await;
        let mode = fs::metadata(&lost).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o770, "it is not ours to restrict");
    }
    let opened = Ledger::open_read_only(&volume, ReadOnlyOptions::default()).unwrap();
    assert!(opened.findings().is_empty());
    // A file of that name is a stranger's.
    let other = directory.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("lost+found"), "").unwrap();
    fs::set_permissions(&other, Permissions::from_mode(0o755)).unwrap();
    let error = Ledger::open(&other, options()).await.unwrap_err();
    assert_eq!(error.code(), "not_a_ledger", "{error}");
}

fn remedy(error: OpenError) -> String {
    match error {
        OpenError::Insecure { remedy, .. } => remedy,
        other => panic!("{other}"),
    }
}

/// What Kubernetes does to a volume with an fsGroup at each mount: everything in it gets the group's
/// rights, and directories the setgid bit.
fn mounted_for_a_group(path: &Path) {
    let done = Command::new("sh")
        .args([
            "-c",
            "chmod -R g+rwX \"$0\" && find \"$0\" -type d -exec chmod g+s {} +",
        ])
        .arg(path)
        .status();
    assert!(done.unwrap().success());
}

/// Whoever does exactly what the error says, once, can open it.
#[tokio::test]
async fn the_remedy_for_a_volume_that_a_group_may_write_to_works() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("it's a volume");
    closed(filled(&path, options(), 60).await).await;
    mounted_for_a_group(&path);
    let error = Ledger::open(&path, options()).await.unwrap_err();
    assert_eq!(error.code(), "insecure");
    let command = remedy(error);
    let done = Command::new("sh").args(["-c", &command]).status();
    assert!(done.unwrap().success(), "{command}");
    closed(filled(&path, options(), 10).await).await;
    assert!(quarantined(&path).is_empty());
}

/// The volume's own directory is root's, whoever may write to it: then one below it is ours.
#[tokio::test]
async fn a_volume_of_another_owner_is_to_hold_the_ledger_below() {
    let directory = tempfile::tempdir().unwrap();
    let volume = directory.path().join("volume");
    fs::create_dir(&volume).unwrap();
    if chown(&volume, Some(4_711), Some(4_711)).is_err() {
        println!("SKIPPED: only root can give a directory away");
        return;
    }
    fs::set_permissions(&volume, Permissions::from_mode(0o2775)).unwrap();
    let told = remedy(Ledger::open(&volume, options()).await.unwrap_err());
    let below = volume.join("ledger");
    assert!(told.contains(&below.display().to_string()), "{told}");
    closed(filled(&below, options(), 10).await).await;
}

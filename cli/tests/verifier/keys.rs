// SPDX-License-Identifier: Apache-2.0
//! Key files on disk.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use femtoclaw_ledger::directory::keys::{self, KeyStoreError};
use femtoclaw_ledger::integrity::key::{Algorithm, Signer};
use femtoclaw_ledger::integrity::note::Note;

#[test]
fn a_new_key_is_its_owners_and_signs_after_it_was_read_back() {
    let dir = tempfile::tempdir().unwrap();
    for passphrase in [None, Some(b"correct horse".as_slice())] {
        let path = dir.path().join(format!("key-{}", passphrase.is_some()));
        let made = keys::create(&path, "ledger.example/a", Algorithm::Ed25519, passphrase).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let read = keys::open(&path, passphrase).unwrap();
        assert_eq!(read.key(), made.key());
        let mut note = Note::new("text\n".into()).unwrap();
        note.sign(&read).unwrap();
        assert_eq!(note.signed_by(made.key()), Ok(Some(0)));
        let again = keys::create(&path, "other", Algorithm::Ed25519, passphrase);
        assert!(matches!(again, Err(KeyStoreError::Exists(_))), "{again:?}");
        assert_eq!(keys::open(&path, passphrase).unwrap().key(), made.key());
    }
    // Nothing is left beside them, and no two keys are one.
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    let [one, other] =
        [false, true].map(|is| fs::read_to_string(dir.path().join(format!("key-{is}"))).unwrap());
    assert_ne!(one.lines().next(), other.lines().next());
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    keys::create(&path, "ledger.example/a", Algorithm::Ed25519, None).unwrap();
    for mode in [0o640, 0o604, 0o620] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let found = keys::open(&path, None);
        assert!(
            matches!(found, Err(KeyStoreError::Exposed { .. })),
            "{mode:o}: {found:?}"
        );
    }
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, vec![b' '; 1 << 20]).unwrap();
    let found = keys::open(&path, None);
    assert!(
        matches!(found, Err(KeyStoreError::Content { .. })),
        "{found:?}"
    );
    let absent = keys::open(&dir.path().join("absent"), None);
    assert!(
        matches!(absent, Err(KeyStoreError::Io { .. })),
        "{absent:?}"
    );
    let unnamed = keys::create(&dir.path().join("new"), "a b", Algorithm::Ed25519, None);
    assert!(
        matches!(unnamed, Err(KeyStoreError::Name(_))),
        "{unnamed:?}"
    );
    assert!(!dir.path().join("new").exists());
}

/// What a crash left half-written is not in the way.
#[test]
fn an_unfinished_key_file_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("key.creating"), "half").unwrap();
    keys::create(
        &dir.path().join("key"),
        "ledger.example/a",
        Algorithm::Ed25519,
        None,
    )
    .unwrap();
    assert!(!dir.path().join("key.creating").exists());
}

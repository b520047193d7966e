// SPDX-License-Identifier: Apache-2.0
//! The program, as it is met on another machine: a file or a directory, and a public key.

use std::fs;
use std::path::Path;

use super::attacks::Forged;
use super::scene::{KINDS, Scene, id_of};
use crate::foreign;
use crate::support::{femtoclaw_ledger, log_key, run};
use femtoclaw_ledger::evidence::EvidenceOptions;
use femtoclaw_ledger::integrity::key::{Algorithm, Signer};
use femtoclaw_ledger::integrity::secret::SigningKey;

async fn written(scene: &Scene, kind: &str, path: &Path) {
    let reads = scene.world.ledger.reader(&scene.world.grant).unwrap();
    let made = reads.write_evidence(id_of(kind), EvidenceOptions::default(), path);
    made.await.unwrap();
}

#[tokio::test]
async fn a_directory_with_its_page_verifies_and_a_changed_one_does_not() {
    use std::os::unix::fs::PermissionsExt;
    let (dir, scene) = (tempfile::tempdir().unwrap(), Scene::new().await);
    let path = dir.path().join("evidence");
    written(&scene, "completed", &path).await;
    let again = scene.world.ledger.reader(&scene.world.grant).unwrap();
    let again = again
        .write_evidence(id_of("failed"), EvidenceOptions::default(), &path)
        .await;
    assert_eq!(again.unwrap_err().code(), "write");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&path.join("page.html"))), (0o700, 0o600));

    let key = log_key().key().to_string();
    let verify = |more: &[&str]| {
        let own = ["verify", "bundle", path.to_str().unwrap(), "--log", &key];
        run(&[&own[..], more].concat())
    };
    let (code, text) = verify(&[]);
    assert_eq!(code, Some(0), "{text}");
    for words in [
        "stream       complete",
        "closed_by    completed",
        "page         is the bundle's",
    ] {
        assert!(text.contains(words), "{text}");
    }
    let (code, text) = verify(&["--format", "json"]);
    assert_eq!(code, Some(0), "{text}");
    let said: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(said["records"], 6);
    assert_eq!(said["mentions"], 2);
    assert_eq!(said["execution"], id_of("completed").to_string());

    let page = path.join("page.html");
    let genuine = fs::read(&page).unwrap();
    fs::write(
        &page,
        genuine
            .iter()
            .map(|b| if *b == b'6' { b'5' } else { *b })
            .collect::<Vec<_>>(),
    )
    .unwrap();
    let (code, text) = verify(&[]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("page: byte "), "{text}");
    // The page alone can be made again, by whoever has the bundle.
    let file = path.join("evidence.txt");
    let output = femtoclaw_ledger(&["page", file.to_str().unwrap()]);
    assert_eq!(output.stdout, genuine);
    fs::write(&page, output.stdout).unwrap();
    // A file manager's files are no damage, and the program tells that it did not look at them.
    for left in [".DS_Store", "Thumbs.db", "desktop.ini", "._evidence.txt"] {
        fs::write(path.join(left), "where the icons are").unwrap();
        let (code, text) = verify(&[]);
        assert_eq!(code, Some(0), "{text}");
        let told = format!("{left} is of no bundle, and is passed over: nothing was checked of it");
        assert!(text.contains(&told), "{text}");
    }
    fs::write(path.join("note.txt"), "look at me").unwrap();
    let (code, text) = verify(&[]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("note.txt belongs to no bundle"), "{text}");
}

#[tokio::test]
async fn a_refusal_names_the_record_and_the_part_for_people_and_programs() {
    let (dir, scene) = (tempfile::tempdir().unwrap(), Scene::new().await);
    let file = dir.path().join("bundle");
    let genuine = scene.file("denied").await;
    let key = log_key().key().to_string();
    let payload = genuine.find("\npayload ").unwrap() + 20;
    let mut bytes = genuine.clone().into_bytes();
    bytes[payload] ^= 1;
    fs::write(&file, bytes).unwrap();
    let arguments = ["verify", "bundle", file.to_str().unwrap(), "--log", &key];
    let output = femtoclaw_ledger(&[&arguments[..], &["--format", "json"]].concat());
    assert_eq!(output.status.code(), Some(3));
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&said["refused"], &said["part"]),
        (&"bundle".into(), &"payload".into())
    );
    let record = said["record"].as_u64().unwrap();
    let (_, text) = run(&arguments);
    assert!(
        text.contains(&format!("payload of record {record}: salt and payload")),
        "{text}"
    );
}

/// The keys inside say who is said to have signed; whoever gives none is told so, and nothing is verified.
#[tokio::test]
async fn keys_in_the_bundle_are_not_trusted() {
    let (dir, scene) = (tempfile::tempdir().unwrap(), Scene::new().await);
    let file = dir.path().join("bundle");
    fs::write(&file, scene.file("denied").await).unwrap();
    let file = file.to_str().unwrap();
    let (code, text) = run(&["verify", "bundle", file]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains(&log_key().key().to_string()), "{text}");
    assert!(text.contains("proves nothing"), "{text}");
    let stranger = SigningKey::from_seed("stranger", Algorithm::Ed25519, &[5; 32]).unwrap();
    let stranger = stranger.key().to_string();
    assert_eq!(
        run(&["verify", "bundle", file, "--log", &stranger]).0,
        Some(3)
    );
    assert_eq!(
        run(&["verify", "bundle", "/nowhere", "--log", &stranger]).0,
        Some(14)
    );
    assert_eq!(
        run(&[
            "verify", "bundle", file, "--since", file, "--log", &stranger
        ])
        .0,
        Some(2)
    );
    let policy = dir.path().join("policy");
    fs::write(&policy, format!("log {}\nquorum none\n", log_key().key())).unwrap();
    let (code, text) = run(&[
        "verify",
        "bundle",
        file,
        "--policy",
        policy.to_str().unwrap(),
    ]);
    assert_eq!(code, Some(0), "{text}");
}

/// A program in Go that shares no code with ours: it accepts every kind, and refuses what was changed.
#[tokio::test]
async fn foreign_evidence_is_checked_by_go() {
    let (dir, scene) = (tempfile::tempdir().unwrap(), Scene::new().await);
    fs::write(dir.path().join("log.vkey"), log_key().key().to_string()).unwrap();
    fs::write(dir.path().join("witnesses.vkey"), "").unwrap();
    fs::create_dir(dir.path().join("bundles")).unwrap();
    for (kind, _) in KINDS {
        fs::write(
            dir.path().join("bundles").join(kind),
            scene.file(kind).await,
        )
        .unwrap();
    }
    let bare = scene
        .evidence("completed", EvidenceOptions::default())
        .await
        .withhold(|_| true);
    fs::write(dir.path().join("bundles/bare"), bare.to_string()).unwrap();
    let Some((accepted, said)) = foreign::verdict(dir.path()) else {
        return;
    };
    assert!(accepted, "{said}");
    print!("{said}");
    for (kind, stream) in KINDS {
        assert!(
            said.contains(&format!("bundle {kind}: {stream}, ")),
            "{said}"
        );
    }
    let file = dir.path().join("bundles/denied");
    assert!(
        said.contains("bundle denied: complete 2 denied, 2 payloads, component 1 is \"tester\"\n"),
        "{said}"
    );
    assert!(
        said.contains("bundle bare: complete 6 completed, 0 payloads\n"),
        "{said}"
    );
    let genuine = fs::read_to_string(&file).unwrap();
    let forged = [
        genuine.replace("complete 2 denied", "complete 2 completed"),
        genuine
            .replacen("hash A", "hash B", 1)
            .replacen("hash ", "hash A", 1),
        genuine.replace("\nheader ", "\nheader A"),
        genuine.replace("ledger 1d1d", "ledger 1d1e"),
        genuine.replace("example/audited\n", "example/audited2\n"),
    ];
    for (number, forged) in forged.into_iter().enumerate() {
        assert_ne!(forged, genuine, "{number}");
        fs::write(&file, forged).unwrap();
        let (accepted, said) = foreign::verdict(dir.path()).unwrap();
        assert!(!accepted, "{number}: {said}");
    }
}

/// The checksum fits, so only the record that opened the ledger and the BLAKE3 commitments are left to notice.
#[tokio::test]
async fn foreign_checks_hold_payloads_and_the_ledger_against_headers() {
    let (dir, scene) = (tempfile::tempdir().unwrap(), Scene::new().await);
    fs::write(dir.path().join("log.vkey"), log_key().key().to_string()).unwrap();
    fs::write(dir.path().join("witnesses.vkey"), "").unwrap();
    fs::create_dir(dir.path().join("bundles")).unwrap();
    let genuine = scene.file("denied").await;
    let line = |word: &str| {
        let mut lines = genuine.lines();
        lines.find(|line| line.starts_with(word)).unwrap()
    };
    let changed = |line: &str| {
        let (before, rest) = line.split_at(line.len() - 8);
        let other = if rest.starts_with('A') { 'B' } else { 'A' };
        format!("{before}{other}{}", &rest[1..])
    };
    let forged = |word: &str| Forged::of(&genuine).with(line(word), &changed(line(word)));
    let ledger = Forged::of(&genuine).with("ledger 1d1d", "ledger 1d1e");
    for (forged, words) in [
        (None, "bundle denied: complete 2 denied, 2 payloads"),
        (Some(ledger), "does not open the ledger 1d1e"),
        (Some(forged("payload ")), "not what the header commits to"),
        (Some(forged("salt ")), "not what the header commits to"),
    ] {
        let file = forged.as_ref().map_or(genuine.clone(), Forged::file);
        assert_eq!(file == genuine, forged.is_none(), "{words}");
        fs::write(dir.path().join("bundles/denied"), file).unwrap();
        let Some((accepted, said)) = foreign::verdict(dir.path()) else {
            return;
        };
        assert_eq!(accepted, forged.is_none(), "{said}");
        assert!(said.contains(words), "{said}");
    }
}

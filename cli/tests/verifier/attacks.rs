// SPDX-License-Identifier: Apache-2.0
//! What somebody does to an export who can write every byte of it: each is refused, and named.

use std::fs;
use std::path::Path;

use crate::support::{Export, checkpoint, header, log_key, policy, run, witness};
use femtoclaw_ledger::integrity::checkpoint::Checkpoint;
use femtoclaw_ledger::integrity::key::Algorithm;
use femtoclaw_ledger::integrity::merkle::{Tile, leaf_hash, root, tiles};
use femtoclaw_ledger::integrity::secret::SigningKey;

const RECORDS: u64 = 600;

/// A fresh copy of the log, changed by `attack`; it must be refused with these words.
fn refused(name: &str, attack: impl FnOnce(&Export), words: &str) {
    let dir = tempfile::tempdir().unwrap();
    let export = Export::of(&dir.path().join("log"), RECORDS);
    attack(&export);
    refused_as_it_is(name, dir.path(), words);
}

fn refused_as_it_is(name: &str, dir: &Path, words: &str) {
    let text = verdict(name, dir);
    assert!(text.contains(words), "{name}: {text}");
}

/// What the program says of the log in this directory, which it must refuse.
fn verdict(name: &str, dir: &Path) -> String {
    let policy_path = dir.join("policy");
    fs::write(&policy_path, policy()).unwrap();
    let (log, policy_path) = (dir.join("log"), policy_path.to_str().unwrap().to_owned());
    let (code, text) = run(&[
        "verify",
        "export",
        log.to_str().unwrap(),
        "--policy",
        &policy_path,
    ]);
    assert_eq!(code, Some(3), "{name}: {text}");
    text
}

fn change(export: &Export, file: &str, edit: impl FnOnce(&mut Vec<u8>)) {
    let path = export.file(file);
    let mut bytes = fs::read(&path).unwrap();
    edit(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// The tree is made anew after the change, as somebody would who has this software and no key.
fn rebuilt(dir: &Path, entries: &[Vec<u8>], key: &SigningKey) {
    let (old, new) = (dir.join("log/checkpoint"), dir.join("new"));
    Export::write(&new, entries, key);
    fs::copy(old, new.join("checkpoint")).unwrap();
    fs::remove_dir_all(dir.join("log")).unwrap();
    fs::rename(new, dir.join("log")).unwrap();
}

#[test]
fn a_changed_byte_anywhere_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let export = Export::of(&dir.path().join("log"), RECORDS);
    let files = tiles(RECORDS).map(Tile::path);
    let files =
        files.chain((0..3).filter_map(|n| Tile::in_tree(0, n, RECORDS).map(Tile::entries_path)));
    for file in files.chain(["checkpoint".to_owned()]) {
        let genuine = fs::read(export.file(&file)).unwrap();
        for at in [0, genuine.len() / 2, genuine.len() - 2] {
            change(&export, &file, |bytes| bytes[at] ^= 1);
            let text = verdict(&format!("{file} byte {at}"), dir.path());
            // A tile is named by itself; an entry by its place, or by the tile that disagrees.
            let named = ["tile/", "entry ", "/log/checkpoint: "];
            assert!(
                named.iter().any(|name| text.contains(name)),
                "{file} byte {at}: {text}"
            );
            fs::write(export.file(&file), &genuine).unwrap();
        }
    }
}

#[test]
fn cutting_adding_and_moving_entries_is_found() {
    refused(
        "edit",
        |e| change(e, "tile/entries/000", |b| b[2 * 226 + 100] ^= 1),
        "hash 2 of tile/0/000",
    );
    refused(
        "cut",
        |e| change(e, "tile/entries/002.p/88", |b| b.truncate(87 * 226)),
        "exactly 88 entries",
    );
    refused(
        "add",
        |e| {
            change(e, "tile/entries/002.p/88", |b| {
                b.extend(0_u16.to_be_bytes())
            })
        },
        "exactly 88",
    );
    refused(
        "reorder",
        |e| change(e, "tile/entries/001", |b| b.rotate_left(226)),
        "entry 256 is the header of",
    );
    refused(
        "delete",
        |e| fs::remove_file(e.file("tile/entries/001")).unwrap(),
        "tile/entries/001",
    );
    refused(
        "delete a tile",
        |e| fs::remove_file(e.file("tile/1/000.p/2")).unwrap(),
        "tile/1/000.p/2",
    );
    refused(
        "swell",
        |e| change(e, "tile/0/000", |b| b.resize(1 << 20, 0)),
        "tile/0/000",
    );
    let twice = |e: &Export| {
        let first = fs::read(e.file("tile/entries/000")).unwrap();
        fs::write(e.file("tile/entries/001"), first).unwrap();
    };
    refused("replay", twice, "entry 256 is the header of record 1");
}

/// Its own key signed it: a ledger whose time fell is none.
#[test]
fn time_that_falls_is_found_although_all_of_it_is_signed() {
    let dir = tempfile::tempdir().unwrap();
    let mut entries: Vec<_> = (1..=RECORDS).map(header).collect();
    // The time of record 300 is that of record 298.
    let earlier = entries[297][24..32].to_vec();
    entries[299][24..32].copy_from_slice(&earlier);
    Export::write(&dir.path().join("log"), &entries, &log_key());
    refused_as_it_is("time falls", dir.path(), "entry 299");
    // Two records of one moment are none of that.
    let same = entries[298][24..32].to_vec();
    entries[299][24..32].copy_from_slice(&same);
    let log = dir.path().join("same");
    Export::write(&log, &entries, &log_key());
    let policy = dir.path().join("policy");
    let arguments = ["verify", "export", log.to_str().unwrap(), "--policy"];
    let (code, text) = run(&[&arguments[..], &[policy.to_str().unwrap()]].concat());
    assert_eq!(code, Some(0), "{text}");
}

/// Whoever recomputes everything after an edit lacks one thing: the key.
#[test]
fn a_rebuilt_tree_does_not_fit_the_signed_root() {
    let genuine: Vec<_> = (1..=RECORDS).map(header).collect();
    let with = |edit: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut entries = genuine.clone();
        edit(&mut entries);
        entries
    };
    let edited = with(&|entries| entries[299][170] ^= 1);
    let cut = with(&|entries| entries.truncate(599));
    for (name, entries, words) in [
        ("edited", edited, "the root over all entries is"),
        ("truncated", cut, "tile/entries/002.p/88"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        Export::of(&dir.path().join("log"), RECORDS);
        rebuilt(dir.path(), &entries, &log_key());
        refused_as_it_is(name, dir.path(), words);
    }
}

#[test]
fn a_checkpoint_that_others_signed_is_not_the_logs() {
    let impostor =
        SigningKey::from_seed(crate::support::ORIGIN, Algorithm::Ed25519, &[66; 32]).unwrap();
    let sign = |key: &SigningKey| {
        let dir = tempfile::tempdir().unwrap();
        let entries: Vec<_> = (1..=3).map(header).collect();
        Export::write(&dir.path().join("log"), &entries, key);
        dir
    };
    refused_as_it_is(
        "impostor",
        sign(&impostor).path(),
        "has not signed the checkpoint",
    );

    // The stolen key of the log alone: two witnesses are missing.
    let dir = sign(&log_key());
    let tree = root(&Export(dir.path().join("log")), 3).unwrap();
    let alone = Checkpoint::new(crate::support::ORIGIN, 3, tree).unwrap();
    let mut alone = alone.sign(&log_key()).unwrap();
    fs::write(dir.path().join("log/checkpoint"), alone.to_string()).unwrap();
    refused_as_it_is("no witness", dir.path(), "cosignatures of 0 witnesses");
    alone.cosign(&witness(1), 7).unwrap();
    fs::write(dir.path().join("log/checkpoint"), alone.to_string()).unwrap();
    refused_as_it_is("one witness", dir.path(), "cosignatures of 1 witnesses");

    // Cosignatures of another checkpoint.
    let other = checkpoint(2, tree, &log_key()).to_string();
    let lines = other.lines().filter(|line| line.starts_with("— witness"));
    let lines: String = lines.map(|line| format!("{line}\n")).collect();
    let mixed = alone
        .to_string()
        .lines()
        .take(5)
        .map(|line| format!("{line}\n"))
        .collect::<String>();
    fs::write(dir.path().join("log/checkpoint"), mixed + &lines).unwrap();
    refused_as_it_is("mixed", dir.path(), "invalid signature");
}

/// An older copy put back, or a second history after the same beginning, both signed by the log
/// itself: it takes an earlier checkpoint, kept elsewhere, to see it.
#[test]
fn rolling_back_and_forking_is_found_with_an_earlier_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("policy"), policy()).unwrap();
    let kept = Export::of(&dir.path().join("kept"), RECORDS);
    let kept = kept.file("checkpoint").to_str().unwrap().to_owned();
    Export::of(&dir.path().join("older"), RECORDS - 1);
    let mut forked: Vec<_> = (1..=RECORDS + 50).map(header).collect();
    forked[599][170] ^= 1;
    Export::write(&dir.path().join("forked"), &forked, &log_key());
    Export::of(&dir.path().join("later"), RECORDS + 50);
    for (name, expected) in [("older", 3), ("forked", 3), ("later", 0)] {
        let export = ["verify", "export", &path(name), "--policy", &path("policy")];
        assert_eq!(run(&export).0, Some(0), "{name} is a history of its own");
        let (code, text) = run(&[&export[..], &["--since", &kept]].concat());
        assert_eq!(code, Some(expected), "{name}: {text}");
    }
    assert_ne!(leaf_hash(&forked[599]), leaf_hash(&header(600)));
}

// SPDX-License-Identifier: Apache-2.0
//! The same checks by a program in Go (`tests/foreign/`), which shares no code with ours.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::{Export, log_key, witness};
use femtoclaw_ledger::integrity::key::Signer;
use femtoclaw_ledger::integrity::merkle;

const GO_PATH: &str = "/usr/share/gocode";

/// Why the Go program cannot run here.
fn missing() -> Option<&'static str> {
    let go = Command::new("go").arg("version").output();
    if !go.is_ok_and(|output| output.status.success()) {
        return Some("there is no Go (Debian: golang-go)");
    }
    let sumdb = Path::new(GO_PATH).join("src/golang.org/x/mod/sumdb/tlog");
    if !sumdb.exists() {
        return Some("there is no golang.org/x/mod (Debian: golang-golang-x-mod-dev)");
    }
    let blake3 = Path::new(GO_PATH).join("src/lukechampine.com/blake3");
    let needed = "there is no BLAKE3 for Go (Debian: golang-lukechampine-blake3-dev)";
    (!blake3.exists()).then_some(needed)
}

/// Builds the program; where it is.
fn build(cache: &Path) -> PathBuf {
    let program = cache.join("verify");
    let sources = [
        concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/foreign/verify.go"),
        concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/foreign/bundle.go"),
        concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/foreign/names.go"),
    ];
    let mut go = Command::new("go");
    go.arg("build").arg("-o").arg(&program).args(sources);
    go.env("GO111MODULE", "off").env("GOPATH", GO_PATH);
    go.env("GOFLAGS", "")
        .env("GOCACHE", concat!(env!("CARGO_TARGET_TMPDIR"), "/go"));
    let output = go.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    program
}

/// A directory as the program wants it, with proofs for records and sizes all over the log.
fn prepare(dir: &Path, records: u64) {
    let export = Export::of(&dir.join("export"), records);
    fs::write(dir.join("log.vkey"), log_key().key().to_string()).unwrap();
    let witnesses = format!("{}\n{}\n", witness(1).key(), witness(2).key());
    fs::write(dir.join("witnesses.vkey"), witnesses).unwrap();
    fs::create_dir(dir.join("proofs")).unwrap();
    fs::create_dir(dir.join("consistency")).unwrap();
    for number in (1..=records).filter(|n| n % 61 == 1 || *n == records || n.is_power_of_two()) {
        let proof = export.proof(records, number).to_string();
        fs::write(dir.join(format!("proofs/{number}.tlog-proof")), proof).unwrap();
        let hashes = merkle::consistency(&export, number, records).unwrap();
        let lines: String = hashes.iter().map(|hash| format!("{hash}\n")).collect();
        fs::write(dir.join(format!("consistency/{number}")), lines).unwrap();
    }
}

/// The Go program; `None`, and said so, where there is no Go.
pub(crate) fn go(work: &Path) -> Option<PathBuf> {
    let Some(why) = missing() else {
        return Some(build(work));
    };
    // CI installs it (scripts/install-ci-tools.sh) and says so here.
    assert!(std::env::var_os("FOREIGN_REQUIRED").is_none(), "{why}");
    println!("SKIPPED: {why}");
    None
}

/// What a program that has been started says, and whether it accepts.
pub(crate) fn said(output: Output) -> (bool, String) {
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.success(), said)
}

/// What Go says of the files in this directory; `None`, and said so, where there is no Go.
pub(crate) fn verdict(dir: &Path) -> Option<(bool, String)> {
    let work = tempfile::tempdir().unwrap();
    let program = go(work.path())?;
    Some(said(Command::new(program).arg(dir).output().unwrap()))
}

#[test]
fn go_accepts_our_notes_tiles_and_proofs_and_refuses_changed_ones() {
    let cache = tempfile::tempdir().unwrap();
    let Some(program) = go(cache.path()) else {
        return;
    };
    for records in [1, 2, 255, 256, 257, 66_000] {
        let dir = tempfile::tempdir().unwrap();
        prepare(dir.path(), records);
        let output = Command::new(&program).arg(dir.path()).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success(), "{records}: {said}");
        assert!(
            said.starts_with(&format!("ok: {records} entries")),
            "{said}"
        );
        print!("{said}");
        if records != 257 {
            continue;
        }
        // It can say no: to an entry, a tile, a proof.
        for file in [
            "export/tile/entries/000",
            "export/tile/1/000.p/1",
            "proofs/62.tlog-proof",
        ] {
            let path = dir.path().join(file);
            let genuine = fs::read(&path).unwrap();
            let mut bytes = genuine.clone();
            bytes[31] ^= 1;
            fs::write(&path, bytes).unwrap();
            let output = Command::new(&program).arg(dir.path()).output().unwrap();
            assert!(!output.status.success(), "{file} was changed and accepted");
            fs::write(&path, genuine).unwrap();
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
//! A log in a directory, as it would be handed to an auditor.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use femtoclaw_ledger::events::{
    ComponentId, EventType, Outcome, ParentId, RecordHeader, StoreMask, StreamId, SubjectId,
};
use femtoclaw_ledger::integrity::checkpoint::Checkpoint;
use femtoclaw_ledger::integrity::export::Exporter;
use femtoclaw_ledger::integrity::key::{Algorithm, Signer};
use femtoclaw_ledger::integrity::merkle::{self, Tile, TileSource, TreeHash};
use femtoclaw_ledger::integrity::note::Note;
use femtoclaw_ledger::integrity::proof::TlogProof;
use femtoclaw_ledger::integrity::secret::SigningKey;
use femtoclaw_ledger::{CommandId, ExecutionId, Seq, TraceId};

pub(crate) const ORIGIN: &str = "ledger.example/audited";

/// The canonical header of record `seq` of a made-up history.
pub(crate) fn header(seq: u64) -> Vec<u8> {
    let mut commitment = [0; 32];
    commitment[..8].copy_from_slice(&seq.to_le_bytes());
    let header = RecordHeader {
        event_type: EventType(0x0102),
        revision: 1,
        flags: 0,
        codec: 1,
        algorithm: 1,
        outcome: Outcome::Success,
        stores: StoreMask::ALL,
        seq: Seq::new(seq).unwrap(),
        time_ns: 1_767_225_600_000_000_000 + i64::try_from(seq).unwrap(),
        stream: StreamId::from_bytes([1; 16]),
        stream_version: seq,
        execution: ExecutionId::from_bytes([2; 16]),
        parent: ParentId::from_bytes([0; 16]),
        trace: TraceId::from_bytes([0; 16]),
        command: CommandId::from_bytes([3; 16]),
        command_digest: [4; 32],
        commit_index: 0,
        commit_len: 1,
        component: ComponentId(1),
        payload_len: 9,
        payload_commitment: commitment,
        subject: SubjectId::NIL,
        observed_difference_ns: 0,
        data_key: 0,
    };
    let mut bytes = Vec::new();
    header.encode_into(&mut bytes);
    bytes
}

pub(crate) fn log_key() -> SigningKey {
    SigningKey::from_seed(ORIGIN, Algorithm::Ed25519, &[21; 32]).unwrap()
}

pub(crate) fn witness(number: u8) -> SigningKey {
    let name = format!("witness.example/{number}");
    SigningKey::from_seed(&name, Algorithm::CosignatureV1, &[100 + number; 32]).unwrap()
}

/// An export in a directory.
#[derive(Debug)]
pub(crate) struct Export(pub(crate) PathBuf);

impl Export {
    /// Exports these entries, signed by `key` and cosigned by two witnesses.
    pub(crate) fn write(path: &Path, entries: &[Vec<u8>], key: &SigningKey) -> Self {
        let mut exporter = Exporter::default();
        let put = |name: String, bytes: Vec<u8>| {
            let file = path.join(name);
            fs::create_dir_all(file.parent().unwrap())?;
            assert!(!file.exists(), "{file:?} twice");
            fs::write(file, bytes)
        };
        for entry in entries {
            exporter.append(entry, put).unwrap();
        }
        let frontier = exporter.tree().frontier();
        let note = checkpoint(frontier.size(), frontier.root(), key);
        exporter.finish(&note, put).unwrap();
        Self(path.to_owned())
    }

    pub(crate) fn of(path: &Path, records: u64) -> Self {
        let entries: Vec<_> = (1..=records).map(header).collect();
        Self::write(path, &entries, &log_key())
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn checkpoint(&self) -> Note {
        Note::parse(&fs::read(self.file("checkpoint")).unwrap()).unwrap()
    }

    pub(crate) fn proof(&self, size: u64, seq: u64) -> TlogProof {
        TlogProof {
            extra: None,
            index: seq - 1,
            path: merkle::inclusion(self, size, seq - 1).unwrap(),
            checkpoint: self.checkpoint(),
        }
    }
}

impl TileSource for Export {
    type Error = std::io::Error;

    fn tile(&self, tile: Tile) -> Result<Vec<u8>, Self::Error> {
        let wider = (tile.width()..=256)
            .filter_map(|width| Tile::new(tile.level(), tile.index(), width).ok())
            .find_map(|wider| fs::read(self.file(&wider.path())).ok());
        let mut bytes = wider.ok_or(std::io::ErrorKind::NotFound)?;
        bytes.truncate(usize::from(tile.width()) * 32);
        Ok(bytes)
    }
}

/// A checkpoint, signed by the log and cosigned by witnesses 1 and 2.
pub(crate) fn checkpoint(size: u64, root: TreeHash, key: &SigningKey) -> Note {
    let checkpoint = Checkpoint::new(ORIGIN, size, root).unwrap();
    let mut note = checkpoint.sign(key).unwrap();
    note.cosign(&witness(1), 1_767_225_601).unwrap();
    note.cosign(&witness(2), 1_767_225_602).unwrap();
    note
}

/// The policy that an auditor would write: this log, and two of three witnesses.
pub(crate) fn policy() -> String {
    let mut text = format!("log {}\n", log_key().key());
    for number in 1..=3 {
        text.push_str(&format!("witness w{number} {}\n", witness(number).key()));
    }
    text + "group two 2 w1 w2 w3\nquorum two\n"
}

pub(crate) fn femtoclaw_ledger(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_femtoclaw-ledger");
    Command::new(program).args(arguments).output().unwrap()
}

/// Runs the program; its exit code, and what it printed to either stream.
pub(crate) fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let output = femtoclaw_ledger(arguments);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

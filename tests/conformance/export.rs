// SPDX-License-Identifier: Apache-2.0
//! What others are handed, and what they are told of those who run the ledger: A6, A7, X3.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use femtoclaw_ledger::events::{EventType, Record, Store, TelemetryKind};
use femtoclaw_ledger::integrity::checkpoint::Checkpoint;
use femtoclaw_ledger::integrity::export::{ExportError, ExportSource, Exporter, verify_export};
use femtoclaw_ledger::integrity::key::Algorithm;
use femtoclaw_ledger::integrity::merkle::{Tile, TileSource};
use femtoclaw_ledger::integrity::note::Note;
use femtoclaw_ledger::integrity::secret::SigningKey;
use femtoclaw_ledger::{
    AppendError, Context, ExecutionId, Options, Quota, Rights,
    checkpoint::{CheckpointOptions, KeyChange},
    redaction::{Field, Redaction},
};

use crate::support::*;

const NAME: &str = "ledger.example/conformance";
/// An entry with its length in front of it.
const ENTRY: usize = 226;

fn key(number: u8) -> SigningKey {
    SigningKey::from_seed(NAME, Algorithm::Ed25519, &[number; 32]).unwrap()
}

/// Signs on demand and at a close.
fn signing() -> Options {
    let mut checkpoints = CheckpointOptions::new(Arc::new(key(1)), Vec::new());
    checkpoints.every_records = 0;
    checkpoints.every = Duration::ZERO;
    Options {
        checkpoints: Some(checkpoints),
        ..Options::default()
    }
}

/// The files of an export, by name.
#[derive(Clone, Default)]
struct Files(HashMap<String, Vec<u8>>);

impl Files {
    fn read(root: &Path) -> Self {
        let mut all = Self::default();
        let mut open = vec![root.to_owned()];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                    all.0.insert(name.to_owned(), fs::read(&path).unwrap());
                }
            }
        }
        all
    }

    /// What somebody makes of these entries who has this software and no key.
    fn of(entries: &[Vec<u8>], checkpoint: &Note) -> Self {
        let (mut all, mut exporter) = (Self::default(), Exporter::default());
        let mut put = |name: String, bytes: Vec<u8>| {
            all.0.insert(name, bytes);
            Ok::<_, std::convert::Infallible>(())
        };
        for entry in entries {
            exporter.append(entry, &mut put).unwrap();
        }
        exporter.finish(checkpoint, &mut put).unwrap();
        all
    }

    fn named(&self, name: &str) -> std::io::Result<Vec<u8>> {
        let found = self.0.get(name).cloned();
        found.ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }
}

impl TileSource for Files {
    type Error = std::io::Error;

    fn tile(&self, tile: Tile) -> std::io::Result<Vec<u8>> {
        self.named(&tile.path())
    }
}

impl ExportSource for Files {
    fn entries(&self, tile: Tile) -> std::io::Result<Vec<u8>> {
        self.named(&tile.entries_path())
    }
}

type Refused = ExportError<std::io::Error>;

/// A ledger's records and its export: several full bundles of entries, and a part of one.
async fn exported() -> (Vec<Record>, Note, Files) {
    let (root, path) = place();
    let open = open_with(&path, signing()).await;
    open.sample().await;
    let telemetry = open.ledger.telemetry(&open.grant).unwrap();
    while open.ledger.head().count() < 530 {
        let observed = observation(TelemetryKind::Execution, "beat");
        telemetry.record(observed).await.unwrap();
    }
    let note = open.root.checkpoint().await.unwrap();
    let to = root.path().join("export");
    open.root.export(&note, &to).await.unwrap();
    let mut records = open.records().await;
    let checkpoint = Checkpoint::parse(note.text()).unwrap();
    records.truncate(usize::try_from(checkpoint.size()).unwrap());
    open.close().await;
    (records, note, Files::read(&to))
}

#[tokio::test]
async fn a6_an_export_keeps_all_in_order_and_a_dropped_entry_is_named() {
    let (records, note, files) = exported().await;
    let checkpoint = Checkpoint::parse(note.text()).unwrap();
    let mut entries = Vec::new();
    let verified = verify_export(&files, &checkpoint, |_, entry| entries.push(entry.to_vec()));
    assert_eq!(verified.unwrap().records, records.len() as u64);
    // Complete, in order, unchanged.
    let headers = records.iter().map(|record| record.header.encode().to_vec());
    assert!(headers.eq(entries.iter().cloned()));
    assert!(entries.len() > 520);

    let refused = |files: &Files| verify_export(files, &checkpoint, |_, _| {}).unwrap_err();
    for dropped in 0..entries.len() {
        let bundle = dropped / 256;
        let width = (entries.len() - bundle * 256).min(256);
        let tile = Tile::new(0, bundle as u64, u16::try_from(width).unwrap()).unwrap();
        let (place, next) = (dropped as u64, dropped as u64 + 2);
        // The place is named; where nothing comes after it the file that is too short, and where all files are
        // made anew the one that should be as long.
        let is_named = |error: &Refused| match error {
            Refused::Order { index, found } => (*index, *found) == (place, next),
            Refused::Bundle { path, .. } => {
                *path == tile.entries_path() && dropped % 256 + 1 == width
            }
            Refused::Source { path, .. } => *path == tile.entries_path() && width < 256,
            _ => false,
        };
        let mut without = files.clone();
        let bytes = without.0.get_mut(&tile.entries_path()).unwrap();
        let at = dropped % 256 * ENTRY;
        bytes.drain(at..at + ENTRY);
        let error = refused(&without);
        assert!(is_named(&error), "{dropped}: {error}");
        // And all files made anew without it.
        if dropped % 53 == 0 || dropped + 2 >= entries.len() {
            let mut left = entries.clone();
            left.remove(dropped);
            let error = refused(&Files::of(&left, &note));
            assert!(is_named(&error), "{dropped}, made anew: {error}");
        }
    }
    // Two that change places, and one that stands there twice.
    for (one, other) in [(0, 1), (255, 256), (300, 310)] {
        let mut moved = entries.clone();
        moved.swap(one, other);
        let error = refused(&Files::of(&moved, &note));
        assert!(
            matches!(error, Refused::Order { index, .. } if index == one as u64),
            "{error}"
        );
    }
    let mut twice = entries.clone();
    twice[101] = twice[100].clone();
    let error = refused(&Files::of(&twice, &note));
    assert!(
        matches!(
            error,
            Refused::Order {
                index: 101,
                found: 101
            }
        ),
        "{error}"
    );
}

/// The partial tiles that a growth takes away may be gone already: somebody has tidied up.
#[tokio::test]
async fn an_export_without_its_partial_tiles_grows_all_the_same() {
    let (root, path) = place();
    let open = open_with(&path, signing()).await;
    let to = root.path().join("export");
    let note = open.root.checkpoint().await.unwrap();
    open.root.export(&note, &to).await.unwrap();
    for partial in ["tile/0/000.p", "tile/entries/000.p"] {
        std::fs::remove_dir_all(to.join(partial)).unwrap();
    }
    let telemetry = open.ledger.telemetry(&open.grant).unwrap();
    while open.ledger.head().count() < 260 {
        let observed = observation(TelemetryKind::Execution, "beat");
        telemetry.record(observed).await.unwrap();
    }
    let note = open.root.checkpoint().await.unwrap();
    open.root.export(&note, &to).await.unwrap();
    let checkpoint = Checkpoint::parse(note.text()).unwrap();
    let verified = verify_export(&Files::read(&to), &checkpoint, |_, _| {});
    assert_eq!(verified.unwrap().records, checkpoint.size());
    open.close().await;
}

/// What the operator does is on the record, in the audit log, with what it was about. Backup, restore, migration
/// and pruning are not among it: there are none yet.
#[tokio::test]
async fn a7_what_an_operator_does_leaves_a_record() {
    let (_root, path) = place();
    let clock = clock();
    let options = |signer| {
        let mut options = signing();
        options.clock = clock.clone();
        options.checkpoints.as_mut().unwrap().signer = Arc::new(key(signer));
        options
    };
    let open = open_with(&path, options(1)).await;
    let other = open.root.grant("other", Rights::all(), Quota::default());
    let other = other.await.unwrap();
    open.root.revoke(&other, "left").await.unwrap();
    let why = KeyChange {
        author: "ada".to_owned(),
        reason: "once a year".to_owned(),
    };
    open.root.change_key(Arc::new(key(2)), why).await.unwrap();
    open.close().await;
    clock.advance(Duration::from_secs(20 * 365 * 86_400));
    let open = open_with(&path, options(2)).await;
    open.root
        .accept_clock("it was off for years")
        .await
        .unwrap();
    let records = open.records().await;
    for (event_type, what) in [
        (EventType::ComponentGranted, "other"),
        (EventType::ComponentRevoked, "left"),
        (EventType::SigningKeyChanged, "once a year"),
        (EventType::ClockAccepted, "it was off for years"),
    ] {
        let told = records.iter().find(|record| {
            let text = String::from_utf8_lossy(record.payload().unwrap());
            record.header.event_type == event_type && text.contains(what)
        });
        let told = told.unwrap_or_else(|| panic!("no {}", event_type.name()));
        assert!(told.header.stores.contains(Store::AuditLog), "{what}");
        assert_eq!(told.header.component.0, 0, "{what}");
    }
    open.close().await;
}

/// Attributes are JSON, byte for byte as they were given; what is none is refused, and nothing of it is written.
#[tokio::test]
async fn x3_telemetry_is_json_and_what_is_none_is_refused() {
    let (_root, path) = place();
    let open = open(&path).await;
    let telemetry = open.ledger.telemetry(&open.grant).unwrap();
    let head = open.ledger.head().count();
    for malformed in [
        &b"{"[..],
        b"{\"a\": 1,}",
        b"{'a': 1}",
        b"{\"a\": 1} {}",
        b"\xff",
        b"{\"a\": \"\xc3\"}",
        b"NaN",
        b"{\"a\": 01}",
    ] {
        let mut observed = observation(TelemetryKind::Error, "x");
        observed.attributes = malformed.to_vec();
        let refused = telemetry.record(observed.clone()).await.unwrap_err();
        assert_eq!(refused.code(), "invalid_json", "{refused}");
        let refused = telemetry.emit(observed).unwrap_err();
        assert!(
            matches!(refused, AppendError::InvalidJson { .. }),
            "{refused}"
        );
    }
    assert_eq!(open.ledger.head().count(), head);
    let given = br#"{"ms":  1.50, "ids": ["a", 18446744073709551616], "u": "\u00e4"}"#;
    let mut observed = observation(TelemetryKind::Error, "x");
    observed.attributes = given.to_vec();
    telemetry.record(observed).await.unwrap();
    let told = open
        .events()
        .await
        .into_iter()
        .find_map(|event| match event {
            femtoclaw_ledger::Event::TelemetryRecorded(it) if it.name == "x" => Some(it.attributes),
            _ => None,
        });
    assert_eq!(told.as_deref(), Some(&given[..]));
    open.close().await;
}

/// Ids that the ledger gives are given once, in whatever ledger and opening; one that a caller gives twice is refused.
#[tokio::test]
async fn x3_an_execution_id_is_given_once() {
    let (_root, path) = place();
    let mut given = BTreeSet::new();
    let mut count = 0;
    for (round, ledger) in [&path, &path.with_file_name("other"), &path]
        .iter()
        .enumerate()
    {
        let open = open(ledger).await;
        let mut last = None;
        for _ in 0..100 {
            let begun = open.begin().await;
            count += 1;
            last = Some(begun.execution());
            given.insert(begun.execution());
            let _running = begun.started().unwrap().detach();
        }
        assert_eq!(given.len(), count, "round {round}");
        let mut again = open.request("message");
        again.execution = last;
        let head = open.ledger.head().count();
        let refused = open.log().begin(again).await.unwrap_err();
        assert_eq!(refused.code(), "invalid_transition", "{refused}");
        let written = open
            .records()
            .await
            .split_off(usize::try_from(head).unwrap());
        let of_it = written
            .iter()
            .filter(|it| it.header.stream.as_bytes() == last.unwrap().as_bytes());
        assert_eq!(of_it.count(), 0);
        open.close().await;
    }
    assert!(!given.contains(&ExecutionId::NIL));
}

const SECRET: &[u8] = b"hunter2-Zk9vQx";

struct Remover;

impl Redaction for Remover {
    fn redact(&self, _: Field, bytes: &mut Vec<u8>) -> Result<(), String> {
        let secret = std::str::from_utf8(SECRET).unwrap();
        *bytes = String::from_utf8_lossy(bytes)
            .replace(secret, "[removed]")
            .into_bytes();
        Ok(())
    }

    fn name(&self) -> &'static str {
        "remover"
    }
}

/// A secret in an observation, an argument or a result is in no file of the ledger and in no export. Every field of every
/// command is in `tests/redaction`.
#[tokio::test]
async fn x3_secrets_are_redacted_before_anything_is_stored() {
    for redacts in [false, true] {
        let (root, path) = place();
        let mut options = signing();
        if redacts {
            options.redaction = Some(Arc::new(Remover));
        }
        let open = open_with(&path, options).await;
        let json = format!(
            "{{\"token\": \"{}\"}}",
            std::str::from_utf8(SECRET).unwrap()
        );
        let mut observed = observation(TelemetryKind::Error, "login");
        observed.attributes = json.clone().into_bytes();
        observed.context = Context::new();
        let telemetry = open.ledger.telemetry(&open.grant).unwrap();
        telemetry.record(observed.clone()).await.unwrap();
        telemetry.emit(observed).unwrap();
        let mut request = open.request("message");
        request.arguments = json.clone().into_bytes();
        let begun = open.log().begin(request).await.unwrap();
        let running = begun.started().unwrap().detach();
        open.complete(running, json.as_bytes()).await.unwrap();
        let note = open.root.checkpoint().await.unwrap();
        open.root
            .export(&note, root.path().join("export"))
            .await
            .unwrap();
        open.close().await;
        let files = Files::read(root.path()).0.into_iter();
        let telling = files.filter(|(_, bytes)| bytes.windows(SECRET.len()).any(|it| it == SECRET));
        let telling: Vec<_> = telling.map(|(name, _)| name).collect();
        // Without the redactor it is there: the search finds what there is.
        assert_eq!(telling.is_empty(), redacts, "{telling:?}");
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Closed ledgers, made once and copied, and everything under a directory, times included.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use femtoclaw_ledger::events::{EventType, StoreMask};
use femtoclaw_ledger::integrity::Chain;
use femtoclaw_ledger::integrity::key::{Algorithm, Signer};
use femtoclaw_ledger::integrity::secret::SigningKey;
use femtoclaw_ledger::journal::{
    Anchor, FRAME_HEADER_LEN, FjallJournal, FrameBuilder, Head, Journal, JournalOptions, NewRecord,
};
use femtoclaw_ledger::{
    Context, Decision, ExecutionId, Ledger, Options, Quota, Record, Request, Rights, Seq,
    checkpoint::{CheckpointDirectory, CheckpointOptions},
    read_only::{ReadOnly, ReadOnlyOptions},
};

pub(crate) const WAIT: Duration = Duration::from_secs(60);
pub(crate) const EXECUTIONS: usize = 40;

/// What later software says, in bytes of its own.
pub(crate) const LATER: &[u8] = b"whatever a later software writes";

/// A closed ledger, and what its records are.
pub(crate) struct Made {
    directory: tempfile::TempDir,
    pub(crate) records: Vec<Record>,
    pub(crate) executions: Vec<ExecutionId>,
}

/// A copy of one, to be damaged.
pub(crate) struct Scene {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) path: PathBuf,
    pub(crate) made: &'static Made,
}

/// What the arguments of an execution hold, to find it in a file.
pub(crate) fn needle(number: usize) -> String {
    format!("needle {number:04} ")
}

pub(crate) fn request(ledger: &Ledger, number: usize, bytes: usize) -> Request {
    let text = format!("{}{}", needle(number), "x".repeat(bytes));
    Request {
        context: Context::new(),
        execution: None,
        input: None,
        capability: "message".to_owned(),
        arguments: format!("{{\"content\":\"{text}\"}}").into_bytes(),
        decision: Decision::Authorized,
        reason: String::new(),
        basis: ledger.in_force().basis(),
    }
}

pub(crate) const ORIGIN: &str = "ledger.example/readonly";

pub(crate) fn key() -> SigningKey {
    SigningKey::from_seed(ORIGIN, Algorithm::Ed25519, &[7; 32]).unwrap()
}

impl Made {
    /// Executions one by one, each a frame or two of its own, the last left running; two checkpoints.
    fn new(memtable_bytes: Option<u64>, bytes: usize) -> Self {
        // On a thread of its own: a test may have a runtime already.
        let made = || Self::make(memtable_bytes, bytes);
        let make = || tokio::runtime::Runtime::new().unwrap().block_on(made());
        std::thread::scope(|scope| scope.spawn(make).join().unwrap())
    }

    async fn make(memtable_bytes: Option<u64>, bytes: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let signer: Arc<dyn Signer> = Arc::new(key());
        let copies = CheckpointDirectory::new(directory.path().join("copies"));
        fs::create_dir(directory.path().join("copies")).unwrap();
        let options = Options {
            memtable_bytes,
            checkpoints: Some(CheckpointOptions::new(signer, vec![Arc::new(copies)])),
            ..Options::default()
        };
        let path = directory.path().join("ledger");
        let (ledger, root) = Ledger::open(&path, options).await.unwrap();
        let grant = root.grant("tester", Rights::all(), Quota::default());
        let grant = grant.await.unwrap();
        let log = ledger.execution_log(&grant).unwrap();
        // Held to the close: an execution that is let go of is in doubt from then on.
        let (mut executions, mut held) = (Vec::new(), Vec::new());
        for number in 0..EXECUTIONS {
            let begun = log.begin(request(&ledger, number, bytes)).await.unwrap();
            executions.push(begun.execution());
            if number + 1 < EXECUTIONS {
                let done = b"\"said\"".to_vec();
                let done = log.complete(begun.execution(), Context::new(), done);
                done.await.unwrap();
            }
            if number == 3 || number == EXECUTIONS - 3 {
                root.checkpoint().await.unwrap();
            }
            held.push(begun);
        }
        let reads = ledger.reader(&grant).unwrap();
        let records = reads.range(Seq::FIRST, usize::MAX).await.unwrap();
        let closed = root.close_at_once(Duration::from_secs(60)).await.unwrap();
        assert_eq!(closed.running, 1);
        drop((held, reads, log, ledger, root, grant));
        Self {
            directory,
            records,
            executions,
        }
    }

    /// Takes out of the log what is in tables, as the engine does once a log file has 64 MiB.
    fn shorten_log(&self) {
        let journal = self.directory.path().join("ledger/journal");
        let tables = fs::read_dir(journal.join("keyspaces/1/tables")).unwrap();
        let tables = tables.map(|entry| fs::read(entry.unwrap().path()).unwrap());
        let tables: Vec<u8> = tables.flatten().collect();
        let frame = |batch: &[u8]| batch.windows(8).position(|it| it == b"FCLFRAME");
        let mut kept = Vec::new();
        for batch in batches(&fs::read(journal.join("0.jnl")).unwrap()) {
            let value = frame(batch).map(|at| &batch[at..batch.len() - 13]);
            // The beginning is as good as all of it, and found sooner.
            let is_there = value.is_some_and(|value| {
                let mut windows = tables.windows(FRAME_HEADER_LEN);
                windows.any(|window| window == &value[..FRAME_HEADER_LEN])
            });
            if !is_there {
                kept.extend_from_slice(batch);
            }
        }
        fs::write(journal.join("0.jnl"), kept).unwrap();
    }

    pub(crate) fn head(&self) -> u64 {
        self.records.len() as u64
    }
}

/// Every batch of a log file.
fn batches(log: &[u8]) -> Vec<&[u8]> {
    let trailers = log.windows(4).enumerate();
    let trailers = trailers.filter(|(_, four)| *four == b"FJL\x03");
    let mut start = 0;
    let batches = trailers.map(|(at, _)| {
        let batch = &log[start..at + 4];
        start = at + 4;
        batch
    });
    batches.collect()
}

/// All of it lies in the log.
pub(crate) fn in_log() -> Scene {
    static MADE: OnceLock<Made> = OnceLock::new();
    Scene::of(MADE.get_or_init(|| Made::new(None, 100)))
}

/// Most of it lies in tables.
pub(crate) fn in_tables() -> Scene {
    static MADE: OnceLock<Made> = OnceLock::new();
    Scene::of(MADE.get_or_init(|| {
        let made = Made::new(Some(16 << 10), 4_000);
        made.shorten_log();
        made
    }))
}

fn copy(from: &Path, to: &Path) {
    fs::DirBuilder::new().mode(0o700).create(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = (
            entry.as_ref().unwrap().path(),
            to.join(entry.unwrap().file_name()),
        );
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).unwrap();
        }
    }
}

/// Name, content and every time but that of the last access; of a directory too.
pub(crate) type State = Vec<(PathBuf, [i64; 6], Vec<u8>)>;

pub(crate) fn state(path: &Path) -> State {
    let mut found = Vec::new();
    let it = path.symlink_metadata().unwrap();
    let is = [
        it.mtime(),
        it.mtime_nsec(),
        it.ctime(),
        it.ctime_nsec(),
        i64::from(it.mode()),
        it.nlink().cast_signed(),
    ];
    if it.is_dir() {
        found.push((path.to_owned(), is, Vec::new()));
        for entry in fs::read_dir(path).unwrap() {
            found.extend(state(&entry.unwrap().path()));
        }
    } else {
        found.push((path.to_owned(), is, fs::read(path).unwrap()));
    }
    found.sort();
    found
}

/// Where a text lies in a file.
pub(crate) fn find(path: &Path, text: &str) -> Option<usize> {
    let bytes = fs::read(path).unwrap();
    let mut windows = bytes.windows(text.len());
    windows.position(|window| window == text.as_bytes())
}

pub(crate) fn flip(path: &Path, at: usize) {
    let file = fs::OpenOptions::new().read(true).write(true).open(path);
    let (file, mut byte) = (file.unwrap(), [0]);
    file.read_exact_at(&mut byte, at as u64).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at as u64).unwrap();
}

impl Scene {
    fn of(made: &'static Made) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger");
        copy(&made.directory.path().join("ledger"), &path);
        Self {
            directory,
            path,
            made,
        }
    }

    pub(crate) fn to(&self) -> PathBuf {
        self.directory.path().join("new")
    }

    /// The log's files, in order.
    pub(crate) fn logs(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path.join("journal")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let mut logs: Vec<_> = paths
            .filter(|path| path.extension().is_some_and(|it| it == "jnl"))
            .collect();
        logs.sort();
        logs
    }

    pub(crate) fn tables(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path.join("journal/keyspaces/1/tables")).unwrap();
        let mut tables: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        tables.sort();
        tables
    }

    /// The log's first file, up to the last byte that is not zero.
    pub(crate) fn written(&self) -> Vec<u8> {
        let mut bytes = fs::read(&self.logs()[0]).unwrap();
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
        bytes.truncate(used + 1);
        bytes
    }

    /// Puts the beginning of a batch that was never finished behind the last one.
    pub(crate) fn tear(&self) {
        let mut bytes = self.written();
        let end = bytes.len();
        bytes.extend_from_within(..60);
        bytes[end + 5..end + 13].copy_from_slice(&u64::to_le_bytes(1 << 40));
        fs::write(&self.logs()[0], bytes).unwrap();
    }

    /// Newer software wrote a record more, in an epoch of its own: of this type and revision, of one of the executions.
    pub(crate) fn later(&self, event_type: EventType, revision: u16) -> Seq {
        let options = JournalOptions::default();
        let journal = FjallJournal::open(&self.path.join("journal"), &options).unwrap();
        let (ledger, head) = (journal.ledger().unwrap().unwrap(), journal.head().unwrap());
        let (payload, salt) = (LATER.to_vec(), [2; 16]);
        let record = NewRecord {
            execution: self.made.executions[0],
            commitment: Chain::default().payload_commitment(&salt, &payload),
            salt,
            stores: StoreMask::ALL,
            ..NewRecord::new(event_type, revision, payload)
        };
        let mut frame = FrameBuilder::new(ledger, head.epoch + 1, head);
        frame.push(&record, head.time_ns);
        journal.append(&frame.finish(), &head).unwrap();
        journal.close();
        head.next_seq()
    }

    /// The same directory as its making leaves it, before the first frame.
    pub(crate) fn empty(&self) {
        let ledger = self.opened().id().unwrap();
        for name in ["journal", "views", "snapshots"] {
            drop(fs::remove_dir_all(self.path.join(name)));
        }
        let journal = FjallJournal::open(&self.path.join("journal"), &JournalOptions::default());
        journal.unwrap().close();
        Anchor::create(&self.path.join("ANCHOR"), ledger, &Head::default(), 0).unwrap();
    }

    /// Opens it, and nothing under its directory changes by that nor by reading all of it.
    pub(crate) fn opened(&self) -> ReadOnly {
        let before = state(&self.path);
        let opened = Ledger::open_read_only(&self.path, ReadOnlyOptions::default()).unwrap();
        drop(opened.summary().unwrap());
        assert!(state(&self.path) == before, "changed by reading");
        opened
    }

    /// The codes of what is found, each once.
    pub(crate) fn found(opened: &ReadOnly) -> Vec<&'static str> {
        let codes = opened.findings().iter().map(|finding| finding.kind.code());
        let mut codes: Vec<_> = codes.collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    }

    /// The record that holds this execution's arguments.
    pub(crate) fn decided(&self, number: usize) -> &Record {
        let text = needle(number);
        let holds = |record: &&Record| {
            let mut windows = record.payload().unwrap().windows(text.len());
            windows.any(|window| window == text.as_bytes())
        };
        self.made.records.iter().find(holds).unwrap()
    }
}

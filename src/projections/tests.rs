// SPDX-License-Identifier: Apache-2.0
//! Views whose ranges are short, of a journal that vouches when the test wants it to.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::views::Watched;
use super::{Notice, Projection, SealedSegment, Source, View, Views, ViewsOptions, Voucher};
use crate::callbacks::Callbacks;
use crate::events::{
    CODEC_BINCODE, CommandId, ComponentId, EventType, ExecutionId, Outcome, ParentId, Record,
    RecordHeader, Seq, StreamId, SubjectId, TraceId,
};
use crate::integrity::digest;

mod faults;
mod forged;
mod kept;
mod taken_out;
mod words;

pub(crate) use taken_out::take_out;
use words::Words;

const RANGE: u64 = 64;
const WAIT: Duration = Duration::from_secs(60);

fn key(kind: &str, number: u64) -> Vec<u8> {
    format!("{kind} {number:08}").into_bytes()
}

/// A record of a commit of so many records, at this place in it.
fn record(seq: u64, (index, len): (u16, u16)) -> Record {
    let header = RecordHeader {
        event_type: EventType::HealthChanged,
        revision: 1,
        flags: 0,
        codec: CODEC_BINCODE,
        algorithm: 1,
        outcome: Outcome::Neutral,
        stores: EventType::HealthChanged.stores(),
        seq: Seq::new(seq).unwrap(),
        time_ns: 0,
        stream: StreamId::from_bytes([0; 16]),
        stream_version: 0,
        execution: ExecutionId::NIL,
        parent: ParentId::NIL,
        trace: TraceId::NIL,
        command: CommandId::from_bytes([1; 16]),
        command_digest: [0; 32],
        commit_index: index,
        commit_len: len,
        component: ComponentId(0),
        payload_len: 0,
        payload_commitment: [0; 32],
        subject: SubjectId::NIL,
        observed_difference_ns: 0,
        data_key: 0,
    };
    Record {
        header,
        hash: digest(&seq.to_be_bytes()),
        content: None,
    }
}

/// Commits of one to five records, until there are so many: what comes behind them does not change them.
fn records(count: u64) -> Vec<Record> {
    let mut records = Vec::new();
    let mut commit = 0_u16;
    while (records.len() as u64) < count {
        commit += 1;
        let len = commit % 5 + 1;
        for index in 0..len {
            records.push(record(records.len() as u64 + 1, (index, len)));
        }
    }
    records
}

/// A journal in memory, which vouches.
struct Journal {
    /// Lock: views' threads and the test, for a copy or for more of them; nothing is called under it.
    records: Mutex<Vec<Record>>,
    grown: Condvar,
    /// Most records that it gives at once.
    step: usize,
    /// Records read by views, one for each time.
    read: AtomicUsize,
    /// Lock: views' threads and the test, for one answer; nothing is called under it.
    vouched: Mutex<Vouched>,
}

/// Is told the number of the record.
type TellSeq = Box<dyn FnOnce(u64) + Send>;

#[derive(Default)]
struct Vouched {
    /// By which record.
    stated: HashMap<u64, Vec<SealedSegment>>,
    /// It vouches for nothing longer than so many ranges; told when it does.
    ranges_max: Option<u64>,
    waiting: Vec<(SealedSegment, TellSeq)>,
}

impl Journal {
    fn new(records: &[Record], step: usize) -> Arc<Self> {
        Arc::new(Self {
            records: Mutex::new(records.to_vec()),
            grown: Condvar::new(),
            step,
            read: AtomicUsize::new(0),
            vouched: Mutex::default(),
        })
    }

    fn append(&self, records: &[Record]) {
        self.records.lock().unwrap().extend_from_slice(records);
        self.grown.notify_all();
    }

    fn vouch_for_ranges(&self, max: Option<u64>) {
        let waiting = {
            let mut vouched = self.vouched.lock().unwrap();
            vouched.ranges_max = max;
            std::mem::take(&mut vouched.waiting)
        };
        for (segment, told) in waiting {
            self.vouch(segment, told);
        }
    }

    fn waiting(&self) -> usize {
        self.vouched.lock().unwrap().waiting.len()
    }
}

impl Voucher for Journal {
    fn vouch(&self, segment: SealedSegment, told: Box<dyn FnOnce(u64) + Send>) {
        let by = self.head();
        let mut vouched = self.vouched.lock().unwrap();
        let ranges = segment.last_seq / RANGE - (segment.first_seq - 1) / RANGE;
        if vouched.ranges_max.is_some_and(|max| ranges > max) {
            vouched.waiting.push((segment, told));
            return;
        }
        vouched.stated.entry(by).or_default().push(segment);
        drop(vouched);
        told(by);
    }

    fn has_vouched(&self, seq: u64, segment: &SealedSegment) -> Result<bool, String> {
        let vouched = self.vouched.lock().unwrap();
        let stated = vouched.stated.get(&seq);
        Ok(stated.is_some_and(|stated| stated.contains(segment)))
    }
}

impl Source for Journal {
    fn head(&self) -> u64 {
        self.records.lock().unwrap().len() as u64
    }

    fn records(&self, from: Seq, max: usize) -> Result<Vec<Record>, String> {
        let records = self.records.lock().unwrap();
        let from = (from.get() - 1) as usize;
        let to = records.len().min(from + max.min(self.step));
        let given = records.get(from..to).unwrap_or_default().to_vec();
        self.read.fetch_add(given.len(), Ordering::Relaxed);
        Ok(given)
    }

    fn wait_beyond(&self, seq: u64, timeout: Duration) -> u64 {
        let records = self.records.lock().unwrap();
        let waits = |records: &mut Vec<Record>| records.len() as u64 <= seq;
        let waited = self.grown.wait_timeout_while(records, timeout, waits);
        waited.unwrap().0.len() as u64
    }
}

/// Views of a journal, and what was told of them.
struct Opened {
    views: Option<Views>,
    /// Lock: views' threads for one notice, the test to count them; nothing is called under it.
    notices: Arc<Mutex<Vec<Notice>>>,
}

impl Opened {
    fn of(directory: &Path, journal: &Arc<Journal>) -> Self {
        Self::with(directory, journal, ViewsOptions::default())
    }

    fn with(directory: &Path, journal: &Arc<Journal>, options: ViewsOptions) -> Self {
        let notices: Arc<Mutex<Vec<Notice>>> = Arc::default();
        let heard = Arc::clone(&notices);
        let options = ViewsOptions {
            listener: Some(Arc::new(move |notice| {
                heard.lock().unwrap().push(notice.clone());
            })),
            ..options
        };
        let watched = Watched {
            callbacks: &Callbacks::unwatched(),
            budget: Duration::MAX,
            voucher: Some(Arc::clone(journal) as _),
        };
        let projections: Vec<Box<dyn Projection>> =
            vec![Box::new(Words("words")), Box::new(Words("others"))];
        let source: Arc<dyn Source> = Arc::clone(journal) as _;
        let views =
            Views::open_ranged(directory, options, projections, source, (watched, RANGE)).unwrap();
        Self {
            views: Some(views),
            notices,
        }
    }

    fn view(&self, name: &str) -> View {
        self.views.as_ref().unwrap().view(name).unwrap()
    }

    fn set_aside(&self) -> Vec<String> {
        let notices = self.notices.lock().unwrap();
        let aside = notices.iter().filter_map(|notice| match notice {
            Notice::SetAside { cause, .. } => Some(cause.clone()),
            _ => None,
        });
        aside.collect()
    }

    fn rebuilt(&self) -> usize {
        let notices = self.notices.lock().unwrap();
        let rebuilt = notices.iter();
        rebuilt
            .filter(|it| matches!(it, Notice::Rebuilt { .. }))
            .count()
    }

    /// Every key and value, once it has read so far.
    fn content(&self, name: &str, seq: u64) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let view = self.view(name);
        until("it has read so far", || {
            view.at_least(seq, WAIT).is_ok() && view.scan(b"", usize::MAX).is_ok()
        });
        view.scan(b"", usize::MAX).unwrap().into_iter().collect()
    }

    /// As a kill leaves it: nothing that is in memory is written. Waits for the threads all the same, so that the
    /// directory is at rest.
    fn killed(mut self) {
        self.views.take().unwrap().close();
    }
}

/// What the view's keys and values are after these records.
fn expected(name: &str, records: u64) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut content = BTreeMap::new();
    for seq in 1..=records {
        let text = format!("{name} of record {seq}").into_bytes();
        content.insert(key("newest", seq % 23), text.clone());
        content.insert(key("each", seq), text);
        if let Some(gone) = seq.checked_sub(5).filter(|gone| gone % 3 == 0) {
            content.remove(&key("each", gone));
        }
    }
    content
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..30_000 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("not in time: {what}");
}

/// The files of a view, by their names without the generation's, with their bytes.
fn files(directory: &Path, view: &str, suffix: &str) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for path in paths(&directory.join("views").join(view), suffix) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // One that was replaced may go just now.
        if let Ok(bytes) = fs::read(&path) {
            found.insert(name, bytes);
        }
    }
    found
}

fn paths(below: &Path, suffix: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(below).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(paths(&path, suffix));
        } else if path.to_string_lossy().ends_with(suffix) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn manifest_path(directory: &Path, view: &str) -> PathBuf {
    directory.join("views").join(view).join("manifest.json")
}

fn manifest(directory: &Path, view: &str) -> serde_json::Value {
    let bytes = fs::read(manifest_path(directory, view)).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// First and last record and digest of each segment that the manifest names.
fn stated(directory: &Path, view: &str) -> Vec<(u64, u64, String)> {
    let manifest = manifest(directory, view);
    let segments = manifest["segments"].as_array().unwrap().iter();
    let each = |it: &serde_json::Value| {
        let number = |name: &str| it[name].as_u64().unwrap();
        let digest = it["digest"].as_str().unwrap().to_owned();
        (number("first_seq"), number("last_seq"), digest)
    };
    segments.map(each).collect()
}

/// Until the view's segments are as many as they stay: of so many records, with the largest merged.
fn until_stated(directory: &Path, view: &str, segments: usize) {
    let look = || {
        let files = paths(&directory.join("views").join(view), ".segment");
        (stated(directory, view), files)
    };
    for _ in 0..30_000 {
        let (stated, files) = look();
        if (stated.len(), files.len()) == (segments, segments) {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("{segments} segments: {:?}", look());
}

// SPDX-License-Identifier: Apache-2.0
//! Group commit for whoever has none of its own: callers put rows into a queue, writers take all that is there.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::oneshot;

/// As the ledger's frames.
const GROUP_ROWS_MAX: usize = 1_024;
const GROUP_BYTES_MAX: usize = 512 << 10;

pub(crate) const COMPONENTS: u64 = 64;
pub(crate) const KINDS: u64 = 16;

/// What a rival stores for one record: what the three indexes are over, and the payload.
pub(crate) struct Row {
    pub(crate) seq: i64,
    pub(crate) time_ns: i64,
    /// Unique, and in the order of time as ids of the ledger are: the best case of a B-tree.
    pub(crate) execution: [u8; 16],
    pub(crate) component: i32,
    pub(crate) kind: i16,
    pub(crate) payload: Vec<u8>,
}

/// One writer: a connection, or the one that a database has.
pub(crate) trait Engine: Send + 'static {
    /// Makes the rows durable, all of them in one commit.
    fn commit(&mut self, rows: &[Row]) -> Result<(), String>;
}

type Answer = oneshot::Sender<Result<(), String>>;

#[derive(Default)]
struct Queue {
    waiting: VecDeque<(Row, Answer)>,
    /// How many of the writers take rows.
    active: usize,
    stopping: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    filled: Condvar,
    /// Where writers wait that take none.
    spare: Condvar,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) struct GroupCommit {
    shared: Arc<Shared>,
    rows: AtomicU64,
    threads: Vec<JoinHandle<()>>,
}

impl GroupCommit {
    /// A thread for each engine.
    pub(crate) fn start(engines: Vec<Box<dyn Engine>>) -> Result<Self, String> {
        let shared = Arc::new(Shared::default());
        let mut threads = Vec::new();
        shared.queue().active = engines.len();
        for (index, mut engine) in engines.into_iter().enumerate() {
            let theirs = Arc::clone(&shared);
            let builder = std::thread::Builder::new().name("rival-writer".to_owned());
            let thread = builder.spawn(move || write(&theirs, index, engine.as_mut()));
            threads.push(thread.map_err(|error| error.to_string())?);
        }
        Ok(Self {
            shared,
            rows: AtomicU64::new(0),
            threads,
        })
    }

    pub(crate) fn writers(&self) -> usize {
        self.threads.len()
    }

    /// From now on the first so many writers take rows, the others none.
    pub(crate) fn set_active(&self, writers: usize) {
        self.shared.queue().active = writers.max(1);
        self.shared.spare.notify_all();
        self.shared.filled.notify_all();
    }

    /// Stores one payload; returns once it is durable.
    pub(crate) async fn append(&self, payload: Vec<u8>) -> Result<(), String> {
        let (answer, answered) = oneshot::channel();
        let time = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let mut row = Row {
            seq: 0,
            time_ns: i64::try_from(time.as_nanos()).unwrap_or(i64::MAX),
            execution: [0; 16],
            component: 0,
            kind: 0,
            payload,
        };
        {
            let mut queue = self.shared.queue();
            // In the order of the queue, so that rows are appended at the end of their table.
            number(&mut row, self.rows.fetch_add(1, Ordering::Relaxed) + 1);
            queue.waiting.push_back((row, answer));
        }
        self.shared.filled.notify_one();
        answered
            .await
            .unwrap_or_else(|_| Err("writer_gone".to_owned()))
    }
}

fn number(row: &mut Row, number: u64) {
    row.seq = number.cast_signed();
    let (time, count) = row.execution.split_at_mut(8);
    time.copy_from_slice(&row.time_ns.to_be_bytes());
    count.copy_from_slice(&number.to_be_bytes());
    row.component =
        (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32).wrapping_rem(COMPONENTS) as i32;
    row.kind = (number.wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 32).wrapping_rem(KINDS) as i16;
}

impl Drop for GroupCommit {
    fn drop(&mut self) {
        self.shared.queue().stopping = true;
        self.shared.filled.notify_all();
        self.shared.spare.notify_all();
        for thread in self.threads.drain(..) {
            let _finished = thread.join();
        }
    }
}

fn write(shared: &Shared, index: usize, engine: &mut dyn Engine) {
    let (mut rows, mut answers) = (Vec::new(), Vec::new());
    while take(shared, index, &mut rows, &mut answers) {
        let done = engine.commit(&rows);
        rows.clear();
        for answer in answers.drain(..) {
            // A caller that has gone needs no answer.
            let _sent = answer.send(done.clone());
        }
    }
}

/// The next group; false where the writer is to stop.
fn take(shared: &Shared, index: usize, rows: &mut Vec<Row>, answers: &mut Vec<Answer>) -> bool {
    let mut queue = shared.queue();
    while !queue.stopping && (index >= queue.active || queue.waiting.is_empty()) {
        let until = if index < queue.active {
            &shared.filled
        } else {
            &shared.spare
        };
        queue = until.wait(queue).unwrap_or_else(PoisonError::into_inner);
    }
    let mut bytes = 0;
    while let Some((row, _)) = queue.waiting.front() {
        bytes += row.payload.len();
        if !rows.is_empty() && (bytes > GROUP_BYTES_MAX || rows.len() == GROUP_ROWS_MAX) {
            break;
        }
        if let Some((row, answer)) = queue.waiting.pop_front() {
            rows.push(row);
            answers.push(answer);
        }
    }
    !rows.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counts(Arc<Mutex<Vec<Vec<i64>>>>);

    impl Engine for Counts {
        fn commit(&mut self, rows: &[Row]) -> Result<(), String> {
            let seqs = rows.iter().map(|row| row.seq).collect();
            self.0.lock().unwrap().push(seqs);
            std::thread::sleep(std::time::Duration::from_millis(1));
            Ok(())
        }
    }

    #[tokio::test]
    async fn spare_writers_take_nothing_and_lose_no_wake_up() {
        let groups = Arc::new(Mutex::new(Vec::new()));
        let engine = || Box::new(Counts(Arc::clone(&groups))) as Box<dyn Engine>;
        let commit = GroupCommit::start((0..8).map(|_| engine()).collect()).unwrap();
        for writers in [1, 8, 2, 1] {
            commit.set_active(writers);
            for _ in 0..20 {
                let appended = commit.append(b"\"x\"".to_vec());
                let in_time = std::time::Duration::from_secs(20);
                tokio::time::timeout(in_time, appended)
                    .await
                    .unwrap()
                    .unwrap();
            }
        }
        assert_eq!(groups.lock().unwrap().concat().len(), 80);
    }

    #[tokio::test]
    async fn rows_are_committed_once_in_order_and_in_groups() {
        let groups = Arc::new(Mutex::new(Vec::new()));
        let commit =
            Arc::new(GroupCommit::start(vec![Box::new(Counts(Arc::clone(&groups)))]).unwrap());
        let tasks: Vec<_> = (0..500)
            .map(|_| {
                let commit = Arc::clone(&commit);
                tokio::spawn(async move { commit.append(b"\"x\"".to_vec()).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        let groups = groups.lock().unwrap();
        let all: Vec<i64> = groups.concat();
        assert_eq!(all, (1..=500).collect::<Vec<_>>());
        assert!(groups.len() < 500);
    }
}

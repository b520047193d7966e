// SPDX-License-Identifier: Apache-2.0
//! What the disk allows: the same callers, the same group commit and a writer thread of its own,
//! but one file, payloads as they are, and neither hashing nor encoding.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

/// As the ledger's frames.
const GROUP_RECORDS_MAX: usize = 1_024;
const GROUP_BYTES_MAX: usize = 512 << 10;
/// Written with zeros in advance, so that a sync has no block to allocate.
const PREALLOCATED_BYTES: u64 = 64 << 20;

type Waiting = (Vec<u8>, oneshot::Sender<()>);

#[derive(Default)]
struct Queue {
    waiting: Vec<Waiting>,
    stopping: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    filled: Condvar,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file behind a writer thread.
pub(crate) struct Raw {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Raw {
    /// A fresh file. A preallocated one is written from its start again when it is full, as a file
    /// that is recycled would be.
    pub(crate) fn create(path: &Path, preallocated: bool) -> io::Result<Self> {
        let file = File::create(path)?;
        if preallocated {
            let zeros = vec![0; 1 << 20];
            for offset in (0..PREALLOCATED_BYTES).step_by(zeros.len()) {
                file.write_all_at(&zeros, offset)?;
            }
        }
        file.sync_all()?;
        let limit = preallocated.then_some(PREALLOCATED_BYTES);
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("raw-writer".to_owned())
            .spawn(move || write(&theirs, &file, limit))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Appends one payload; returns once it is synced.
    pub(crate) async fn append(&self, payload: Vec<u8>) {
        let (sender, receiver) = oneshot::channel();
        self.shared.queue().waiting.push((payload, sender));
        self.shared.filled.notify_one();
        assert!(receiver.await.is_ok(), "the raw writer stopped");
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.shared.queue().stopping = true;
        self.shared.filled.notify_one();
        if let Some(thread) = self.thread.take() {
            let _finished = thread.join();
        }
    }
}

fn write(shared: &Shared, file: &File, limit: Option<u64>) -> io::Result<()> {
    let (mut group, mut buffer, mut offset) = (Vec::new(), Vec::new(), 0_u64);
    while take(shared, &mut group, &mut buffer) {
        if limit.is_some_and(|limit| offset + buffer.len() as u64 > limit) {
            offset = 0;
        }
        file.write_all_at(&buffer, offset)?;
        file.sync_data()?;
        offset += buffer.len() as u64;
        for (_, answer) in group.drain(..) {
            // A caller that has gone needs no answer.
            let _sent = answer.send(());
        }
    }
    Ok(())
}

/// The next group and its bytes; false where the writer is to stop.
fn take(shared: &Shared, group: &mut Vec<Waiting>, buffer: &mut Vec<u8>) -> bool {
    buffer.clear();
    let wait = |queue: &mut Queue| queue.waiting.is_empty() && !queue.stopping;
    let waited = shared.filled.wait_while(shared.queue(), wait);
    let mut queue = waited.unwrap_or_else(PoisonError::into_inner);
    let mut bytes = 0;
    let fits = |(payload, _): &&Waiting| {
        bytes += payload.len();
        bytes <= GROUP_BYTES_MAX
    };
    let count = queue.waiting.iter().take_while(fits).count().max(1);
    let count = count.min(GROUP_RECORDS_MAX).min(queue.waiting.len());
    group.extend(queue.waiting.drain(..count));
    drop(queue);
    for (payload, _) in &*group {
        buffer.extend_from_slice(payload);
    }
    !group.is_empty()
}

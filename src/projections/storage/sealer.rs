// SPDX-License-Identifier: Apache-2.0
//! Writes segments, on two threads of its own: one for ranges that have ended, which views wait for, and one for
//! merges, which nobody does.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::lock::ViewsLock;
use crate::callbacks::panic_text;
use crate::events::Hash;
use crate::locks::whole;
use crate::projections::error::HaltReason;
use crate::projections::segments::{
    Layer, Segment, SegmentCache, SegmentHead, SegmentWriter, merge_into,
};

/// Orders that wait: a view has few under way.
const ORDERS_MAX: usize = 1_024;

/// What comes of an order: the digest of the segment, and the segment, open.
pub(in crate::projections) type SealOutcome = Result<(Hash, Arc<Segment>), HaltReason>;

/// A segment that is to be written.
pub(super) struct SealOrder {
    pub(super) layers: Vec<Layer>,
    pub(super) head: SegmentHead,
    pub(super) path: PathBuf,
    /// Is told what came of it.
    pub(super) done: Box<dyn FnOnce(SealOutcome) + Send>,
}

impl SealOrder {
    fn carry_out(&self, cache: &Arc<SegmentCache>) -> SealOutcome {
        let writing = || -> Result<_, crate::projections::segments::SegmentError> {
            let mut writer = SegmentWriter::create(&self.path, self.head.clone())?;
            merge_into(&self.layers, &mut writer, self.head.first_seq == 1)?;
            let finished = writer.finish()?;
            let segment = Segment::open(&self.path, &finished.digest, cache)?;
            Ok((finished.digest, Arc::new(segment)))
        };
        match catch_unwind(AssertUnwindSafe(writing)) {
            Ok(written) => written.map_err(HaltReason::from),
            Err(panic) => {
                let cause = format!("writing a segment panicked: {}", panic_text(panic));
                Err(HaltReason::Panic(cause))
            }
        }
    }
}

/// The threads that write segments. Dropped, they end with what they have begun.
pub(in crate::projections) struct Sealer {
    /// Lock: whoever orders, to put one order in line, and the end, to take the line away; nothing is called under it.
    lines: Mutex<Option<[SyncSender<SealOrder>; 2]>>,
    /// Lock: the end alone.
    threads: Mutex<Vec<JoinHandle<()>>>,
    ends: Arc<AtomicBool>,
    pub(in crate::projections) cache: Arc<SegmentCache>,
}

impl Sealer {
    pub(in crate::projections) fn start(
        cache: Arc<SegmentCache>,
        lock: &Arc<ViewsLock>,
    ) -> io::Result<Self> {
        let mut threads = Vec::new();
        let ends = Arc::new(AtomicBool::new(false));
        let mut line = |name: &str| -> io::Result<SyncSender<SealOrder>> {
            let (sender, receiver) = sync_channel(ORDERS_MAX);
            let (cache, ends) = (Arc::clone(&cache), Arc::clone(&ends));
            let lock = Arc::clone(lock);
            let thread = std::thread::Builder::new().name(name.to_owned());
            threads.push(thread.spawn(move || {
                run(&receiver, &cache, &ends);
                drop(lock);
            })?);
            Ok(sender)
        };
        let lines = [line("ledger-seal")?, line("ledger-merge")?];
        Ok(Self {
            lines: Mutex::new(Some(lines)),
            threads: Mutex::new(threads),
            ends,
            cache,
        })
    }

    /// Puts an order in line. False where it cannot be: the end has come, or the line is full.
    pub(super) fn order(&self, order: SealOrder, is_merge: bool) -> bool {
        let lines = whole(self.lines.lock());
        let Some([seals, merges]) = &*lines else {
            return false;
        };
        let line = if is_merge { merges } else { seals };
        line.try_send(order).is_ok()
    }

    /// Waits until what was begun is done; what was not begun is dropped.
    pub(in crate::projections) fn end(&self) {
        self.ends.store(true, Ordering::Release);
        drop(whole(self.lines.lock()).take());
        let threads = std::mem::take(&mut *whole(self.threads.lock()));
        for thread in threads {
            // It catches what its work throws: there is nothing in a panic to act on.
            let _ = thread.join();
        }
    }
}

fn run(orders: &Receiver<SealOrder>, cache: &Arc<SegmentCache>, ends: &AtomicBool) {
    while let Ok(order) = orders.recv() {
        if ends.load(Ordering::Acquire) {
            continue;
        }
        let outcome = order.carry_out(cache);
        (order.done)(outcome);
    }
}

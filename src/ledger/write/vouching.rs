// SPDX-License-Identifier: Apache-2.0
//! The ledger vouches for finished segments of views, by records of its own.
//!
//! One record is on its way at a time, and states what was handed in before it left; what comes in meanwhile goes into
//! the next. Nothing is written but what was handed in: views hand nothing in without new commits, and so an idle
//! ledger writes none.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use tokio::sync::watch;

use crate::actors::StoreShared;
use crate::events::{ComponentId, Event, Seq, ViewsSealedV1, VouchedSegment};
use crate::journal::Reader;
use crate::locks::whole;
use crate::projections::{SealedSegment, Voucher};

/// So many segments wait for a record at most; one that finds no room goes without.
const WAITING_MAX: usize = 256;

/// Who handed a segment in, to be told the record's number.
type TellSeq = Box<dyn FnOnce(u64) + Send>;

/// The ledger's side: it exists before the actors do, and ends with the ledger.
pub(in crate::ledger) struct Vouching(Arc<VouchingShared>);

/// The views' side. It holds the ledger's only while a record is on its way.
struct JournalVoucher(Arc<VouchingShared>);

struct VouchingShared {
    reader: Reader,
    /// Lock: who hands in a segment, who sends a record and the answer to it, for a few entries; a close that waits is
    /// woken under it, and nothing is waited for.
    queue: Mutex<VouchingQueue>,
    /// Whether a segment waits or a record is on its way.
    busy: watch::Sender<bool>,
}

#[derive(Default)]
struct VouchingQueue {
    /// Who writes; nobody until the actors run.
    writes: Option<Weak<StoreShared>>,
    waiting: VecDeque<(VouchedSegment, TellSeq)>,
    under_way: bool,
    closed: bool,
}

impl Vouching {
    pub(in crate::ledger) fn new(reader: Reader) -> Self {
        Self(Arc::new(VouchingShared {
            reader,
            queue: Mutex::default(),
            busy: watch::Sender::new(false),
        }))
    }

    /// What views are given.
    pub(in crate::ledger) fn voucher(&self) -> Arc<dyn Voucher> {
        Arc::new(JournalVoucher(Arc::clone(&self.0)))
    }

    /// From here on records are written.
    pub(in crate::ledger) fn start(&self, shared: &Arc<StoreShared>) {
        self.0.queue().writes = Some(Arc::downgrade(shared));
        self.0.send();
    }

    /// Waits until all that was handed in is durable, or never will be.
    pub(in crate::ledger) async fn settled(&self) {
        // The sender is here: it does not end before this does.
        drop(self.0.busy.subscribe().wait_for(|busy| !busy).await);
    }

    /// Vouches for nothing more; the record that is on its way still tells.
    pub(in crate::ledger) fn close(&self) {
        self.0.close();
    }
}

impl Drop for Vouching {
    /// Views that still run hold the other side: nothing may keep them waiting.
    fn drop(&mut self) {
        self.0.close();
    }
}

impl VouchingShared {
    fn queue(&self) -> MutexGuard<'_, VouchingQueue> {
        whole(self.queue.lock())
    }

    /// Gives back what finds no room.
    fn hand_in(&self, segment: VouchedSegment, told: TellSeq) -> Option<TellSeq> {
        let mut queue = self.queue();
        if queue.closed || queue.waiting.len() >= WAITING_MAX || !segment.is_valid() {
            return Some(told);
        }
        queue.waiting.push_back((segment, told));
        self.busy.send_replace(true);
        None
    }

    /// Sends the next record on its way, where none is and there is what to state.
    fn send(self: &Arc<Self>) {
        let mut queue = self.queue();
        if queue.under_way || queue.closed || queue.waiting.is_empty() {
            return;
        }
        let Some(writes) = queue.writes.as_ref().and_then(Weak::upgrade) else {
            return;
        };
        let count = queue.waiting.len().min(ViewsSealedV1::SEGMENTS_MAX);
        let (segments, told) = queue.waiting.drain(..count).unzip();
        queue.under_way = true;
        drop(queue);
        let under_way = VouchingUnderWay {
            shared: Arc::clone(self),
            told,
            durable: false,
        };
        let event = ViewsSealedV1 { segments }.into();
        let own = &writes.self_records;
        own.write_and_tell(&event, |placed| under_way.placed(placed));
    }

    fn close(&self) {
        let waiting = {
            let mut queue = self.queue();
            queue.closed = true;
            self.busy.send_replace(queue.under_way);
            std::mem::take(&mut queue.waiting)
        };
        // Dropping them calls code of the views: not under the lock.
        drop(waiting);
    }
}

/// A record on its way. Dropped without a place, as where the sequencer is gone, it ends the vouching.
struct VouchingUnderWay {
    shared: Arc<VouchingShared>,
    told: Vec<TellSeq>,
    durable: bool,
}

impl VouchingUnderWay {
    fn placed(mut self, placed: Option<Seq>) {
        let Some(seq) = placed else { return };
        self.durable = true;
        for told in std::mem::take(&mut self.told) {
            told(seq.get());
        }
    }
}

impl Drop for VouchingUnderWay {
    fn drop(&mut self) {
        let told = std::mem::take(&mut self.told);
        {
            let mut queue = self.shared.queue();
            queue.under_way = false;
            self.shared.busy.send_replace(!queue.waiting.is_empty());
        }
        drop(told);
        match self.durable {
            true => self.shared.send(),
            // The ledger is sealed, closed or gone.
            false => self.shared.close(),
        }
    }
}

impl Voucher for JournalVoucher {
    fn vouch(&self, segment: SealedSegment, told: TellSeq) {
        if self.0.hand_in(stated(segment), told).is_some() {
            tracing::debug!(
                "nothing vouches for a segment: it is made again after the next opening"
            );
        }
        self.0.send();
    }

    fn has_vouched(&self, seq: u64, segment: &SealedSegment) -> Result<bool, String> {
        has_vouched(&self.0.reader, seq, stated(segment.clone()))
    }
}

fn stated(segment: SealedSegment) -> VouchedSegment {
    let SealedSegment {
        view,
        version,
        first_seq,
        last_seq,
        digest,
    } = segment;
    VouchedSegment {
        view,
        version,
        first_seq,
        last_seq,
        digest,
    }
}

/// A record vouches for what lies before it alone: its own hash covers these records, and no later ones.
fn has_vouched(reader: &Reader, seq: u64, segment: VouchedSegment) -> Result<bool, String> {
    let behind = |seq: &Seq| seq.get() > segment.last_seq;
    let Some(seq) = Seq::new(seq).filter(behind) else {
        return Ok(false);
    };
    let unread = |failure| format!("record {seq}: {failure}");
    // It is read with its hash and its commitment checked.
    let Some(record) = reader.get(seq).map_err(unread)? else {
        return Ok(false);
    };
    if record.header.component != ComponentId::LEDGER {
        return Ok(false);
    }
    let states = |event| matches!(event, Event::ViewsSealed(it) if it.segments.contains(&segment));
    Ok(record.event().is_ok_and(states))
}

#[cfg(test)]
mod tests;

// SPDX-License-Identifier: Apache-2.0
//! The ledger's own records: refusals, activity, loss. They cost the disk nothing that a flood of
//! bad commands could multiply: the first refusal of a kind is written at once, the rest are one
//! counted record an interval, and an idle ledger writes nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;

use crate::clock::{Clock, Entropy};
use crate::events::{
    ActivityRecordedV1, CommandId, Event, RefusalsRecordedV1, Seq, SnapshotTakenV1, TelemetryLostV1,
};
use crate::integrity::digest;
use crate::journal::Sealed;
use crate::locks::whole;
use crate::metrics;

use super::draft::Draft;
use super::new_commit::{NewCommit, Sequenced, UnaskedCommit};
use super::sequencer::{SequencerMsg, SequencerRef};
use super::store::Taken;

/// Kinds of refusal that are counted apart; one more kind joins the last.
const KINDS_MAX: usize = 4_096;
/// Longest text that is kept of a refusal.
const DETAIL_BYTES_MAX: usize = 512;

/// Writes the ledger's own records.
pub(crate) struct SelfRecords {
    sequencer: SequencerRef,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    frames: Arc<FrameCounts>,
    /// Lock: whoever is refused, for one entry, and the task that records refusals, to take all. The first record of
    /// a kind is sent on its way under it, which draws randomness and waits for nothing.
    refusals: Mutex<HashMap<(String, &'static str), RefusalCounts>>,
    /// Lock: whoever loses observations, and the task that records the loss, for one sum; nothing is called under
    /// it.
    lost: Mutex<Option<TelemetryLostV1>>,
    pub(crate) activity: Activity,
}

/// What the writer counts for the activity record.
#[derive(Default)]
pub(crate) struct FrameCounts {
    pub(crate) frames: AtomicU64,
    pub(crate) bytes: AtomicU64,
}

/// What was done since the last activity record.
#[derive(Default)]
pub(crate) struct Activity {
    pub(crate) since_ns: std::sync::atomic::AtomicI64,
    pub(crate) records: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) refused: AtomicU64,
}

impl Activity {
    /// A component's command became durable. The ledger's own records do not count: they would
    /// beget each other.
    pub(crate) fn committed(&self, records: u64) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.records.fetch_add(records, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct RefusalCounts {
    count: u64,
    first_ns: i64,
    last_ns: i64,
    detail: String,
}

impl SelfRecords {
    pub(crate) fn new(
        sequencer: SequencerRef,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        frames: Arc<FrameCounts>,
    ) -> Self {
        let activity = Activity::default();
        activity.since_ns.store(clock.now_ns(), Ordering::Relaxed);
        Self {
            sequencer,
            clock,
            entropy,
            frames,
            refusals: Mutex::default(),
            lost: Mutex::default(),
            activity,
        }
    }

    /// Sends `event` on its way; the answer tells when it is durable.
    pub(crate) fn write(&self, event: &Event) -> oneshot::Receiver<Result<Sequenced, Sealed>> {
        self.write_draft(&Draft::new(event.clone()))
    }

    /// As [`SelfRecords::write`]; `told` gets the record's number once it is durable, and `None` where it will not be.
    /// It is called by who answers, and dropped where the sequencer is gone.
    pub(crate) fn write_and_tell(
        &self,
        event: &Event,
        told: impl FnOnce(Option<Seq>) + Send + 'static,
    ) {
        let draft = Draft::new(event.clone());
        let over = |outcome: Result<Sequenced, &Sealed>| told(outcome.ok().map(|it| it.first));
        self.commit(UnaskedCommit::own(draft, self.command(), over));
    }

    /// As [`SelfRecords::write`], for an event that has a stream.
    pub(crate) fn write_draft(
        &self,
        draft: &Draft,
    ) -> oneshot::Receiver<Result<Sequenced, Sealed>> {
        let (sender, receiver) = oneshot::channel();
        // Nobody may be waiting for an own record; its loss shows in the writer's seal.
        let over = move |outcome: Result<_, &Sealed>| {
            drop(sender.send(outcome.map_err(Clone::clone)));
        };
        self.commit(UnaskedCommit::own(draft.clone(), self.command(), over));
        receiver
    }

    /// Writes the digest of a saved state; gives the bytes with their place once it is durable.
    pub(crate) fn saved(
        &self,
        state: u8,
        layout: u32,
        bytes: Vec<u8>,
        reply: oneshot::Sender<Taken>,
    ) {
        let event = SnapshotTakenV1 {
            state,
            layout,
            length: bytes.len() as u64,
            digest: digest(&bytes),
        };
        let over = move |outcome: Result<Sequenced, &Sealed>| {
            if let Ok(placed) = outcome {
                let seq = placed.first;
                // Nobody may be waiting any more; the record alone means nothing.
                drop(reply.send(Taken { state, seq, bytes }));
            }
        };
        self.commit(UnaskedCommit::own(Draft::new(event), self.command(), over));
    }

    /// Believes the clock as it stands, once that is durable; `None` where it was believed already.
    pub(crate) fn accept_clock(
        &self,
        reason: String,
    ) -> oneshot::Receiver<Result<Option<Sequenced>, Sealed>> {
        let (sender, receiver) = oneshot::channel();
        let deliver = Box::new(move |outcome: Result<_, &Sealed>| {
            // The caller may be gone; the record stands.
            drop(sender.send(outcome.map_err(Clone::clone)));
        });
        self.tell(SequencerMsg::AcceptClock { reason, deliver });
        receiver
    }

    /// Has a clock that is not believed looked at, where no command does.
    pub(crate) fn look_at_clock(&self) {
        self.tell(SequencerMsg::Look);
    }

    fn command(&self) -> CommandId {
        CommandId::from_bytes(self.entropy.bytes16())
    }

    fn commit(&self, commit: Box<dyn NewCommit>) {
        self.tell(SequencerMsg::Commit(commit));
    }

    fn tell(&self, message: SequencerMsg) {
        if self.sequencer.send(message).is_err() {
            tracing::debug!("the sequencer is gone; the ledger's own word was not written");
        }
    }

    /// Counts a refusal; `audited` ones leave a record.
    pub(crate) fn refused(
        &self,
        component: &str,
        reason: &'static str,
        audited: bool,
        detail: impl FnOnce() -> String,
    ) {
        metrics::REFUSALS.counter(&[reason]).increment(1);
        if !audited {
            return;
        }
        self.activity.refused.fetch_add(1, Ordering::Relaxed);
        let now = self.clock.now_ns();
        let mut kinds = whole(self.refusals.lock());
        let known = kinds.len();
        let key = if known < KINDS_MAX {
            component.to_owned()
        } else {
            String::new()
        };
        match kinds.entry((key, reason)) {
            std::collections::hash_map::Entry::Occupied(mut entry) => {
                let kind = entry.get_mut();
                if kind.count == 0 {
                    kind.first_ns = now;
                    kind.detail = shortened(detail());
                }
                kind.count += 1;
                kind.last_ns = now;
            }
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(RefusalCounts::default());
                drop(self.write(&refusals(
                    component,
                    reason,
                    1,
                    now,
                    now,
                    shortened(detail()),
                )));
            }
        }
    }

    /// Counts an observation that found the buffer full.
    pub(crate) fn lost(&self, observed_ns: i64) {
        metrics::TELEMETRY_LOST.counter(&[]).increment(1);
        let mut lost = whole(self.lost.lock());
        let gap = lost.get_or_insert(TelemetryLostV1 {
            first_ns: observed_ns,
            last_ns: observed_ns,
            count: 0,
        });
        gap.first_ns = gap.first_ns.min(observed_ns);
        gap.last_ns = gap.last_ns.max(observed_ns);
        gap.count += 1;
    }

    /// Makes what was lost durable; true where there was a loss.
    pub(crate) fn flush_lost(&self) -> bool {
        let gap = whole(self.lost.lock()).take();
        if let Some(gap) = gap {
            drop(self.write(&gap.into()));
            return true;
        }
        false
    }

    /// Once an interval: what was counted becomes records, if there was anything.
    pub(crate) fn flush(&self) {
        self.flush_lost();
        let due: Vec<_> = {
            let mut kinds = whole(self.refusals.lock());
            // A kind that stayed quiet for an interval is forgotten: its next one is a first again.
            kinds.retain(|_, kind| kind.count > 0);
            let take = |kind: &mut RefusalCounts| std::mem::take(kind);
            kinds
                .iter_mut()
                .map(|(key, kind)| (key.clone(), take(kind)))
                .collect()
        };
        for ((component, reason), kind) in due {
            let RefusalCounts {
                count,
                first_ns,
                last_ns,
                detail,
            } = kind;
            drop(self.write(&refusals(
                &component, reason, count, first_ns, last_ns, detail,
            )));
        }
        let now = self.clock.now_ns();
        let activity = &self.activity;
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
        let event = ActivityRecordedV1 {
            records: take(&activity.records),
            commits: take(&activity.commits),
            frames: take(&self.frames.frames),
            bytes: take(&self.frames.bytes),
            refused: take(&activity.refused),
            first_ns: activity.since_ns.swap(now, Ordering::Relaxed),
            last_ns: now,
        };
        if event.records > 0 || event.refused > 0 {
            drop(self.write(&event.into()));
        }
    }
}

fn refusals(
    component: &str,
    reason: &str,
    count: u64,
    first_ns: i64,
    last_ns: i64,
    detail: String,
) -> Event {
    let (component, reason) = (component.to_owned(), reason.to_owned());
    RefusalsRecordedV1 {
        component,
        reason,
        count,
        first_ns,
        last_ns,
        detail,
    }
    .into()
}

fn shortened(mut text: String) -> String {
    if text.len() > DETAIL_BYTES_MAX {
        let end = (0..=DETAIL_BYTES_MAX)
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0);
        text.truncate(end);
    }
    text
}

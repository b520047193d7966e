// SPDX-License-Identifier: Apache-2.0
//! The frames appended last, in memory: who follows the head closely need not read them back.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use super::Frame;
use crate::events::Seq;
use crate::locks::whole;

/// Frames are kept up to this size together; the newest is kept whatever its size.
const BYTES_MAX: usize = 8 << 20;

#[derive(Default)]
struct CachedFrame {
    frames: VecDeque<Frame>,
    bytes: usize,
}

/// Durable frames, in order and without a gap.
/// Lock: the writer's thread for one frame put in, readers for one look; nothing is called under it.
#[derive(Default)]
pub(super) struct FrameCache(Mutex<CachedFrame>);

impl FrameCache {
    fn kept(&self) -> MutexGuard<'_, CachedFrame> {
        whole(self.0.lock())
    }

    /// Keeps a frame that is durable; lets go of the oldest ones for it.
    pub(super) fn push(&self, frame: Frame) {
        let mut kept = self.kept();
        kept.bytes += frame.bytes().len();
        kept.frames.push_back(frame);
        while kept.bytes > BYTES_MAX
            && kept.frames.len() > 1
            && let Some(oldest) = kept.frames.pop_front()
        {
            kept.bytes -= oldest.bytes().len();
        }
    }

    /// The frame that contains `seq`, where it is kept.
    pub(super) fn containing(&self, seq: Seq) -> Option<Frame> {
        let kept = self.kept();
        let index = kept
            .frames
            .partition_point(|frame| frame.last_seq().get() < seq.get());
        let frame = kept.frames.get(index)?;
        frame.contains(seq).then(|| frame.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::clock::ManualClock;
    use crate::events::{EventType, LedgerId, Record, StoreMask};
    use crate::integrity::Chain;
    use crate::journal::{
        FrameBuilder, Head, Journal, MemoryJournal, NewRecord, Reader, Work, Writer,
    };

    fn record(payload: usize) -> NewRecord {
        NewRecord {
            stores: StoreMask::ALL,
            commitment: Chain::default().payload_commitment(&[0; 16], &vec![7; payload]),
            ..NewRecord::new(EventType::AuditRecorded, 1, vec![7; payload])
        }
    }

    fn frames(count: usize, records: usize, payload: usize) -> Vec<Frame> {
        let mut builder = FrameBuilder::new(LedgerId::from_bytes([9; 16]), 1, Head::default());
        let frame = |_| {
            (0..records).for_each(|_| _ = builder.push(&record(payload), 0));
            builder.take()
        };
        (0..count).map(frame).collect()
    }

    #[test]
    fn the_newest_frames_are_kept_and_no_more_bytes_than_said() {
        let recent = FrameCache::default();
        let frames = frames(12, 1, 1 << 20);
        for frame in &frames {
            recent.push(frame.clone());
        }
        let kept: Vec<bool> = (1..=13)
            .map(|seq| recent.containing(Seq::new(seq).unwrap()).is_some())
            .collect();
        assert_eq!(kept.iter().filter(|kept| **kept).count(), 7, "{kept:?}");
        assert!(kept[5..12].iter().all(|kept| *kept), "{kept:?}");
        assert!(recent.kept().bytes <= BYTES_MAX);
    }

    /// Reads in batches of at most `max`.
    fn followed(reader: &Reader, max: usize, bytes: usize) -> Vec<Record> {
        let (mut all, mut next) = (Vec::new(), Seq::FIRST);
        loop {
            let batch = reader.batch(next, max, bytes).unwrap();
            assert!(batch.len() <= max);
            let Some(last) = batch.last() else { return all };
            next = last.header.seq.plus(1);
            all.extend(batch);
        }
    }

    #[test]
    fn batches_from_memory_and_from_the_journal_are_what_was_appended() {
        let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
        let clock = Arc::new(ManualClock::new(0));
        let frames = frames(9, 5, 10);
        let appended = |frames: &[Frame]| {
            let writer = Writer::start(Arc::clone(&journal), clock.clone(), None).unwrap();
            let reader = Reader::new(Arc::clone(&journal), &writer.handle());
            for frame in frames {
                let frame = Some(frame.clone());
                let answers = Vec::new();
                writer.handle().submit(Work { frame, answers });
            }
            let head = frames.last().map_or(0, |frame| frame.last_seq().get());
            assert_eq!(reader.wait_beyond(head - 1, Duration::from_secs(60)), head);
            (writer, reader)
        };
        let (writer, _) = appended(&frames[..4]);
        writer.join();
        // This one has the first frames on the journal only.
        let (_writer, reader) = appended(&frames[4..]);
        let all: Vec<Record> = reader.range(Seq::FIRST).map(Result::unwrap).collect();
        assert_eq!(all.len(), 45);
        assert!(reader.recent_contains(30) && !reader.recent_contains(20));
        for (max, bytes) in [(1, 1), (3, 1_000), (7, 1 << 20), (12, 1), (1_000, 1 << 20)] {
            assert_eq!(followed(&reader, max, bytes), all, "{max} {bytes}");
        }
    }
}

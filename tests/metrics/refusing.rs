// SPDX-License-Identifier: Apache-2.0
//! A journal that says *nothing was written*, and a view that stops: faults to be counted.

use std::sync::atomic::{AtomicBool, Ordering};

use femtoclaw_ledger::clock::{CountingEntropy, Entropy};
use femtoclaw_ledger::configuration::Validator;
use femtoclaw_ledger::events::{Event, LedgerId, Record, Seq};
use femtoclaw_ledger::journal::{
    AppendFailure, Frame, Frames, Head, Journal, MemoryJournal, ReadFailure,
};
use femtoclaw_ledger::projections::{Projection, ProjectionError, ViewBatch};

/// Refuses every frame once told to, and writes nothing of it.
pub(crate) struct Refusing {
    pub(crate) inner: MemoryJournal,
    pub(crate) refuses: AtomicBool,
}

impl Journal for Refusing {
    fn append(&self, frame: &Frame, after: &Head) -> Result<(), AppendFailure> {
        if self.refuses.load(Ordering::Acquire) {
            let cause = "the medium was taken away".into();
            return Err(AppendFailure::Unavailable { cause });
        }
        self.inner.append(frame, after)
    }

    fn head(&self) -> Result<Head, ReadFailure> {
        self.inner.head()
    }

    fn ledger(&self) -> Result<Option<LedgerId>, ReadFailure> {
        self.inner.ledger()
    }

    fn frame_at(&self, seq: Seq) -> Result<Option<Frame>, ReadFailure> {
        self.inner.frame_at(seq)
    }

    fn frames(&self, from: Seq) -> Frames {
        self.inner.frames(from)
    }

    fn close(&self) {
        self.inner.close();
    }

    fn size_bytes(&self) -> u64 {
        self.inner.size_bytes()
    }
}

/// A view of the embedder's own that takes nothing after its first records.
pub(crate) struct Stops;

impl Projection for Stops {
    fn name(&self) -> &'static str {
        "stops"
    }

    fn version(&self) -> u32 {
        1
    }

    fn apply(
        &mut self,
        record: &Record,
        _: &Event,
        _: &mut ViewBatch,
    ) -> Result<(), ProjectionError> {
        if record.header.seq.get() > 3 {
            return Err(ProjectionError::Refused("no more".into()));
        }
        Ok(())
    }
}

/// Panics once told to.
#[derive(Default)]
pub(crate) struct Panics {
    inner: CountingEntropy,
    pub(crate) armed: AtomicBool,
}

impl Entropy for Panics {
    fn bytes16(&self) -> [u8; 16] {
        assert!(
            !self.armed.load(Ordering::Acquire),
            "a defect, as a test wanted"
        );
        self.inner.bytes16()
    }
}

/// A validator with a defect.
pub(crate) struct Defective;

impl Validator for Defective {
    fn validate(&self, _: &str, _: &[u8]) -> Result<(), String> {
        panic!("a defect, as a test wanted")
    }
}

// SPDX-License-Identifier: Apache-2.0
//! A shared journal is a journal.

use std::sync::Arc;

use super::error::{AppendFailure, ReadFailure};
use super::{Frame, Frames, Head, Journal, Unfinished};
use crate::events::{LedgerId, Seq};

impl<J: Journal + ?Sized> Journal for Arc<J> {
    fn append(&self, frame: &Frame, after: &Head) -> Result<(), AppendFailure> {
        (**self).append(frame, after)
    }

    fn head(&self) -> Result<Head, ReadFailure> {
        (**self).head()
    }

    fn ledger(&self) -> Result<Option<LedgerId>, ReadFailure> {
        (**self).ledger()
    }

    fn frame_at(&self, seq: Seq) -> Result<Option<Frame>, ReadFailure> {
        (**self).frame_at(seq)
    }

    fn frames(&self, from: Seq) -> Frames {
        (**self).frames(from)
    }

    fn close(&self) {
        (**self).close();
    }

    fn size_bytes(&self) -> u64 {
        (**self).size_bytes()
    }

    fn wal_files(&self) -> usize {
        (**self).wal_files()
    }

    fn wal_holds(&self) -> bool {
        (**self).wal_holds()
    }

    fn unfinished(&self) -> Unfinished {
        (**self).unfinished()
    }
}

// SPDX-License-Identifier: Apache-2.0
//! A shared journal is a journal.

use std::sync::Arc;

use super::Journal;
use super::as_below::as_below;

impl<J: Journal + ?Sized> Journal for Arc<J> {
    as_below!(|it| (**it); append, head, ledger, frame_at, frames, close, size_bytes, wal_files, wal_holds, unfinished);
}

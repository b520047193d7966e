// SPDX-License-Identifier: Apache-2.0
//! Closing views that are read.

use std::sync::mpsc::channel;

use femtoclaw_ledger::projections::{Indexes, ViewError};

use crate::support::{History, Journal, WAIT, digests, open, view};

/// It waits for a reader a while, and not for ever: what holds the views then is the reader alone.
#[test]
fn a_reader_that_does_not_come_back_keeps_no_close() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::new(&History::mixed(50).records, 50);
    let views = open(directory.path(), &journal);
    digests(&views, 50);
    let indexes = view(&views, Indexes::NAME);
    let (begun, begins) = channel();
    let (end, ends) = channel::<()>();
    let reader = std::thread::spawn(move || {
        indexes.read(|_| {
            begun.send(()).unwrap();
            Ok::<_, ViewError>(ends.recv())
        })
    });
    begins.recv().unwrap();
    let (closed, closes) = channel();
    let closing = std::thread::spawn(move || {
        views.close();
        closed.send(()).unwrap();
    });
    let waited = closes.recv_timeout(WAIT);
    end.send(()).unwrap();
    reader.join().unwrap().unwrap().unwrap();
    closing.join().unwrap();
    assert!(waited.is_ok(), "it waits for the reader");
}

// SPDX-License-Identifier: Apache-2.0
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::actors::own_record;
use crate::events::{CommandId, Event, HealthChangedV1, LedgerClosedV1, LedgerId};
use crate::integrity::Chain;
use crate::journal::{FrameBuilder, Head, Journal, MemoryJournal};
use std::sync::Arc;

/// Frames of these epochs; `true` closes the ledger.
fn journal(frames: &[(u64, bool)]) -> MemoryJournal {
    let (journal, mut head) = (MemoryJournal::new(), Head::default());
    for (epoch, closes) in frames {
        let event: Event = match closes {
            true => LedgerClosedV1 { running: 0 }.into(),
            false => HealthChangedV1 {
                healthy: true,
                cause: "a test".into(),
            }
            .into(),
        };
        let mut record = own_record(&event, CommandId::from_bytes([1; 16]));
        record.commitment = Chain::default().payload_commitment(&record.salt, &record.payload);
        let ledger = LedgerId::from_bytes([7; 16]);
        let mut builder = FrameBuilder::new(ledger, *epoch, head);
        builder.push(&record, 1);
        let frame = builder.finish();
        journal.append(&frame, &head).unwrap();
        head = frame.last;
    }
    journal
}

fn damages(journal: &MemoryJournal, threads: usize) -> Vec<(u64, String)> {
    let subject = Subject {
        head: journal.head().unwrap(),
        journal: Arc::new(journal.clone()),
        tree: None,
        place: None,
    };
    let options = VerifyOptions::threads(threads);
    let verified = verify(&subject, &options, &|_| {}, &Arc::default()).unwrap();
    let damages = verified.damages.into_iter();
    damages.map(|it| (it.seq.unwrap().get(), it.what)).collect()
}

/// Also where the close and what lies behind it are read by different threads.
#[test]
fn records_behind_a_close_are_damage() {
    let mut frames = vec![(1, false); 3];
    frames.push((1, true));
    frames.extend(vec![(2, false); 2_000]);
    assert_eq!(damages(&journal(&frames), 2), []);
    for behind in [1, 2_000] {
        let mut frames = vec![(1, false); 1_023];
        frames.push((1, true));
        frames.extend(vec![(1, false); behind]);
        frames.push((2, false));
        let what = "record 1025 lies behind record 1024, with which its writer closed the ledger";
        for threads in [1, 2] {
            assert_eq!(damages(&journal(&frames), threads), [(1_025, what.into())]);
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
//! No byte of a record header can be another without a word.

use femtoclaw_ledger::Seq;
use femtoclaw_ledger::events::HEADER_LEN;
use femtoclaw_ledger::integrity::checksum;
use femtoclaw_ledger::journal::{FRAME_HEADER_LEN, Frame};

use crate::records::{World, seqs};

/// Each byte of a record header with another value, checksums made anew: it is the record hash that finds it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_changed_byte_of_a_header_is_named() {
    let world = World::new(300).await;
    let last = 50 + HEADER_LEN as u64;
    world.spoil(move |frame| {
        let seq = frame.last_seq().get();
        if !(50..last).contains(&seq) {
            return Ok(frame.clone());
        }
        assert_eq!(frame.count, 1);
        let mut bytes = frame.bytes().to_vec();
        let body = FRAME_HEADER_LEN + 40;
        bytes[body + (seq - 50) as usize] ^= 1;
        for (at, covered) in [(144, body..bytes.len()), (176, 0..176)] {
            let sum = checksum(&bytes[covered]);
            bytes[at..at + 16].copy_from_slice(&sum);
        }
        Ok(Frame::decode(&bytes).unwrap())
    });
    let found = world.verify().await;
    assert_eq!(seqs(&found), (50..last).collect::<Vec<_>>());
    assert_eq!(found.damages.len(), HEADER_LEN);
    let told = found.damages.iter().find(|it| it.seq == Seq::new(50 + 192));
    let told = told.unwrap().to_string();
    assert!(told.contains("hash"), "{told}");
}

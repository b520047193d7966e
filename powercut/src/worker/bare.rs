// SPDX-License-Identifier: Apache-2.0
//! The control: the engine alone, as its documentation says to use it durably — every batch with
//! `PersistMode::SyncAll`. Options as the ledger's.

use std::collections::BTreeMap;

use fjall::config::{CompressionPolicy, FilterPolicy};
use fjall::{CompressionType, Database, KeyspaceCreateOptions, PersistMode};

use super::content::{Id, content, hex, id};
use super::{Args, Load, MEMTABLE_BYTES, one_line, tell, wait_for_go, wait_for_the_end};

/// Keys that one batch writes.
const BATCH: u8 = 3;

fn key(id: &Id, part: u8) -> Vec<u8> {
    [id.as_slice(), &[part]].concat()
}

pub(crate) fn run(args: &Args) {
    let opened = Database::builder(&args.directory)
        .worker_threads(2)
        .journal_compression(CompressionType::None)
        .open();
    let options = || {
        KeyspaceCreateOptions::default()
            .max_memtable_size(MEMTABLE_BYTES)
            .data_block_compression_policy(CompressionPolicy::all(CompressionType::None))
            .filter_policy(FilterPolicy::disabled())
    };
    let opened = opened.and_then(|database| {
        let frames = database.keyspace("frames", options)?;
        Ok((database, frames))
    });
    let (database, frames) = match opened {
        Ok(opened) => opened,
        Err(error) => return tell(format_args!("refused {}", one_line(format!("{error:?}")))),
    };
    tell("opened 0");
    check(&frames);
    tell("ready");
    wait_for_go();
    if args.load == Load::Close {
        drop((frames, database));
        return tell("closed");
    }
    std::thread::scope(|scope| {
        for caller in 0..args.callers.min(4) {
            let (database, frames) = (&database, &frames);
            scope.spawn(move || write(args, caller, database, frames));
        }
    });
    tell("idle");
    wait_for_the_end();
}

fn check(frames: &fjall::Keyspace) {
    let mut found: BTreeMap<Id, u8> = BTreeMap::new();
    for guard in frames.iter() {
        match guard.into_inner() {
            Ok((key, value)) if key.len() == 17 => {
                let id: Id = std::array::from_fn(|at| key[at]);
                if *value != content(&id)[..] {
                    tell(format_args!("bad content of {}", hex(&id)));
                }
                *found.entry(id).or_insert(0) += 1;
            }
            Ok((key, _)) => tell(format_args!("bad key {key:?}")),
            Err(error) => {
                return tell(format_args!("bad read: {}", one_line(format!("{error:?}"))));
            }
        }
    }
    for (id, parts) in found {
        if parts == BATCH {
            tell(format_args!("found {} 0 0", hex(&id)));
        } else {
            tell(format_args!(
                "bad batch {}: {parts} of {BATCH} keys",
                hex(&id)
            ));
        }
    }
    tell("checked 0");
}

fn write(args: &Args, caller: u32, database: &Database, frames: &fjall::Keyspace) {
    for number in 0..args.each.unwrap_or(u64::MAX) {
        let id = id(args.run, caller, number, args.load == Load::Large);
        let mut batch = database.batch().durability(Some(PersistMode::SyncAll));
        for part in 0..BATCH {
            batch.insert(frames, key(&id, part), content(&id));
        }
        if let Err(error) = batch.commit() {
            return tell(format_args!(
                "failed {} {}",
                hex(&id),
                one_line(format!("{error:?}"))
            ));
        }
        tell(format_args!("ack {} 0 0", hex(&id)));
    }
}

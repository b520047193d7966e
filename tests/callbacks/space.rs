// SPDX-License-Identifier: Apache-2.0
//! Who says how much room there is: the last value stays in force.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use femtoclaw_ledger::{Context, Options, operation::Space};

use crate::scene::{Act, Cell, How, options};
use crate::shared::{WAIT, request};

const RESERVE: u64 = 1_000_000;

#[derive(Default)]
struct Disk {
    act: Act,
    free: AtomicU64,
}

impl Space for Disk {
    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        match self.act.now() {
            How::Error => Err(io::Error::other("no answer")),
            How::Nonsense => Ok(u64::MAX),
            _ => Ok(self.free.load(Ordering::SeqCst)),
        }
    }
}

fn with(disk: &Arc<Disk>) -> Options {
    Options {
        space: disk.clone(),
        disk_reserve_bytes: RESERVE,
        ..options()
    }
}

async fn keeps_the_last_value(how: How, cause: &str) {
    let disk = Arc::new(Disk::default());
    disk.free.store(10 * RESERVE, Ordering::SeqCst);
    let cell = Cell::new(with(&disk)).await;
    disk.act.give(&cell);
    disk.act.set(how);
    if how == How::Reenter {
        cell.until("it has called", || disk.act.has_reentered())
            .await;
    } else {
        cell.names(cause).await;
    }
    // There was room.
    cell.works().await;
    disk.free.store(RESERVE / 2, Ordering::SeqCst);
    disk.act.set(How::Well);
    cell.names("disk reserve").await;
    disk.act.set(how);
    cell.until("it is asked", || disk.act.has_acted()).await;
    // And then there was none, whatever it says now.
    disk.free.store(10 * RESERVE, Ordering::SeqCst);
    if how != How::Reenter {
        let log = cell.ledger.execution_log(&cell.grant).unwrap();
        let refused = log.begin(request(&cell.ledger, Context::new())).await;
        assert_eq!(refused.map(drop).unwrap_err().code(), "disk_reserve");
    }
    disk.act.set(How::Well);
    cell.is_well().await;
    cell.works().await;
    cell.nothing_set_aside();
    cell.root.close(WAIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_value_stays_in_force() {
    tokio::join!(
        keeps_the_last_value(How::Panic, "space: it panicked: as the test wanted"),
        keeps_the_last_value(How::Error, "space: no answer"),
        keeps_the_last_value(How::Nonsense, "space: 18446744073709551615 bytes"),
        keeps_the_last_value(How::Hang, "space: it has not come back"),
        keeps_the_last_value(How::Reenter, ""),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_never_answers_keeps_neither_opening_nor_close() {
    let disk = Arc::new(Disk::default());
    disk.act.set(How::Hang);
    let cell = Cell::new(with(&disk)).await;
    cell.works().await;
    cell.names("space: it has not come back").await;
    cell.ends().await;
    disk.act.set(How::Well);
}

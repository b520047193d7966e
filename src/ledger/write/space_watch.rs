// SPDX-License-Identifier: Apache-2.0
//! Asks the medium again and again how much room there is, for the disk reserve.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::callbacks::{CallbackKind, Seat};
use crate::database::Space;
use crate::metrics;
use crate::vitals::VitalPart;

use super::submit::Core;
use crate::ledger::phase::SHUT;

/// How often the medium is asked.
const INTERVAL: Duration = Duration::from_millis(100);
/// How often where nothing happens: the first command after that has it asked at once.
const SELDOM: Duration = Duration::from_secs(5);
/// More cannot be free: no file system counts beyond it.
const PLAUSIBLE_BYTES: u64 = i64::MAX as u64;

/// Asks again and again, on a thread of its own: the medium may take its time to answer. Waits for
/// the first answer as long as one call may take.
pub(in crate::ledger) async fn watch(
    core: &Arc<Core>,
    (space, budget): (Arc<dyn Space>, Duration),
    root: PathBuf,
) -> io::Result<()> {
    let seat = core.callbacks.seat(CallbackKind::Space, "", budget);
    let (told, first) = oneshot::channel();
    let vital = core.shared.vitals.start(VitalPart::Space);
    let (core, pace) = (Arc::downgrade(core), core.callbacks.pace().clone());
    let run = move || {
        let pause = || pace.pause(INTERVAL, SELDOM);
        run(&core, &seat, || space.free_bytes(&root), told, pause);
        vital.done();
    };
    let builder = std::thread::Builder::new().name("ledger-space".into());
    // It ends by itself, soon after the ledger.
    builder.spawn(run)?;
    if tokio::time::timeout(budget, first).await.is_err() {
        tracing::error!("the free space is not known yet");
    }
    Ok(())
}

/// Holds the ledger for no longer than a look: a call that does not come back keeps nothing open.
fn run(
    core: &Weak<Core>,
    seat: &Seat,
    free_bytes: impl Fn() -> io::Result<u64>,
    told: oneshot::Sender<()>,
    pause: impl Fn(),
) {
    let mut told = Some(told);
    loop {
        let found = seat.call(&free_bytes);
        match core.upgrade() {
            Some(core) if core.phase.now() < SHUT => look(&core, seat, found),
            _ => return,
        }
        if let Some(told) = told.take() {
            // The opening may have stopped waiting.
            let _heard = told.send(()).is_ok();
        }
        pause();
    }
}

/// Not knowing is no reason to stop, and none to go on: the last value stays in force.
fn look(core: &Core, seat: &Seat, found: Result<io::Result<u64>, String>) {
    match found {
        Ok(Ok(free)) if free > PLAUSIBLE_BYTES => {
            seat.nonsense(&format_args!("{free} bytes are said to be free"));
        }
        Ok(Ok(free)) => {
            seat.well();
            metrics::DISK_FREE_BYTES.gauge(&[]).set(free as f64);
            core.reserve.observe(free);
        }
        Ok(Err(error)) => drop(seat.failed(&error)),
        // It panicked, and its seat has told of it.
        Err(_) => {}
    }
}

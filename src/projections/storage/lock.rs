// SPDX-License-Identifier: Apache-2.0
//! Who may write below `views/`: one opening at a time. One that was dropped ends in its own time, and what it still
//! writes must not meet what the next one does.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use crate::database::{self, files};
use crate::locks::whole;
use crate::projections::error::HaltReason;

use super::place::told;

const LOCK: &str = "lock";
/// Looks at a lock that another opening still holds.
const LOOKS: u32 = 200;
const PAUSE: Duration = Duration::from_millis(5);

/// The right to write below `views/`; given up when the last thread that may write has gone.
pub(in crate::projections) struct ViewsLock {
    views: PathBuf,
    /// Lock: a view that is opened, while it waits for an earlier opening to end; the others wait for the same.
    held: Mutex<Option<File>>,
}

impl ViewsLock {
    pub(in crate::projections) const fn of(views: PathBuf) -> Self {
        Self {
            views,
            held: Mutex::new(None),
        }
    }

    /// Comes back once nobody else may write there.
    pub(in crate::projections) fn hold(&self) -> Result<(), HaltReason> {
        let mut held = whole(self.held.lock());
        if held.is_some() {
            return Ok(());
        }
        database::ensure_private(&self.views).map_err(|error| told(&self.views, &error))?;
        let path = self.views.join(LOCK);
        let file = files::open_or_create(&path).map_err(|error| told(&path, &error))?;
        for _ in 0..LOOKS {
            if file.try_lock().is_ok() {
                *held = Some(file);
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
        let cause = format!("{}: another opening still holds it", path.display());
        Err(HaltReason::Medium(cause))
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Which start of the machine this is: of what was not synced before another one, any part may be
//! gone, where the power was.

use std::io;

use crate::error::Fault;

/// The operating system's name for it; `None` where it has none, or shows none to this process.
///
/// # Errors
/// The system was short of something just now: that is no word about its start.
pub(crate) fn boot_id() -> io::Result<Option<String>> {
    match std::fs::read_to_string("/proc/sys/kernel/random/boot_id") {
        Ok(id) => Ok(Some(id.trim().to_owned())),
        Err(error) if is_passing(&error) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Asked again, the system may answer.
fn is_passing(error: &io::Error) -> bool {
    Fault::of(error) == Fault::System && error.kind() != io::ErrorKind::PermissionDenied
}

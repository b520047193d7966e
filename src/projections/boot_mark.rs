// SPDX-License-Identifier: Apache-2.0
//! Under which start of the machine views were written. They are not synced: a killed process
//! loses nothing of them, a power cut may leave any part, and the engine's own checks do not notice
//! all of that.

use std::io::{self, Write as _};
use std::path::Path;

use crate::database::{self, files};

/// Beside the database's files. The seal leaves it out.
pub(super) const BOOT: &str = "BOOT";
/// The system's name for a start is shorter.
const BOOT_BYTES_MAX: u64 = 256;

/// Which start of the machine this is.
///
/// Example: `tests/system/starts.rs`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Boot {
    /// What the operating system says, whenever views are opened.
    #[default]
    System,
    /// The one of this name: another name after each start of the machine or of the host of its volume. For who knows
    /// both, such as the host of a virtual machine.
    Named(String),
    /// Nobody tells its starts apart: each may have been another one, so views that were not closed are always made again.
    Untold,
}

impl Boot {
    /// Its name, where it has one.
    ///
    /// # Errors
    /// The system could not be asked just now.
    pub(super) fn name(&self) -> io::Result<Option<String>> {
        match self {
            Self::System => database::boot_id(),
            Self::Named(name) => Ok(Some(name.clone())),
            Self::Untold => Ok(None),
        }
    }
}

/// Whether the views in this directory were opened last under the start of this name.
///
/// # Errors
/// What was noted cannot be read just now: it may have been the same.
pub(super) fn is_same(views: &Path, boot: Option<&str>) -> io::Result<bool> {
    let Some(boot) = boot else {
        return Ok(false);
    };
    match files::read(&views.join(BOOT), BOOT_BYTES_MAX) {
        Ok(marked) => Ok(marked == boot.as_bytes()),
        Err(error) if error.kind() == io::ErrorKind::NotFound || files::is_odd(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Notes the start of the machine.
///
/// # Errors
/// It could not be written: after an end that is not clean the views would be made again.
pub(super) fn mark(views: &Path, boot: Option<&str>) -> io::Result<()> {
    let mut file = files::create(&views.join(BOOT))?;
    file.write_all(boot.unwrap_or_default().as_bytes())
}

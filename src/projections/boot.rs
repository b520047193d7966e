//! Under which start of the machine views were written. They are not synced: a killed process
//! loses nothing of them, a power cut may leave any part, and the engine's own checks do not notice
//! all of that.

use std::io::Write as _;
use std::path::Path;

use crate::database::files;

const BOOT: &str = "BOOT";
/// The system's name for a start is shorter.
const BOOT_BYTES_MAX: u64 = 256;

/// Whether the views in this directory were opened last under this start of the machine. Where the
/// system does not tell its starts apart, no.
pub(super) fn is_same(views: &Path, boot: Option<&str>) -> bool {
    let marked = files::read(&views.join(BOOT), BOOT_BYTES_MAX).ok();
    boot.is_some() && marked.as_deref() == boot.map(str::as_bytes)
}

/// Notes the start of the machine. Failing to costs a rebuild after the next end that is not clean.
pub(super) fn mark(views: &Path, boot: Option<&str>) {
    let written = files::create(&views.join(BOOT))
        .and_then(|mut file| file.write_all(boot.unwrap_or_default().as_bytes()));
    if let Err(error) = written {
        tracing::warn!(%error, "the start of the machine was not noted beside the views");
    }
}

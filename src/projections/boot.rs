//! Under which start of the machine views were written. They are not synced: a killed process
//! loses nothing of them, a power cut may leave any part, and the engine's own checks do not notice
//! all of that.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const BOOT: &str = "BOOT";

/// Whether the views in this directory were opened last under this start of the machine. Where the
/// system does not tell its starts apart, no.
pub(super) fn is_same(views: &Path, boot: Option<&str>) -> bool {
    let marked = fs::read_to_string(views.join(BOOT)).ok();
    boot.is_some() && marked.as_deref() == boot
}

/// Notes the start of the machine. Failing to costs a rebuild after the next end that is not clean.
pub(super) fn mark(views: &Path, boot: Option<&str>) {
    let mut options = fs::OpenOptions::new();
    options.create(true).write(true).truncate(true).mode(0o600);
    let written = options
        .open(views.join(BOOT))
        .and_then(|mut file| file.write_all(boot.unwrap_or_default().as_bytes()));
    if let Err(error) = written {
        tracing::warn!(%error, "the start of the machine was not noted beside the views");
    }
}

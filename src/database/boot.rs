//! Which start of the machine this is: of what was not synced before another one, any part may be
//! gone, where the power was.

/// The operating system's name for it; `None` where it has none.
pub(crate) fn boot_id() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned())
}

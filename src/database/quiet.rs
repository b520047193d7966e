//! Files opened so that nothing of them changes, where the system permits it their time of access
//! neither: that needs their owner or a capability, and is left to the mount otherwise.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// Opens a file or a directory for reading.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let quietly = rustix::fs::OFlags::NOATIME.bits().cast_signed();
        let mut options = OpenOptions::new();
        match options.read(true).custom_flags(quietly).open(path) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            opened => return opened,
        }
    }
    OpenOptions::new().read(true).open(path)
}

// SPDX-License-Identifier: Apache-2.0
//! How much room the medium has.

use std::io;
use std::path::Path;

/// Where the ledger learns how much room there is.
pub trait Space: Send + Sync + 'static {
    /// Bytes that this process may still write to the file system of `path`.
    ///
    /// # Errors
    /// As the operating system says.
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;
}

/// The operating system's word.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemSpace;

impl Space for SystemSpace {
    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let found = rustix::fs::statvfs(path)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }
}

#[cfg(test)]
mod tests {
    use super::{Space, SystemSpace};

    #[test]
    fn free_space_is_known_where_there_is_a_directory() {
        let directory = tempfile::tempdir().unwrap();
        assert!(SystemSpace.free_bytes(directory.path()).unwrap() > 0);
        assert!(
            SystemSpace
                .free_bytes(&directory.path().join("nothing"))
                .is_err()
        );
    }
}

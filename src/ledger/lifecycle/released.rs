// SPDX-License-Identifier: Apache-2.0
//! What an end has let go of, for an opening that is still to come.

use std::path::PathBuf;

use crate::directory::Directory;

/// What was let go of for an opening that is still to come.
#[derive(Default)]
pub(in crate::ledger) struct Released {
    /// Still locked; for the first opening that is tried.
    pub(in crate::ledger) directory: Option<Directory>,
    /// For another one, where the first did not succeed.
    pub(in crate::ledger) path: Option<PathBuf>,
    pub(in crate::ledger) reopened: bool,
}

impl Released {
    /// Nobody opens it again from here. True where somebody has.
    pub(in crate::ledger) fn give_up(&mut self) -> bool {
        let Self {
            directory,
            path,
            reopened,
        } = self;
        drop(directory.take());
        *path = None;
        *reopened
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Which key of subjects an opening has.

use std::path::Path;

use crate::database;
use crate::directory::{self, SubjectKey};
use crate::error::OpenError;
use crate::events::LedgerId;
use crate::journal::Head;
use crate::ledger::options::Options;

/// The key of subjects: that of the ledger's directory; of a ledger over a given journal, that beside its views. An old
/// one of these opens without it, since views may be made anew in another place, and names no subject.
pub(in crate::ledger) fn key(
    found: Option<SubjectKey>,
    root: &Path,
    ledger: LedgerId,
    head: Head,
    options: &Options,
) -> Result<Option<SubjectKey>, OpenError> {
    if found.is_some() {
        return Ok(found);
    }
    let path = root.join(directory::SUBJECTS);
    let is_there = database::exists(&path)?;
    match SubjectKey::read(&path, ledger) {
        Err(OpenError::SubjectKey { .. })
            if options.renew_subject_key || (!is_there && head.count() == 0) =>
        {
            // Views that are still being opened may have made no directory yet.
            let made = database::ensure_private(root)
                .and_then(|()| SubjectKey::create(&path, ledger, &*options.entropy));
            made.map(Some).map_err(|error| OpenError::io(&path, error))
        }
        Err(OpenError::SubjectKey { .. }) if !is_there => Ok(None),
        opened => opened.map(Some),
    }
}

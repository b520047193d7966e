// SPDX-License-Identifier: Apache-2.0
//! What was found out about an order's contents before it was sent. A decision waits for nobody:
//! under the lock on what is in force no validator is asked and no file is read.

use std::sync::Arc;

use crate::error::AppendError;
use crate::events::Hash;

/// A content of a document, as an earlier version has it.
pub(crate) enum Earlier {
    /// The document has no such version, as far as it is decided.
    Unknown,
    /// It is in memory.
    Recent(Arc<[u8]>),
    /// It is in the views.
    Past,
}

struct Verdict {
    document: String,
    digest: Hash,
    outcome: Result<(), AppendError>,
}

struct RestoredContent {
    document: String,
    version: u64,
    content: Result<Arc<[u8]>, AppendError>,
}

/// Verdicts on contents, and contents to restore. The decision says what is wrong with one of them:
/// a command that was committed before is a duplicate, whatever is thought of it by now.
#[derive(Default)]
pub(crate) struct Prepared {
    /// There are validators: a content needs a verdict.
    validated: bool,
    verdicts: Vec<Verdict>,
    restored: Vec<RestoredContent>,
}

impl Prepared {
    /// Nothing yet; `validated` where there are validators, so that a content needs a verdict.
    pub(crate) fn new(validated: bool) -> Self {
        Self {
            validated,
            ..Self::default()
        }
    }

    pub(crate) fn is_judged(&self, document: &str, digest: &Hash) -> bool {
        self.find(document, digest).is_some()
    }

    fn find(&self, document: &str, digest: &Hash) -> Option<&Verdict> {
        let mut verdicts = self.verdicts.iter();
        verdicts.find(|it| it.document == document && it.digest == *digest)
    }

    pub(crate) fn judge(&mut self, document: &str, digest: Hash, outcome: Result<(), AppendError>) {
        let document = document.to_owned();
        self.verdicts.push(Verdict {
            document,
            digest,
            outcome,
        });
    }

    /// What the validators said of this content.
    ///
    /// # Errors
    /// Theirs; `ViewLag` where they were not asked, because what is to be restored became a version
    /// only after they were: sent again, it is known.
    pub(crate) fn verdict(&self, document: &str, digest: &Hash) -> Result<(), AppendError> {
        match self.find(document, digest) {
            Some(verdict) => verdict.outcome.clone(),
            None if self.validated => Err(AppendError::ViewLag { lag: 0 }),
            None => Ok(()),
        }
    }

    pub(crate) fn restore(
        &mut self,
        document: &str,
        version: u64,
        content: Result<Arc<[u8]>, AppendError>,
    ) {
        let document = document.to_owned();
        self.restored.push(RestoredContent {
            document,
            version,
            content,
        });
    }

    /// The content of an earlier version, where it was looked for.
    pub(crate) fn restored(
        &self,
        document: &str,
        version: u64,
    ) -> Option<&Result<Arc<[u8]>, AppendError>> {
        let mut restored = self.restored.iter();
        let found = restored.find(|it| it.document == document && it.version == version);
        found.map(|it| &it.content)
    }
}

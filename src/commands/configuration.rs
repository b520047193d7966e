// SPDX-License-Identifier: Apache-2.0
//! Commands of the configuration store (FC-STORAGE §8).

use super::check::{self, Checked, Fields};
use super::fields::fields;
use super::setters::setters;
use super::{CommandContent, Context};
use crate::config::Limits;

fields! {
    /// Gives a document new content; the first change of a name creates the document. The same
    /// content again is a new version all the same.
    #[derive(Clone, PartialEq, Eq)]
    pub struct Change {
        /// Common to all commands.
        nested pub context: Context,
        /// The document's name.
        name pub document: String,
        /// The whole content: any bytes that the validators accept.
        bytes pub content: Vec<u8>,
        /// Who.
        text pub author: String,
        /// Why.
        text pub reason: String,
        /// Refuse unless the document stands at this version (0: does not exist).
        kept pub expected_version: Option<u64>,
    }
}

impl Change {
    /// The whole new content of a document. Author and reason must be said.
    ///
    /// ```
    /// use femtoclaw_ledger::{AppendError, Change};
    ///
    /// fn limits() -> Result<Change, AppendError> {
    ///     let change = Change::new("limits", "").author("ada").reason("fewer calls");
    ///     change.content_json(&[("calls_max", 10)])
    /// }
    /// ```
    #[must_use]
    pub fn new(document: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        Self {
            context: Context::new(),
            document: document.into(),
            content: content.into(),
            author: String::new(),
            reason: String::new(),
            expected_version: None,
        }
    }
}

setters!(Change {
    /// With its command id, parent and trace.
    set context = context: Context;
    /// With this content, as JSON.
    json content_json = content: Vec<u8>;
    /// Who changes it.
    into author = author: String;
    /// Why.
    into reason = reason: String;
    /// Only where the document stands at this version (0: does not exist).
    some expecting = expected_version: u64;
});

impl CommandContent for Change {
    fn validate(&self, limits: &Limits) -> Checked {
        check::name("document", &self.document, limits)?;
        check::name("author", &self.author, limits)?;
        check::some_text("reason", &self.reason, limits)?;
        check::payload("content", &self.content, limits)
    }

    fn digest(&self, fields: &mut Fields) {
        fields
            .text(&self.document)
            .bytes(&self.content)
            .text(&self.author)
            .text(&self.reason)
            .optional_number(self.expected_version);
    }

    fn content_len(&self) -> usize {
        self.document.len() + self.content.len() + self.author.len() + self.reason.len() + 80
    }
}

fields! {
    /// Gives a document the content of an earlier version, as a new version.
    ///
    /// Example: [`configuration`](crate::configuration).
    #[derive(Clone, PartialEq, Eq)]
    pub struct Rollback {
        /// Common to all commands.
        nested pub context: Context,
        /// The document's name.
        name pub document: String,
        /// The version whose content to restore.
        kept pub to_version: u64,
        /// Who.
        text pub author: String,
        /// Why.
        text pub reason: String,
        /// Refuse unless the document stands at this version.
        kept pub expected_version: Option<u64>,
    }
}

impl Rollback {
    /// Back to the content of this version. Author and reason must be said.
    #[must_use]
    pub fn new(document: impl Into<String>, to_version: u64) -> Self {
        Self {
            context: Context::new(),
            document: document.into(),
            to_version,
            author: String::new(),
            reason: String::new(),
            expected_version: None,
        }
    }
}

setters!(Rollback {
    /// With its command id, parent and trace.
    set context = context: Context;
    /// Who rolls it back.
    into author = author: String;
    /// Why.
    into reason = reason: String;
    /// Only where the document stands at this version.
    some expecting = expected_version: u64;
});

impl CommandContent for Rollback {
    fn validate(&self, limits: &Limits) -> Checked {
        check::name("document", &self.document, limits)?;
        check::name("author", &self.author, limits)?;
        check::some_text("reason", &self.reason, limits)?;
        check::id("to_version", self.to_version == 0)
    }

    fn digest(&self, fields: &mut Fields) {
        fields
            .text(&self.document)
            .number(self.to_version)
            .text(&self.author)
            .text(&self.reason)
            .optional_number(self.expected_version);
    }

    /// Without the restored content, which is not known here: where it is, the commit is checked
    /// again.
    fn content_len(&self) -> usize {
        self.document.len() + self.author.len() + self.reason.len() + 80
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Why nothing is written any more.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::Fault;

/// Why a ledger has stopped writing: in words, and, where something failed below it, what that says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cause {
    text: Arc<str>,
    fault: Option<Fault>,
}

impl Cause {
    pub(crate) fn new(text: impl Into<Arc<str>>, fault: impl Into<Option<Fault>>) -> Self {
        Self {
            text: text.into(),
            fault: fault.into(),
        }
    }

    /// What failed below the ledger: [`Fault::System`] where the system refused, and opening again in place
    /// ([`Root::reopen`](crate::Root::reopen)) is all that it takes once that is put right. `None` where nothing below it
    /// failed, or nobody knows what.
    #[must_use]
    pub const fn fault(&self) -> Option<Fault> {
        self.fault
    }
}

impl Deref for Cause {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<T: Into<Arc<str>>> From<T> for Cause {
    fn from(text: T) -> Self {
        Self {
            text: text.into(),
            fault: None,
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Why something cannot be done.

use std::error::Error;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::{Fault, io_error};

/// Why something cannot be done: in words, and, where something failed below it, what that says and that error itself
/// ([`source`](Error::source)). Two causes are equal where words and fault are.
///
/// Example: [`journal`](crate::journal).
#[derive(Debug, Clone, Default)]
pub struct Cause {
    text: Arc<str>,
    fault: Option<Fault>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl Cause {
    pub(crate) fn new(text: impl Into<Arc<str>>, fault: impl Into<Option<Fault>>) -> Self {
        Self {
            text: text.into(),
            fault: fault.into(),
            source: None,
        }
    }

    /// In the words of the error that failed it.
    pub(crate) fn of(error: impl Error + Send + Sync + 'static) -> Self {
        Self {
            text: error.to_string().into(),
            fault: io_error(&error).map(Fault::of),
            source: Some(Arc::new(error)),
        }
    }

    /// With what the error says of the bytes, where whoever knows its kind knows more.
    pub(crate) fn fault_is(mut self, fault: impl Into<Option<Fault>>) -> Self {
        self.fault = fault.into();
        self
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
            source: None,
        }
    }
}

impl PartialEq for Cause {
    fn eq(&self, other: &Self) -> bool {
        (&self.text, self.fault) == (&other.text, other.fault)
    }
}

impl Eq for Cause {}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::super::{OpenError, ReadError};
    use super::*;

    /// By type, and not by text.
    #[test]
    fn the_error_that_failed_it_is_kept() {
        let refused = || io::Error::from_raw_os_error(24);
        let cause = Cause::of(refused());
        assert_eq!(cause.fault(), Some(Fault::System));
        let read = ReadError::Unavailable { cause };
        assert!(read.to_string().ends_with(&refused().to_string()), "{read}");
        let opened = OpenError::Views(Cause::of(read.clone()));
        for error in [&read as &dyn Error, &opened] {
            let io = io_error(error).and_then(io::Error::raw_os_error);
            assert_eq!(io, Some(24), "{error}");
        }
        let said = Cause::from("in words alone");
        assert!(said.source().is_none() && said.fault().is_none());
    }
}

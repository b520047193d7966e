// SPDX-License-Identifier: Apache-2.0
//! Who takes secrets out of what a caller wrote, before anything of it is hashed or stored: the
//! journal cannot be cleaned afterwards.
//!
//! # Example
//!
//! ```
//! use femtoclaw_ledger::redaction::{Field, FieldShape, Redaction};
//! use femtoclaw_ledger::{AuditEntry, AuditFamily, Options};
//! # use femtoclaw_ledger::{Ledger, Quota, Rights, events::Event};
//! # use std::{sync::Arc, time::Duration};
//!
//! /// Writes stars over whatever follows `sk-`.
//! struct NoKeys;
//!
//! impl Redaction for NoKeys {
//!     fn redact(&self, field: Field, bytes: &mut Vec<u8>) -> Result<(), String> {
//!         if field.shape == FieldShape::Bytes {
//!             return Ok(()); // no text
//!         }
//!         let text = String::from_utf8(bytes.clone()).map_err(|error| error.to_string())?;
//!         if let Some((before, _)) = text.split_once("sk-") {
//!             *bytes = format!("{before}***").into_bytes();
//!         }
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("ledger");
//! let options = Options { redaction: Some(Arc::new(NoKeys)), ..Options::default() };
//! # let (ledger, root) = Ledger::open(&path, options).await?;
//! # let grant = root.grant("runtime", Rights::all(), Quota::default()).await?;
//! let entry = AuditEntry::new(AuditFamily::OperatorAction, "login").subject("ada with sk-12345");
//! let receipt = ledger.audit_log(&grant)?.record(entry).await?;
//! let record = ledger.reader(&grant)?.get(receipt.first).await?.ok_or("no such record")?;
//! let Event::AuditRecorded(recorded) = record.event()? else { panic!("another event") };
//! assert_eq!(recorded.subject, "ada with ***");
//! # root.close(Duration::from_secs(60)).await?;
//! # Ok(())
//! # }
//! ```

/// How a field's bytes are to be read. A redactor must leave them so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldShape {
    /// UTF-8.
    Text,
    /// UTF-8 and one JSON value.
    Json,
    /// Any bytes.
    Bytes,
}

/// Which field of which command a redactor is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Field {
    /// The command's word ([`Command::kind`](crate::group::Command::kind)), such as `begin`; for what
    /// [`Root`](crate::Root) writes, the name of its method, such as `revoke`.
    pub command: &'static str,
    /// The field's name, such as `arguments`.
    pub name: &'static str,
    /// What its bytes are, and must be afterwards.
    pub shape: FieldShape,
}

/// Changes what would be persisted, before it is checked against the limits, hashed or stored.
///
/// It is given every text and every payload that a caller writes freely, on every path: a command,
/// a group, `emit`, an import, and what [`Root`](crate::Root) records. It is not given what things are
/// called and found by: ids, the names of documents, capabilities, modules, positions and components,
/// what a decision rested on, and codes from a fixed list. Empty fields are not given to it either.
///
/// Where it panics, says that it cannot, leaves what is no text, no JSON or more than the limit,
/// that one command is refused with `CallbackFailed`, which names it; of an emitted observation the
/// loss is counted and recorded. Nothing is ever stored unredacted.
///
/// A command's id stands for its *redacted* content: with a redactor that gives the same for the
/// same, a command that is sent again is a duplicate.
///
/// # Blocking, locks
/// It runs in the caller's task, so it should take microseconds: for as long as it takes, that
/// task's thread does nothing else. For `emit` it runs on a thread of its own, for at most
/// [`Options::callback_budget`](crate::Options::callback_budget) a group of observations. No lock of
/// the ledger is held, so it may call the ledger's functions; it cannot wait for asynchronous ones.
pub trait Redaction: Send + Sync {
    /// Redacts `bytes` in place.
    ///
    /// # Errors
    /// Why it cannot be done, for the caller: the command is refused.
    fn redact(&self, field: Field, bytes: &mut Vec<u8>) -> Result<(), String>;

    /// What errors, health and refusals call it. Asked once, at opening.
    fn name(&self) -> &str {
        std::any::type_name::<Self>()
    }
}

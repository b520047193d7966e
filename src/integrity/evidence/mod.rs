// SPDX-License-Identifier: Apache-2.0
//! An evidence bundle: everything that was recorded of one execution, in one file, with what is needed
//! to check it elsewhere: proofs, the signed checkpoint that they lead to, and the public keys that
//! signed it. `docs/FORMAT.md` has every byte.
//!
//! * [`Bundle`] is read ([`Bundle::parse`]) and written (`to_string`) in one spelling.
//! * [`Bundle::verify`] checks all of it by the checker's own [policy](super::policy); a changed byte
//!   anywhere is refused, and the refusal names the [`BundlePart`].
//! * [`Stream`] says whether the records are all there are, by the ledger's own numbering;
//!   [`scan()`] says it from every header of an [export](super::export).
//! * [`Naming`] says which name a component's number stands for, by the record of its grant.
//! * [`Bundle::page`] is the same for a person: one HTML file that is made from the bundle and from
//!   nothing else, so it can be made again and compared.
//!
//! Keys in a bundle say who is said to have signed. They prove nothing: whoever makes up a history
//! makes up a key as well.
//!
//! # Example
//!
//! ```
//! use femtoclaw_ledger::integrity::evidence::{Bundle, BundlePart, Closing, Stream};
//! use femtoclaw_ledger::integrity::policy::Policy;
//! # use femtoclaw_ledger::integrity::key::Algorithm;
//! # let file = "cli/tests/verifier/evidence/golden/failed.txt";
//! # let known = Bundle::parse(&std::fs::read(file)?)?;
//! # let known = known.keys().iter().find(|key| key.algorithm() == Algorithm::Ed25519).cloned();
//! # let public_key = known.ok_or("no key")?; // elsewhere it comes from whoever runs the log
//!
//! let text = std::fs::read_to_string(file)?;
//! let bundle = Bundle::parse(text.as_bytes())?;
//! let policy = Policy::new(&[public_key], &[], 0)?;
//! let verified = bundle.verify(&policy, None)?;
//! assert_eq!(verified.stream, Stream::Complete { records: 6, closed_by: Closing::Failed });
//! for item in bundle.items() {
//!     println!("{} {}", item.header.seq, item.header.event_type.name());
//! }
//!
//! // Whoever changes a byte is told where.
//! let changed = Bundle::parse(text.replace("complete 6", "complete 7").as_bytes())?;
//! let refused = changed.verify(&policy, None).map(|_| ()).unwrap_err();
//! assert_eq!(refused.part, BundlePart::Stream);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod approvals;
mod bundle;
mod make;
mod names;
mod page;
mod read;
mod scan;
mod stream;
mod verify;
mod write;

pub use crate::events::Content;
pub use approvals::ApprovalProblem;
pub use bundle::{Bundle, Item, Opening};
pub use make::MakeError;
pub use names::{ComponentName, Naming};
pub use page::PAGE_VERSION;
pub use read::BundleParseError;
pub use scan::{ScanError, Scanned, scan};
pub use stream::{Closing, Stream, StreamError, StreamReader};
pub use verify::{BundleProblem, BundleVerifyError, VerifiedBundle};

use std::fmt;

use crate::events::Seq;

/// The first line, and with it the version.
const FIRST_LINE: &str = "femtoclaw-ledger evidence 4";

/// Name of the bundle's file in a directory that holds it with its page.
///
/// Example: [`Bundle::parse`](crate::integrity::evidence::Bundle::parse).
pub const BUNDLE_FILE: &str = "evidence.txt";
/// Name of the page's file there.
///
/// Example: [`Bundle::parse`](crate::integrity::evidence::Bundle::parse).
pub const PAGE_FILE: &str = "page.html";
/// The largest bundle that is read or made, in bytes (64 MiB).
///
/// Example: [`Bundle::parse`](crate::integrity::evidence::Bundle::parse).
pub const BUNDLE_BYTES_MAX: usize = 64 << 20;
/// The most records in a bundle; so many components at most have names.
///
/// Example: [`Bundle::parse`](crate::integrity::evidence::Bundle::parse).
pub const RECORDS_MAX: usize = 4_096;
/// The most keys: a note has no more signatures.
///
/// Example: [`Bundle::parse`](crate::integrity::evidence::Bundle::parse).
pub const KEYS_MAX: usize = super::note::SIGNATURES_MAX;
/// The longest payload, in bytes: no frame holds a longer one.
///
/// Example: [`Bundle::parse`](crate::integrity::evidence::Bundle::parse).
pub const PAYLOAD_BYTES_MAX: usize = 32 << 20;

/// A part of a bundle: what a refusal names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BundlePart {
    /// The first line.
    Version,
    /// The line `ledger`: another than the opening's record names.
    Ledger,
    /// The line `opened`, whose sequence number cannot be read, or what stands behind it: it is no
    /// opening of a ledger.
    Opened,
    /// The line `execution`.
    Execution,
    /// The line `stream`: what is said of completeness.
    Stream,
    /// A line `key`, counted from 1.
    Key(usize),
    /// A line `named`, counted from 1, whose sequence number cannot be read.
    Named(usize),
    /// What this record says, which should name a component, or where it stands.
    Name(Seq),
    /// A line `record`, counted from 1, whose sequence number cannot be read.
    Record(usize),
    /// The header of this record.
    Header(Seq),
    /// Salt and payload of this record.
    Payload(Seq),
    /// The inclusion proof of this record.
    Proof(Seq),
    /// The line `checksum`.
    Checksum,
    /// The signed note at the end.
    Checkpoint,
    /// The page for people.
    Page,
}

impl BundlePart {
    /// A stable word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::Ledger => "ledger",
            Self::Opened => "opened",
            Self::Execution => "execution",
            Self::Stream => "stream",
            Self::Key(_) => "key",
            Self::Named(_) => "named",
            Self::Name(_) => "name",
            Self::Record(_) => "record",
            Self::Header(_) => "header",
            Self::Payload(_) => "payload",
            Self::Proof(_) => "proof",
            Self::Checksum => "checksum",
            Self::Checkpoint => "checkpoint",
            Self::Page => "page",
        }
    }

    /// The record that it belongs to.
    #[must_use]
    pub const fn record(self) -> Option<Seq> {
        match self {
            Self::Name(seq) | Self::Header(seq) | Self::Payload(seq) | Self::Proof(seq) => {
                Some(seq)
            }
            _ => None,
        }
    }
}

impl fmt::Display for BundlePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version => f.write_str("first line"),
            Self::Key(number) => write!(f, "key {number}"),
            Self::Named(number) => write!(f, "name number {number} of the bundle"),
            Self::Name(seq) => write!(f, "record {seq} as the name of a component"),
            Self::Record(number) => write!(f, "record number {number} of the bundle"),
            Self::Header(seq) | Self::Payload(seq) | Self::Proof(seq) => {
                write!(f, "{} of record {seq}", self.name())
            }
            other => f.write_str(other.name()),
        }
    }
}

crate::events::readable::words::spoken!(BundlePart);

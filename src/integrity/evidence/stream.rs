// SPDX-License-Identifier: Apache-2.0
//! Whether records are all that there are of an execution, told from their headers alone.
//!
//! An execution's records are a stream of their own: its id is the execution's, its versions count
//! up from 1. Each command on it writes consecutive records, the last of which tells the path
//! that the state machine walked, where it walked one; after a command that ends it the ledger takes no further one.
//! Persons who were asked answer between the request and the decision, and the decision rests on their answers
//! ([`super::approvals`] holds the payloads against each other).
//! So versions 1 to N without a gap, the last two of which end it, are all there are *by the ledger's
//! own rules*.
//!
//! What this does not show: that the ledger kept its rules. A second record with a version that is
//! given away already, or one after the end, would be in the same tree, and only who reads every
//! header up to the checkpoint knows that there is none ([`super::scan()`]). Nor does it speak of
//! *mentions*: records that others wrote about the execution (`AuditRecorded`, `TelemetryRecorded`), which name
//! it and are in no stream.

use std::fmt;

use crate::events::{Event, EventType, ExecutionId, Outcome, RecordHeader, Resolution, Seq, State};

/// What ended an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Closing {
    /// It succeeded.
    Completed,
    /// It failed.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// It was in doubt, and somebody said how it ended.
    Resolved,
    /// It was authorized and let go of before its start.
    Abandoned,
    /// The gate denied it.
    Denied,
    /// The protocol did not accept the agent's output.
    Rejected,
}

impl Closing {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::Resolved,
        Self::Abandoned,
        Self::Denied,
        Self::Rejected,
    ];

    /// A stable lower-case word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Resolved => "resolved",
            Self::Abandoned => "abandoned",
            Self::Denied => "denied",
            Self::Rejected => "rejected",
        }
    }

    /// The ending with this word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }
}

/// How far a gapless stream goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(tag = "stream", rename_all = "snake_case")]
pub enum Stream {
    /// Versions 1 to `records`, the last of which end it: by the ledger's rules there are no others.
    Complete {
        /// How many.
        records: u64,
        /// What ended it.
        closed_by: Closing,
    },
    /// Versions 1 to `records`, and nothing that ends it: running, in doubt, or never started, when
    /// the checkpoint was signed. There may be later ones.
    Open {
        /// How many.
        records: u64,
    },
}

impl Stream {
    /// How many records it has.
    #[must_use]
    pub const fn records(self) -> u64 {
        match self {
            Self::Complete { records, .. } | Self::Open { records } => records,
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete { records, closed_by } => {
                write!(f, "complete {records} {}", closed_by.name())
            }
            Self::Open { records } => write!(f, "open {records}"),
        }
    }
}

/// Records are not the beginning of one execution's stream.
///
/// Example: [`Bundle::verify`](crate::integrity::evidence::Bundle::verify).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// There is none.
    #[error("there is no record of the execution's stream")]
    Empty,
    /// A record of another execution, or of another stream.
    #[error("record {0} is not of this execution's stream")]
    Other(Seq),
    /// A version is missing, given twice, or out of order.
    #[error("record {seq} has version {found} of the stream, and version {expected} is next")]
    Version {
        /// Which record.
        seq: Seq,
        /// The version that must come here.
        expected: u64,
        /// The version it has.
        found: u64,
    },
    /// A later version stands earlier in the ledger, or has an earlier time.
    #[error("record {0} stands before the version in front of it")]
    Order(Seq),
    /// A record after the one that ended the stream.
    #[error("record {0} comes after the end of the execution")]
    AfterEnd(Seq),
    /// The ledger's rules allow no such record here.
    #[error("record {seq}, {event_type}, must not come here")]
    Rule {
        /// Which record.
        seq: Seq,
        /// Its type.
        event_type: EventType,
    },
    /// Records of one command that do not stand one behind the other.
    #[error(
        "record {0} does not stand right behind the record in front of it, of the same command"
    )]
    Torn(Seq),
}

impl StreamError {
    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Other(_) => "other_stream",
            Self::Version { .. } => "version",
            Self::Order(_) => "order",
            Self::AfterEnd(_) => "after_end",
            Self::Rule { .. } => "rule",
            Self::Torn(_) => "torn_command",
        }
    }
}

/// Where an execution stands, as far as headers tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    New,
    Accepted,
    Authorized,
    /// Persons are asked.
    Awaiting,
    /// The last word is an approval: it may have been the last that was needed.
    Given,
    /// A person refused, or nobody answered in time: a denial follows.
    Declined,
    Approved,
    Running,
    InDoubt,
    Ending(Closing),
    Ended(Closing),
}

impl Stand {
    /// Where a record leads to; `None` where the rules allow it not.
    const fn after(self, header: &RecordHeader) -> Option<Self> {
        Some(match (self, header.event_type, header.outcome) {
            (Self::New, EventType::ProtocolValidated, Outcome::Success) => Self::Accepted,
            (Self::New, EventType::ProtocolValidated, Outcome::Failure) => {
                Self::Ending(Closing::Rejected)
            }
            (Self::New | Self::Accepted, EventType::AuthorizationDecided, Outcome::Success) => {
                Self::Authorized
            }
            (Self::New | Self::Accepted, EventType::AuthorizationDecided, Outcome::Denied) => {
                Self::Ending(Closing::Denied)
            }
            (Self::New | Self::Accepted, EventType::ApprovalRequested, _) => Self::Awaiting,
            (Self::Awaiting | Self::Given, EventType::ApprovalGiven, _) => Self::Given,
            (Self::Awaiting | Self::Given, EventType::ApprovalConfirmed, _) => Self::Awaiting,
            (
                Self::Awaiting | Self::Given,
                EventType::ApprovalRefused | EventType::ApprovalExpired,
                _,
            ) => Self::Declined,
            (Self::Given, EventType::AuthorizationDecided, Outcome::Success) => Self::Approved,
            (Self::Declined, EventType::AuthorizationDecided, Outcome::Denied) => {
                Self::Ending(Closing::Denied)
            }
            (Self::Authorized | Self::Approved, EventType::ExecutionStarted, _) => Self::Running,
            (Self::Running, EventType::ExecutionCompleted, _) => Self::Ending(Closing::Completed),
            (Self::Running, EventType::ExecutionFailed, _) => Self::Ending(Closing::Failed),
            (Self::Running, EventType::ExecutionInDoubt, _) => Self::InDoubt,
            (Self::Authorized | Self::Approved, EventType::ExecutionAbandoned, _) => {
                Self::Ended(Closing::Abandoned)
            }
            (Self::Running | Self::InDoubt, EventType::ExecutionResolved, _) => {
                Self::Ending(Closing::Resolved)
            }
            (
                Self::Authorized | Self::Awaiting | Self::Given | Self::Approved | Self::Running,
                EventType::ExecutionCancelled,
                _,
            ) => Self::Ending(Closing::Cancelled),
            (Self::Ending(closing), EventType::TransitionsRecorded, _) => Self::Ended(closing),
            (
                Self::Authorized | Self::Awaiting | Self::Running,
                EventType::TransitionsRecorded,
                _,
            ) => self,
            _ => return None,
        })
    }
}

impl Stand {
    /// Whether `last`, which led here, is the last record of its command: one that walks a path ends with that path, others
    /// with what they say. What persons say may be followed by the decision that it brings about, of the same command.
    fn ends_command(self, last: &RecordHeader, next: &RecordHeader) -> bool {
        // Two components may have given their commands one id.
        let is_another = (next.component, next.command) != (last.component, last.command);
        match last.event_type {
            EventType::TransitionsRecorded | EventType::ExecutionInDoubt => true,
            // A decision rests on it and stands right behind it.
            EventType::ApprovalGiven => {
                is_another && next.event_type != EventType::AuthorizationDecided
            }
            EventType::ApprovalConfirmed => is_another,
            EventType::AuthorizationDecided => self == Self::Approved && is_another,
            _ => false,
        }
    }
}

/// Reads an execution's stream in order, one header after the other.
///
/// Example: `tests/model/compare.rs`.
#[derive(Debug, Clone)]
pub struct StreamReader {
    execution: ExecutionId,
    stand: Stand,
    last: Option<RecordHeader>,
}

impl StreamReader {
    /// Reads the stream of this execution, from its first record.
    #[must_use]
    pub const fn new(execution: ExecutionId) -> Self {
        Self {
            execution,
            stand: Stand::New,
            last: None,
        }
    }

    /// Whether a record is of the stream of this execution: others may name it too.
    #[must_use]
    pub fn is_of(execution: ExecutionId, header: &RecordHeader) -> bool {
        header.execution == execution && header.stream.as_bytes() == execution.as_bytes()
    }

    /// Takes the next record of the stream.
    ///
    /// # Errors
    /// [`StreamError`] where it is not the next one, or the rules allow it not.
    pub fn next(&mut self, header: &RecordHeader) -> Result<(), StreamError> {
        let seq = header.seq;
        if !Self::is_of(self.execution, header) {
            return Err(StreamError::Other(seq));
        }
        let before = self.last.as_ref();
        if before.is_some_and(|last| last.seq >= seq || last.time_ns > header.time_ns) {
            return Err(StreamError::Order(seq));
        }
        // Said first: a record after the end is a worse thing than a version that is off.
        if matches!(self.stand, Stand::Ended(_)) {
            return Err(StreamError::AfterEnd(seq));
        }
        let (expected, found) = (
            before.map_or(1, |last| last.stream_version.saturating_add(1)),
            header.stream_version,
        );
        if expected != found {
            return Err(StreamError::Version {
                seq,
                expected,
                found,
            });
        }
        if before
            .is_some_and(|last| !self.stand.ends_command(last, header) && !follows(last, header))
        {
            return Err(StreamError::Torn(seq));
        }
        let event_type = header.event_type;
        let stand = self.stand.after(header);
        self.stand = stand.ok_or(StreamError::Rule { seq, event_type })?;
        self.last = Some(header.clone());
        Ok(())
    }

    /// How far the stream goes.
    ///
    /// # Errors
    /// [`StreamError::Empty`].
    pub fn finish(&self) -> Result<Stream, StreamError> {
        let last = self.last.as_ref().ok_or(StreamError::Empty)?;
        let records = last.stream_version;
        Ok(match self.stand {
            Stand::Ended(closed_by) => Stream::Complete { records, closed_by },
            _ => Stream::Open { records },
        })
    }
}

/// Whether `next` stands right behind `last`, of the same command.
fn follows(last: &RecordHeader, next: &RecordHeader) -> bool {
    next.seq == last.seq.plus(1)
        && next.command == last.command
        && next.component == last.component
        && next.commit_len == last.commit_len
        && Some(next.commit_index) == last.commit_index.checked_add(1)
}

/// Whether a payload tells what its header tells of the execution: two places hold it, and the
/// rules above look at the header.
#[must_use]
pub(super) fn agrees(header: &RecordHeader, event: &Event) -> bool {
    match event {
        Event::ProtocolValidated(e) => e.accepted == (header.outcome == Outcome::Success),
        Event::AuthorizationDecided(e) => (e.decision == 1) == (header.outcome == Outcome::Success),
        Event::ExecutionResolved(e) => Resolution::from_code(e.resolution).is_some(),
        Event::TransitionsRecorded(e) => {
            e.path.iter().all(|code| State::from_code(*code).is_some())
        }
        _ => true,
    }
}

crate::events::readable::words::named!(Closing);

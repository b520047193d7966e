// SPDX-License-Identifier: Apache-2.0
//! Commands: what a component asks a store to record. A command may be refused; what it asks for,
//! once durable, is an event.

use crate::config::Limits;
use crate::error::AppendError;
use crate::events::{ExecutionId, Hash, Store, SubjectId};

mod approval;
mod approving;
mod audit_log;
mod basis;
pub(crate) mod check;
mod configuration;
mod context;
mod cut;
mod endings;
mod execution_log;
mod fields;
pub(crate) mod given;
mod hold;
pub(crate) mod measure;
pub(crate) mod parties;
mod permit;
mod receipts;
pub(crate) mod root_records;
mod runtime_metadata;
pub(crate) mod setters;
mod telemetry;

pub use approval::ApprovalRequest;
pub use approving::{
    Approval, ApprovalRefusal, Approve, ConfirmApproval, RefuseApproval, StartApproved,
};
pub use audit_log::AuditEntry;
pub use basis::Basis;
pub(crate) use basis::Grounds;
pub use configuration::{Change, Rollback};
pub use context::Context;
pub use endings::{Ending, Failure, Finish, Resolve, ResolveInDoubt};
pub use execution_log::{Imported, Rejection, Request};
pub(crate) use hold::{Held, HeldExecution, Hold, Keeper};
use measure::{Cutter, Whole};
pub use permit::{Permit, Start, StartError};
pub use receipts::{
    ApprovalAsked, ApprovalOutcome, Authorization, Changed, Denied, Duplicate, End, NotStarted,
    Receipt, Recorded, Standing,
};
pub use runtime_metadata::{
    CapabilityDefinition, ChangeCapability, Identify, RegisterCapability, RemoveModule,
    SavePosition, SetModule, SwitchCapability, Transition, UnregisterCapability,
};
pub use telemetry::Observation;

use check::{Checked, Fields};
use context::InContext;
use given::{Given, Redactor};

/// Bytes of a stored record beside its payload: header, salt, place in the frame's offset table.
pub(crate) const RECORD_OVERHEAD_BYTES: usize =
    crate::events::HEADER_LEN + crate::events::SALT_LEN + 40;

/// What each command struct knows about itself.
trait CommandContent: Given + InContext {
    fn validate(&self, limits: &Limits) -> Checked;
    /// Adds every field but the context.
    fn digest(&self, fields: &mut Fields);
    /// Bytes of its fields.
    fn content_len(&self) -> usize;
    /// Bytes of its fields as they will be stored, at most: what is truncated counts less.
    fn stored_len(&self, _: &Limits) -> usize {
        self.content_len()
    }
    /// The execution it names, where it names one.
    fn execution(&self) -> Option<ExecutionId> {
        None
    }
    /// Whether it decides on an execution: its record says on whose behalf.
    fn decides(&self) -> bool {
        false
    }
    /// Shows what is cut where it is too large, rather than refused.
    fn cut(&mut self, _: &mut Cutter<'_>) {}
}

/// Each command with the word for it, the store that decides it, and the records that it makes at most.
macro_rules! commands {
    ($( $(#[$doc:meta])* $name:ident($content:ty) = $kind:literal, $store:ident, $records:literal; )+) => {
        /// A command of any store.
        #[derive(Debug)]
        #[non_exhaustive]
        pub enum Command {
            $($(#[$doc])* $name($content),)+
            /// Any of these that was too large to be kept whole.
            Cut(Cut),
        }

        impl Command {
            /// The word of every kind of command.
            pub const KINDS: &[&str] = &[$($kind),+];

            /// A stable word for what is asked.
            #[must_use]
            pub const fn kind(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => $kind,)+
                    Self::Cut(cut) => cut.command().kind(),
                }
            }

            /// The store that decides it.
            #[must_use]
            pub const fn store(&self) -> Store {
                match self {
                    $(Self::$name(_) => Store::$store,)+
                    Self::Cut(cut) => cut.command().store(),
                }
            }

            /// Records that it makes at most.
            #[must_use]
            pub const fn records_max(&self) -> usize {
                match self {
                    $(Self::$name(_) => $records,)+
                    Self::Cut(cut) => cut.command().records_max(),
                }
            }

            fn content(&self) -> &dyn CommandContent {
                match self {
                    $(Self::$name(content) => content,)+
                    Self::Cut(cut) => cut.command().content(),
                }
            }

            /// `None` of what was cut: it stays as it is.
            fn content_mut(&mut self) -> Option<&mut dyn CommandContent> {
                match self {
                    $(Self::$name(content) => Some(content),)+
                    Self::Cut(_) => None,
                }
            }
        }
    };
}

commands! {
    /// Record an authorization decision.
    Authorize(Request) = "authorize", ExecutionLog, 4;
    /// Record an authorization decision and, where it authorizes, the start, in one commit.
    Begin(Request) = "begin", ExecutionLog, 4;
    /// Start an authorized execution.
    Start(Start) = "start", ExecutionLog, 2;
    /// Record an output that the protocol does not accept.
    Reject(Rejection) = "reject", ExecutionLog, 2;
    /// Complete, fail or cancel an execution.
    Finish(Finish) = "finish", ExecutionLog, 2;
    /// Say how an execution in doubt ended.
    Resolve(ResolveInDoubt) = "resolve", ExecutionLog, 2;
    /// Record an execution after the fact.
    Import(Imported) = "import", ExecutionLog, 5;
    /// Ask persons whether an execution may begin.
    RequestApproval(ApprovalRequest) = "request_approval", ExecutionLog, 3;
    /// Record that a person approves.
    Approve(Approve) = "approve", ExecutionLog, 2;
    /// Record that a person refuses.
    RefuseApproval(RefuseApproval) = "refuse_approval", ExecutionLog, 3;
    /// Rest a request on what is in force now.
    ConfirmApproval(ConfirmApproval) = "confirm_approval", ExecutionLog, 1;
    /// Start what persons have approved.
    StartApproved(StartApproved) = "start_approved", ExecutionLog, 2;
    /// Record something worth an audit.
    Audit(AuditEntry) = "audit", AuditLog, 1;
    /// Record an observation.
    Observe(Observation) = "observe", Telemetry, 1;
    /// Give a document new content.
    Change(Change) = "change", Configuration, 1;
    /// Give a document the content of an earlier version.
    Rollback(Rollback) = "rollback", Configuration, 1;
    /// Say who the runtime is.
    Identify(Identify) = "identify", RuntimeMetadata, 1;
    /// Set a module's version.
    SetModule(SetModule) = "set_module", RuntimeMetadata, 1;
    /// Remove a module.
    RemoveModule(RemoveModule) = "remove_module", RuntimeMetadata, 1;
    /// Register a capability, disabled.
    RegisterCapability(RegisterCapability) = "register_capability", RuntimeMetadata, 1;
    /// Change a capability's definition.
    ChangeCapability(ChangeCapability) = "change_capability", RuntimeMetadata, 1;
    /// Enable or disable a capability.
    SwitchCapability(SwitchCapability) = "switch_capability", RuntimeMetadata, 1;
    /// Unregister a capability.
    UnregisterCapability(UnregisterCapability) = "unregister_capability", RuntimeMetadata, 1;
    /// Move the runtime's state machine.
    Transition(Transition) = "transition", RuntimeMetadata, 1;
    /// Save a subscriber's position.
    SavePosition(SavePosition) = "save_position", RuntimeMetadata, 1;
}

impl Command {
    /// What is common to all commands.
    #[must_use]
    pub fn context(&self) -> &Context {
        self.content().context()
    }

    /// The execution that it names, where it names one.
    #[must_use]
    pub fn execution(&self) -> Option<ExecutionId> {
        self.content().execution()
    }

    /// Hands every field that its caller wrote freely to the redactor, before anything is hashed or
    /// stored. A command that was cut has been there: a part of a text is not given.
    pub(crate) fn redact(&mut self, by: &mut Redactor<'_>) -> Checked {
        let content = self.content_mut();
        content.map_or(Ok(()), |content| content.redact(by))
    }

    /// Gives the subject that it names its pseudonym. A command that was cut has it.
    pub(crate) fn name_subject(
        &mut self,
        pseudonym: impl FnOnce(&str) -> Result<SubjectId, AppendError>,
    ) -> Checked {
        let content = self.content_mut();
        content.map_or(Ok(()), |content| {
            content.context_mut().name_subject(pseudonym)
        })
    }

    /// Whether it ends an execution: never refused for size or load.
    #[must_use]
    pub const fn finishes(&self) -> bool {
        match self {
            Self::Finish(_) | Self::Resolve(_) => true,
            Self::Cut(cut) => cut.command().finishes(),
            _ => false,
        }
    }

    /// Whether it hands in what a person says: that takes a right of its own.
    pub(crate) const fn answers_for_persons(&self) -> bool {
        match self {
            Self::Approve(_) | Self::RefuseApproval(_) => true,
            Self::Cut(cut) => cut.command().answers_for_persons(),
            _ => false,
        }
    }

    /// Checks all that can be checked without any state; of what was cut, that was done before.
    ///
    /// # Errors
    /// `Invalid`, `InvalidJson`, `TooLarge`; nothing is written.
    pub fn validate(&self, limits: &Limits) -> Result<(), AppendError> {
        if matches!(self, Self::Cut(_)) {
            return Ok(());
        }
        let content = self.content();
        content.context().validate(content.decides(), limits)?;
        content.validate(limits)
    }

    /// Digest of store, kind and all fields but the command id: what makes two commands the same.
    /// That of a command that was cut is that of the whole. A subject counts by its pseudonym, which the ledger gives it when
    /// the command is sent: before that it does not count.
    #[must_use]
    pub fn content_digest(&self) -> Hash {
        if let Self::Cut(cut) = self {
            return cut.digest();
        }
        let mut fields = Fields::new(self.store().name(), self.kind());
        self.content().context().digest(&mut fields);
        self.content().digest(&mut fields);
        self.content().context().digest_more(&mut fields);
        fields.finish()
    }

    /// Bytes that it takes in memory, about.
    #[must_use]
    pub fn size(&self) -> usize {
        self.with_overhead(self.content().content_len())
    }

    /// Bytes that it takes in the journal, at most: an oversize result counts as what is kept.
    #[must_use]
    pub fn stored_size(&self, limits: &Limits) -> usize {
        self.with_overhead(self.content().stored_len(limits))
    }

    fn with_overhead(&self, bytes: usize) -> usize {
        bytes + self.context().content_len() + self.records_max() * RECORD_OVERHEAD_BYTES
    }

    /// Checks a group that is to be one commit.
    ///
    /// # Errors
    /// Those of [`Command::validate`], `CrossStore`, `CommitTooLarge`; nothing is written.
    pub fn validate_group(commands: &[Self], limits: &Limits) -> Result<(), AppendError> {
        let (mut records, mut bytes) = (0_usize, 0_usize);
        for command in commands {
            command.validate(limits)?;
            if let Some(first) = commands.first().map(Self::store)
                && first != command.store()
            {
                let other = command.store();
                return Err(AppendError::CrossStore { first, other });
            }
            records = records.saturating_add(command.records_max());
            bytes = bytes.saturating_add(command.stored_size(limits));
        }
        if records > limits.commit_records_max || bytes > limits.commit_bytes_max {
            return Err(AppendError::CommitTooLarge {
                records: records as u64,
                records_max: limits.commit_records_max as u64,
                bytes: bytes as u64,
                bytes_max: limits.commit_bytes_max as u64,
            });
        }
        Ok(())
    }
}

/// As [`Command::content_digest`], of a holder's letting go: no caller sends it.
pub(crate) fn let_go_digest(execution: ExecutionId) -> Hash {
    Fields::new(Store::ExecutionLog.name(), "let_go")
        .bytes(execution.as_bytes())
        .finish()
}

/// As [`let_go_digest`], of the ledger's own word that nobody answered in time.
pub(crate) fn expired_digest(execution: ExecutionId) -> Hash {
    Fields::new(Store::ExecutionLog.name(), "expired")
        .bytes(execution.as_bytes())
        .finish()
}

/// A command that was too large to be kept whole: what is kept of it, with length and digest of the
/// rest. The ledger makes it before the command waits, and gives it back where nothing was written.
///
/// Sent again as it is, it stands for the whole: it has the same digest, and the same records come of
/// it. That holds for the opening that made it; another refuses it, and takes the whole.
///
/// Example: `tests/load/oversize.rs`.
#[derive(Debug)]
pub struct Cut {
    command: Box<Command>,
    whole: Whole,
    /// Which opening has redacted and cut it.
    opening: u64,
}

impl Cut {
    /// The command with the parts that are kept: no longer JSON where its result was cut.
    #[must_use]
    pub const fn command(&self) -> &Command {
        &self.command
    }

    pub(crate) const fn opening(&self) -> u64 {
        self.opening
    }

    pub(super) const fn digest(&self) -> Hash {
        self.whole.digest
    }
}

#[cfg(test)]
mod tests;

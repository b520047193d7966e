// SPDX-License-Identifier: Apache-2.0
//! Durable storage for what AI agents did: five stores over one append-only, hash-chained journal.
//!
//! An agent runtime wants to say later what came in, what was decided and on what grounds, what was
//! started, and how it ended — also after a crash in the middle. It asks a store to record a
//! *command*; the command is refused with an error that says *nothing was written*, or it becomes
//! one or more *events*, each a record in the journal. The answer comes after the sync: what was
//! acknowledged survives the process and the machine's power.
//!
//! * **Execution log** ([`ExecutionLog`]): decisions, starts, results. A start is durable *before*
//!   its effect, and held by a [`Running`]; what was started and let go of, or not finished when a process died,
//!   is *in doubt* until somebody says how it ended.
//! * **Audit log** ([`AuditLog`]): decisions, validations, executions and transitions are in it by
//!   construction — the same record belongs to both stores — and what components tell of.
//! * **Telemetry** ([`Telemetry`]): observations, recorded durably or emitted without waiting; what
//!   is lost is a durable gap record.
//! * **Configuration** ([`Configuration`]): versioned documents, each with author, reason, history.
//! * **Runtime metadata** ([`RuntimeMetadata`]): the runtime, its modules, its state machine, and
//!   the registry of capabilities, each disabled until enabled.
//!
//! Opening a ledger gives the one [`Root`], which grants components their [`Rights`]; handles carry
//! the [`Grant`] and cannot be had without. Records are read back with [`Reads`]. Current state is
//! kept in views ([`projections`]), which are made of the journal and can be deleted at any time.
//!
//! # Example
//!
//! ```
//! # #[cfg(feature = "engine")]
//! use femtoclaw_ledger::{Context, Decision, Ledger, Options, Quota, Request, Rights};
//! # #[cfg(feature = "engine")]
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let path = std::env::temp_dir().join(format!("agent-ledger-{}", std::process::id()));
//!     let (ledger, root) = Ledger::open(&path, Options::default()).await?;
//!     let grant = root.grant("runtime", Rights::all(), Quota::default()).await?;
//!     let in_force = ledger.in_force(); // decide by this: policy, capabilities
//!     let request = Request::new("message", Decision::Authorized, in_force.basis()) // by your gate
//!         .reason("a plain message is always allowed")
//!         .input(br#"{"message":{"content":"hello"}}"#)
//!         .arguments(br#"{"content":"hello"}"#);
//!     let running = ledger.execution_log(&grant)?.begin(request).await?.started()?;
//!     // Durable: the effect may happen now.
//!     println!("hello");
//!     let execution = running.execution();
//!     running.complete_json(Context::new(), "said").await?;
//!     let trace = ledger.reader(&grant)?.reconstruct(execution).await?;
//!     assert_eq!(trace.map(|trace| trace.steps.len()), Some(6)); // six records, in order
//!     root.close(std::time::Duration::from_secs(5)).await?;
//!     Ok(std::fs::remove_dir_all(path)?) // a real ledger stays
//! }
//! # #[cfg(not(feature = "engine"))]
//! # fn main() {}
//! ```
//!
//! `tests/embedding.rs` is a whole runtime in 200 lines: approval, a retry after a crash, SIGTERM. `examples/agent_runtime` is
//! one to run.
//!
//! # Rooms
//!
//! The root has what every embedder needs: the ledger, its handles, the common commands, ids, what is read, and the errors of the main
//! operations. The rest is in rooms:
//!
//! | room | what one comes for |
//! |---|---|
//! | [`execution_log`] | decisions in two steps, endings, what is in doubt, executions found |
//! | [`configuration`] | versions of documents, differences, rollback, validators |
//! | [`runtime_metadata`] | the runtime, its modules, its state machine, its capabilities |
//! | [`group`] | several commands as one commit |
//! | [`reading`] | filters, a live tail, the steps of one execution |
//! | [`projections`] | views: the built-in ones, and your own |
//! | [`redaction`] | what a redactor is given before anything is written |
//! | [`error`] | every error of an operation, its code and its retry |
//! | [`operation`], [`metrics`] | health, recovery, close, room on the disk; what is counted |
//! | [`checkpoint`], [`witness`] | signed checkpoints and their copies; witnesses of them |
//! | [`evidence`] | one execution's records with their proofs, for others |
//! | [`verify`], [`read_only`], [`salvage`] | checks of an open ledger; one that is only read; what verifies of a damaged one |
//! | [`events`], [`integrity`] | what can happen; digests, proofs and keys, for whoever verifies |
//! | [`journal`], [`directory`], [`clock`] | frames on the disk, the ledger's directory, time and randomness |
//!
//! # Features
//!
//! * `engine` (default): the ledger. Without it the crate is [`events`] and [`integrity`] alone, for whoever verifies what a
//!   ledger gave to others: no database, no actors, no runtime.
//! * `encrypted-keys`: key files with a passphrase ([`integrity::secret`]). `engine` brings it.
//! * `uuid`: ids from and to `uuid::Uuid`. Off by default.
//!
//! # What is trusted
//!
//! The hash chain finds local damage and names the first bad record. It is not a proof: whoever can
//! rewrite the whole journal can make a new chain, and nothing would notice unless something is kept
//! elsewhere: let the ledger sign checkpoints ([`checkpoint`]) and copy them there. With one,
//! anybody can check what it covers, with `femtoclaw-ledger verify` or with [`integrity`]. A grant protects against a confused component, not against hostile code
//! in the same process; the barrier against other programs is the operating system.
//!
//! # Runtime
//!
//! Futures run on the caller's tokio runtime, a current-thread one too; the journal is written by a
//! thread of the ledger's own. The library installs neither a metrics recorder nor a tracing
//! subscriber: see [`metrics`] for what it reports to the one that is there.
//!
//! What the bytes on disk mean is in `docs/FORMAT.md`, how to run it in `docs/OPERATING.md`, how it
//! is built in `ARCHITECTURE.md`.
//!
// Without the engine these names are not there: their links lead to the features.
#![cfg_attr(not(feature = "engine"), doc = include_str!("without_engine.md"))]

#[cfg(feature = "engine")]
mod access;
#[cfg(feature = "engine")]
mod actors;
#[cfg(feature = "engine")]
mod admission;
#[cfg(feature = "engine")]
mod callbacks;
#[cfg(feature = "engine")]
pub mod clock;
#[cfg(feature = "engine")]
mod commands;
#[cfg(feature = "engine")]
mod config;
#[cfg(feature = "engine")]
mod database;
#[cfg(feature = "engine")]
pub mod directory;
#[cfg(feature = "engine")]
pub mod error;
pub mod events;
pub mod integrity;
#[cfg(feature = "engine")]
pub mod journal;
#[cfg(feature = "engine")]
mod ledger;
#[cfg(feature = "engine")]
mod locks;
#[cfg(feature = "engine")]
pub mod metrics;
#[cfg(feature = "engine")]
mod pace;
#[cfg(feature = "engine")]
mod parse;
#[cfg(feature = "engine")]
pub mod projections;
#[cfg(feature = "engine")]
pub mod redaction;
#[cfg(feature = "engine")]
mod vitals;

// The kit of the integration tests, for the tests in here too. It knows the library by its name.
#[cfg(all(test, feature = "engine"))]
extern crate self as femtoclaw_ledger;
#[cfg(all(test, feature = "engine"))]
#[path = "../tests/shared/held.rs"]
mod held;

#[cfg(feature = "engine")]
pub use access::{Grant, Quota, Rights};
#[cfg(feature = "engine")]
pub use actors::InForce;
#[cfg(feature = "engine")]
pub use commands::{
    AuditEntry, Basis, CapabilityDefinition, Change, Context, Failure, Observation, Receipt,
    Request, Rollback,
};
#[cfg(feature = "engine")]
pub use config::Limits;
#[cfg(feature = "engine")]
pub use error::{AccessError, AppendError, CloseError, OpenError, ReadError, Retry};
pub use events::{
    AuditFamily, CommandId, ComponentId, Decision, Event, ExecutionId, Party, Record, Seq, Store,
    TelemetryKind, TraceId,
};
#[cfg(feature = "engine")]
pub use journal::Head;
#[cfg(feature = "engine")]
pub use ledger::{
    AuditLog, Begun, Configuration, ExecutionLog, Ledger, Options, Reads, Root, Running,
    RuntimeMetadata, Started, Telemetry,
};

/// Commands and answers of [`ExecutionLog`] beside the common: decisions in two steps, endings, statements about
/// what is in doubt, and what is found of executions.
#[doc = include_str!("rooms/execution_log.md")]
#[cfg(feature = "engine")]
pub mod execution_log {
    pub use crate::commands::{
        Approval, ApprovalAsked, ApprovalOutcome, ApprovalRefusal, ApprovalRequest, Approve,
        Authorization, ConfirmApproval, Denied, Duplicate, End, Ending, Finish, Imported,
        NotStarted, Permit, Recorded, RefuseApproval, Rejection, Resolve, ResolveInDoubt, Standing,
        Start, StartApproved, StartError,
    };
    pub use crate::config::KEPT_BYTES;
    pub use crate::events::{ParentId, Resolution};
    pub use crate::ledger::{Awaiting, AwaitingQuery, ExecutionQuery, FinishError};
    pub use crate::projections::{ExecutionEntry, ExecutionStatus, StatusCount};
}

/// Commands and answers of [`Configuration`]: versions of documents, their differences, who validates them.
#[doc = include_str!("rooms/configuration.md")]
#[cfg(feature = "engine")]
pub mod configuration {
    pub use crate::actors::DocumentInForce;
    pub use crate::commands::Changed;
    pub use crate::config::Validator;
    pub use crate::ledger::Watch;
    pub use crate::projections::{AsOf, DiffLine, DocumentVersion, VersionInfo};
}

/// Commands and answers of [`RuntimeMetadata`]: the runtime and its modules, its state machine, its capabilities.
#[doc = include_str!("rooms/runtime_metadata.md")]
#[cfg(feature = "engine")]
pub mod runtime_metadata {
    pub use crate::actors::RegistryInForce;
    pub use crate::commands::{
        ChangeCapability, Identify, RegisterCapability, RemoveModule, SavePosition, SetModule,
        SwitchCapability, Transition, UnregisterCapability,
    };
    pub use crate::config::BUILTIN_CAPABILITY;
    pub use crate::events::{RuntimeId, State};
    pub use crate::projections::{
        Capability, Module, RegistryState, Runtime, RuntimeState, SavedPosition,
    };
}

/// Several commands of one store as one commit: all of them or none.
#[doc = include_str!("rooms/group.md")]
#[cfg(feature = "engine")]
pub mod group {
    pub use crate::commands::{Command, Cut};
    pub use crate::ledger::{Answer, CommitError, Committed};
}

/// Answers of [`Reads`]: filtered records, a live tail, the steps of one execution.
#[doc = include_str!("rooms/reading.md")]
#[cfg(feature = "engine")]
pub mod reading {
    pub use crate::ledger::{Follow, Reconstruction, TraceStep};
    pub use crate::projections::{Filter, RecordOrder, SubscriptionError};
}

/// Signed checkpoints: when they are made, where they are copied, and how the key is changed.
#[doc = include_str!("rooms/checkpoint.md")]
#[cfg(feature = "engine")]
pub mod checkpoint {
    pub use crate::ledger::{
        CheckpointCommand, CheckpointDirectory, CheckpointError, CheckpointOptions, CopyStatus,
        Destination, KeyChange, TooMuchJunk,
    };
}

/// Witnesses of checkpoints: those that this ledger asks, and this ledger as one.
#[doc = include_str!("rooms/witness.md")]
#[cfg(feature = "engine")]
pub mod witness {
    pub use crate::ledger::{
        TransportAnswer, Witness, WitnessDestination, WitnessError, WitnessTransport,
    };
}

/// Evidence of one execution ([`Reads::evidence`]); its file and its checks are in [`integrity`].
#[doc = include_str!("rooms/evidence.md")]
#[cfg(feature = "engine")]
pub mod evidence {
    pub use crate::ledger::{EvidenceError, EvidenceOptions};
}

/// Checks of an open ledger ([`Ledger::verify`]) and of its files in the background.
#[doc = include_str!("rooms/verify.md")]
#[cfg(feature = "engine")]
pub mod verify {
    pub use crate::ledger::{Damaged, Scrubbed, Unread, Verified, VerifyOptions, VerifyProgress};
}

/// A ledger that is read without being opened ([`Ledger::open_read_only`]), also a damaged one.
#[doc = include_str!("rooms/read_only.md")]
#[cfg(feature = "engine")]
pub mod read_only {
    pub use crate::ledger::{
        CheckpointProblem, PartialTrace, ReadOnly, ReadOnlyOptions, ReadOnlyViews,
        RecordedCheckpoint, RefusedCheckpoint, SignedCheckpoints, Summary,
    };
}

/// The sound part of a damaged ledger, in a new one ([`Ledger::salvage`]).
#[doc = include_str!("rooms/salvage.md")]
#[cfg(feature = "engine")]
pub mod salvage {
    pub use crate::ledger::{SalvageOptions, SalvageProgress, Salvaged, SalvagedCheckpoint};
}

/// Running a ledger: what its opening found, how it is, how it was closed, and how much room its disk has.
#[doc = include_str!("rooms/operation.md")]
#[cfg(feature = "engine")]
pub mod operation {
    pub use crate::database::{Space, SystemSpace};
    pub use crate::ledger::{Closed, Health, Recovery};
}

#[cfg(all(doctest, feature = "engine"))]
#[doc = include_str!("../README.md")]
struct Readme;

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
//! use femtoclaw_ledger::{Context, Decision, Ledger, Options, Quota, Request, Rights};
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
//! ```
//!
//! `tests/embedding.rs` is a whole runtime in 200 lines: approval, a retry after a crash, SIGTERM. `examples/agent_runtime` is
//! one to run.
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
//! elsewhere: let the ledger sign checkpoints ([`CheckpointOptions`]) and copy them there. With one,
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
mod error;
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
mod parse;
#[cfg(feature = "engine")]
pub mod projections;
#[cfg(feature = "engine")]
mod redaction;
#[cfg(feature = "engine")]
mod vitals;

#[cfg(feature = "engine")]
pub use access::{Grant, Quota, Rights};
#[cfg(feature = "engine")]
pub use actors::{DocumentInForce, InForce, RegistryInForce};
#[cfg(feature = "engine")]
pub use commands::*;
#[cfg(feature = "engine")]
pub use config::{BUILTIN_CAPABILITY, KEPT_BYTES, Limits, Validator};
#[cfg(feature = "engine")]
pub use database::{Space, SystemSpace};
#[cfg(feature = "engine")]
pub use error::{
    AccessError, AppendError, Cause, CloseError, Fault, OpenError, ReadError, ReopenError, Retry,
    Right, SalvageError,
};
pub use events::{
    AuditFamily, CommandId, ComponentId, Decision, Event, EventType, ExecutionId, LedgerId,
    ParentId, Record, Resolution, RuntimeId, Seq, State, Store, TelemetryKind, TraceId,
};
#[cfg(feature = "engine")]
pub use journal::{Anchoring, Finding, FindingKind, Head};
#[cfg(feature = "engine")]
pub use ledger::{
    Answer, AuditLog, Begun, CheckpointCommand, CheckpointDirectory, CheckpointError,
    CheckpointOptions, CheckpointProblem, Closed, CommitError, Committed, Configuration,
    CopyStatus, Damaged, Destination, EvidenceError, EvidenceOptions, ExecutionLog, ExecutionQuery,
    FinishError, Follow, Health, KeyChange, Ledger, Options, PartialTrace, Progress, ReadOnly,
    ReadOnlyOptions, ReadOnlyViews, Reads, Reconstruction, RecordedCheckpoint, Recovery,
    RefusedCheckpoint, Root, Running, RuntimeMetadata, SalvageOptions, SalvageProgress, Salvaged,
    SalvagedCheckpoint, Scrubbed, SignedCheckpoints, Started, Summary, Telemetry, TooMuchJunk,
    TraceStep, Unread, Verified, VerifyOptions, Watch, Witness, WitnessDestination, WitnessError,
    WitnessTransport,
};
#[cfg(feature = "engine")]
pub use projections::{
    AsOf, Capability, DiffLine, DocumentVersion, ExecutionEntry, ExecutionStatus, Filter, Module,
    RegistryState, Runtime, RuntimeState, SavedPosition, SubscriptionError, VersionInfo,
};
#[cfg(feature = "engine")]
pub use redaction::{Field, FieldShape, Redaction};

#[cfg(all(doctest, feature = "engine"))]
#[doc = include_str!("../README.md")]
struct Readme;

//! Durable storage for what AI agents did.

mod access;
mod actors;
mod admission;
pub mod clock;
mod commands;
mod config;
mod database;
pub mod directory;
mod error;
pub mod events;
pub mod integrity;
pub mod journal;
mod ledger;
pub mod metrics;
pub mod projections;

pub use access::{Grant, Quota, Rights};
pub use actors::{Capability, InDoubt, Registry};
pub use commands::*;
pub use config::{BUILTIN_CAPABILITY, KEPT_BYTES, Limits, Validator};
pub use error::{AccessError, AppendError, CloseError, OpenError, ReadError, Retry, Right};
pub use journal::Head;
pub use ledger::{
    AuditLog, Closed, Configuration, ExecutionLog, Follow, Health, Ledger, Options, Reads,
    Reconstruction, Redaction, Root, RuntimeMetadata, Telemetry, TraceStep,
};

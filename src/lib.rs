//! Durable storage for what AI agents did.

#[allow(dead_code, reason = "the store actors that wrap these states use them")]
pub(crate) mod actors;
pub mod clock;
mod commands;
mod config;
mod error;
pub mod events;
pub mod integrity;
pub mod metrics;
pub mod projections;

pub use actors::{Capability, InDoubt, Registry};
pub use commands::*;
pub use config::{BUILTIN_CAPABILITY, KEPT_BYTES, Limits, Validator};
pub use error::{AccessError, AppendError, CloseError, ReadError, Retry, Right};

//! Who does it. So far the deciding parts: pure states, without actors, channels or I/O.

pub(crate) mod audit_log;
pub(crate) mod configuration;
pub(crate) mod entity;
pub(crate) mod execution_log;
pub(crate) mod runtime_metadata;
pub(crate) mod telemetry;

#[cfg(test)]
mod testing;

pub use execution_log::InDoubt;
pub use runtime_metadata::{Capability, Registry};

//! Durable storage for what AI agents did.

pub mod clock;
pub mod events;
pub mod integrity;
pub mod projections;

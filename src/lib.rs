//! Durable storage for what AI agents did.

pub mod clock;
mod database;
pub mod directory;
pub mod events;
pub mod integrity;
pub mod journal;

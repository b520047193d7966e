// SPDX-License-Identifier: Apache-2.0
//! How values read in serde's formats for people, such as JSON: the table in [`crate::events`]. A binary format, as on
//! disk, holds what it always held: `is_human_readable` decides.

pub(crate) mod bytes;
mod debug;
pub(crate) mod hex;
pub(crate) mod root;
pub(crate) mod time;
pub(crate) mod words;

pub(crate) use debug::{as_read, debug_as_read};

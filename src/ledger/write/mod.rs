// SPDX-License-Identifier: Apache-2.0
//! The write path: a command is checked, finds room on the disk, and is handed to its store.

pub(super) mod awaited_records;
pub(super) mod components;
pub(super) mod disk_reserve;
pub(super) mod emitting;
pub(super) mod foreign;
pub(super) mod lag;
pub(super) mod space_watch;
pub(super) mod submit;
pub(super) mod vouching;

#[cfg(test)]
mod tests;

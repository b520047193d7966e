// SPDX-License-Identifier: Apache-2.0
//! Reading executions.

use std::time::Duration;

use crate::events::ExecutionId;

use super::execution_status::ExecutionStatus;
use super::executions::{BY_STATUS, COUNT, ExecutionEntry, VERSION, entry_key, status_key};
use super::keys::{trailing_u64, unpack};
use super::{ReadError, View, ViewSnapshot};

/// Reads the executions view, at the view's position: wait for a newer one with
/// [`View::at_least`].
#[derive(Debug, Clone)]
pub struct ExecutionsView(View);

impl ExecutionsView {
    /// Reads `view`, the one named [`super::Executions::NAME`].
    #[must_use]
    pub const fn new(view: View) -> Self {
        Self(view)
    }

    /// The view itself.
    #[must_use]
    pub const fn view(&self) -> &View {
        &self.0
    }

    /// See [`View::serves`].
    pub(crate) async fn serves(&self, seq: u64, timeout: Duration) -> Result<u64, ReadError> {
        self.0.serves(VERSION, seq, timeout).await
    }

    fn read<R>(
        &self,
        read: impl FnOnce(&ViewSnapshot) -> Result<R, ReadError>,
    ) -> Result<R, ReadError> {
        self.0.read_version(Some(VERSION), read)
    }

    /// One execution; `None` where it is not known.
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn get(&self, execution: ExecutionId) -> Result<Option<ExecutionEntry>, ReadError> {
        self.read(|snapshot| load(snapshot, execution.as_bytes()))
    }

    /// Executions of this status, in the order of their first records, at most `limit`, from the
    /// first one after `after_seq` on (0: from the start; else the last one's `first_seq`).
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn by_status(
        &self,
        status: ExecutionStatus,
        after_seq: u64,
        limit: usize,
    ) -> Result<Vec<ExecutionEntry>, ReadError> {
        self.read(|snapshot| {
            let from = status_key(status, after_seq.saturating_add(1));
            let mut entries = Vec::new();
            for pair in snapshot.scan(&[BY_STATUS, status as u8], &from).take(limit) {
                let entry = load(snapshot, &pair?.1)?;
                entries.push(entry.ok_or_else(|| {
                    ReadError::Damaged("an execution has a status and no entry".into())
                })?);
            }
            Ok(entries)
        })
    }

    /// How many executions have each status, under one snapshot; statuses that none has are left
    /// out.
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn counts(&self) -> Result<Vec<(ExecutionStatus, u64)>, ReadError> {
        self.read(|snapshot| {
            let mut counts = Vec::new();
            for status in ExecutionStatus::ALL {
                let count = match snapshot.get(&[COUNT, status as u8])? {
                    Some(bytes) => trailing_u64(&bytes)?,
                    None => 0,
                };
                if count > 0 {
                    counts.push((status, count));
                }
            }
            Ok(counts)
        })
    }
}

fn load(snapshot: &ViewSnapshot, execution: &[u8]) -> Result<Option<ExecutionEntry>, ReadError> {
    match snapshot.get(&entry_key(execution))? {
        Some(bytes) => Ok(Some(unpack(&bytes)?)),
        None => Ok(None),
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Reading executions.

use crate::events::ExecutionId;

use super::execution_entry::ExecutionEntry;
use super::execution_filter::{ExecutionFilter, ExecutionOrder};
use super::execution_status::ExecutionStatus;
use super::executions::{COUNT, VERSION, entry_key, status_key, until_key};
use super::keys::trailing_u64;
use super::view::reader;
use super::{StatusCount, View, ViewError, ViewSnapshot};

/// Reads the executions view, at the view's position: wait for a newer one with
/// [`View::at_least`].
///
/// Example: `tests/projections/executions.rs`.
#[derive(Debug, Clone)]
pub struct ExecutionsView(View);

reader!(ExecutionsView, super::Executions, VERSION);

impl ExecutionsView {
    /// One execution; `None` where it is not known.
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn get(&self, execution: ExecutionId) -> Result<Option<ExecutionEntry>, ViewError> {
        self.read(|snapshot| load(snapshot, execution.as_bytes()))
    }

    /// Executions that fit, at most `limit`, from the end that `order` names. To go on, ask again with `after` or
    /// `before` set to the last one's `first_seq`. Reads every execution of the statuses asked for, until `limit` fit.
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn find(
        &self,
        filter: &ExecutionFilter,
        order: ExecutionOrder,
        limit: usize,
    ) -> Result<Vec<ExecutionEntry>, ViewError> {
        self.read(|snapshot| {
            let mut found = Vec::new();
            for status in filter.asked() {
                of_status(snapshot, status, filter, order, limit, &mut found)?;
            }
            found.sort_unstable_by_key(|entry| entry.first_seq);
            if order == ExecutionOrder::Newest {
                found.reverse();
            }
            found.truncate(limit);
            Ok(found)
        })
    }

    /// As [`ExecutionsView::find`], the oldest first, and of those that wait for persons or for their start after one only
    /// ([`ExecutionStatus::AwaitingApproval`], [`ExecutionStatus::Approved`]): those that may be approved and started
    /// least long come first.
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn soonest(
        &self,
        filter: &ExecutionFilter,
        limit: usize,
    ) -> Result<Vec<ExecutionEntry>, ViewError> {
        self.read(|snapshot| {
            let mut found = Vec::new();
            for status in filter.asked() {
                let full = found.len().saturating_add(limit);
                let from = until_key(status, i64::MIN, 0);
                let until = until_key(status, i64::MAX, u64::MAX);
                for pair in snapshot.range(&from, &until) {
                    if found.len() >= full {
                        break;
                    }
                    let entry = stored(snapshot, &pair?.1)?;
                    if filter.fits(&entry) && filter.begins(&entry) {
                        found.push(entry);
                    }
                }
            }
            found.sort_unstable_by_key(|entry| (entry.until_ns, entry.first_seq));
            found.truncate(limit);
            Ok(found)
        })
    }

    /// How many executions have each status, under one snapshot; statuses that none has are left
    /// out.
    ///
    /// # Errors
    /// As [`View::read`].
    pub fn counts(&self) -> Result<Vec<StatusCount>, ViewError> {
        self.read(|snapshot| {
            let mut counts = Vec::new();
            for status in ExecutionStatus::ALL {
                let executions = match snapshot.get(&[COUNT, status as u8])? {
                    Some(bytes) => trailing_u64(&bytes)?,
                    None => 0,
                };
                if executions > 0 {
                    counts.push(StatusCount { status, executions });
                }
            }
            Ok(counts)
        })
    }
}

/// Adds those of one status, at most `limit`.
fn of_status(
    snapshot: &ViewSnapshot,
    status: ExecutionStatus,
    filter: &ExecutionFilter,
    order: ExecutionOrder,
    limit: usize,
    found: &mut Vec<ExecutionEntry>,
) -> Result<(), ViewError> {
    let full = found.len().saturating_add(limit);
    let from = status_key(status, filter.after.saturating_add(1));
    let until = status_key(status, filter.before.unwrap_or(u64::MAX));
    let (mut oldest, mut newest) = match order {
        ExecutionOrder::Oldest => (Some(snapshot.range(&from, &until)), None),
        ExecutionOrder::Newest => (None, Some(snapshot.range_back(&from, &until))),
    };
    while found.len() < full {
        let pair = oldest.as_mut().and_then(Iterator::next);
        let Some(pair) = pair.or_else(|| newest.as_mut().and_then(Iterator::next)) else {
            break;
        };
        let entry = stored(snapshot, &pair?.1)?;
        if filter.fits(&entry) {
            found.push(entry);
        }
    }
    Ok(())
}

/// The entry of an execution that an index names.
fn stored(snapshot: &ViewSnapshot, execution: &[u8]) -> Result<ExecutionEntry, ViewError> {
    let missing = || ViewError::Damaged("an execution has a status and no entry".into());
    load(snapshot, execution)?.ok_or_else(missing)
}

fn load(snapshot: &ViewSnapshot, execution: &[u8]) -> Result<Option<ExecutionEntry>, ViewError> {
    snapshot.value(&entry_key(execution))
}

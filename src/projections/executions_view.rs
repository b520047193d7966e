// SPDX-License-Identifier: Apache-2.0
//! Reading executions.

use crate::events::ExecutionId;

use super::execution_entry::ExecutionEntry;
use super::execution_filter::{ExecutionFilter, ExecutionOrder};
use super::execution_status::ExecutionStatus;
use super::executions::{
    COUNTS, Counts, LISTED_BYTES, VERSION, entry_key, first_key, status_key, until_key,
};
use super::intersection::intersection;
use super::postings::{BLOCK, place};
use super::terms::{Term, status_term};
use super::view::reader;
use super::{Pair, StatusCount, View, ViewError, ViewSnapshot};

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
    /// `before` set to the last one's `first_seq`. Of those that have ended only some that fit are read, at most `limit` for each
    /// status asked for; of those that have not, all of the statuses asked for, until `limit` fit.
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
            let terms = filter.terms();
            let any = filter.statuses.is_empty();
            if any && terms.is_empty() {
                all(snapshot, filter, order, limit, &mut found)?;
                return Ok(found);
            }
            for status in filter.asked() {
                if !status.has_ended() {
                    of_status(snapshot, status, filter, order, limit, &mut found)?;
                } else if !any {
                    let terms = [&[status_term(status)], &*terms].concat();
                    ended(snapshot, &terms, filter, order, limit, &mut found)?;
                }
            }
            if any {
                ended(snapshot, &terms, filter, order, limit, &mut found)?;
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
            let counts: Counts = snapshot.value(&[COUNTS])?.unwrap_or_default();
            let counts = counts.into_iter().zip(ExecutionStatus::ALL);
            let counts = counts.map(|(executions, status)| StatusCount { status, executions });
            Ok(counts.filter(|count| count.executions > 0).collect())
        })
    }
}

/// Adds those of one status that goes on, at most `limit`.
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
    for pair in pairs(snapshot, &from, &until, order) {
        if found.len() >= full {
            break;
        }
        let entry = stored(snapshot, &pair?.1)?;
        if filter.fits(&entry) {
            found.push(entry);
        }
    }
    Ok(())
}

/// Adds those that have ended and that all these posting lists hold, at most `limit`.
fn ended(
    snapshot: &ViewSnapshot,
    terms: &[Term],
    filter: &ExecutionFilter,
    order: ExecutionOrder,
    limit: usize,
    found: &mut Vec<ExecutionEntry>,
) -> Result<(), ViewError> {
    let before = filter.before.unwrap_or(u64::MAX);
    let end = snapshot.position().min(before.saturating_sub(1));
    let seqs = filter.after.saturating_add(1)..=end;
    let firsts = intersection(snapshot, terms, seqs, order.into(), limit)?;
    let mut known: Option<(u64, Vec<u8>)> = None;
    for first in firsts {
        let (block, place) = place(first);
        let (of, listed) = match known.take().filter(|(of, _)| *of == block) {
            Some(known) => known,
            None => (block, snapshot.get(&first_key(block))?.unwrap_or_default()),
        };
        let places = listed.as_chunks::<LISTED_BYTES>().0;
        let named = places.iter().find(|[at, ..]| *at == place);
        let missing = || ViewError::Damaged("a posting list names no execution".into());
        let [_, id @ ..] = named.ok_or_else(missing)?;
        let entry = stored(snapshot, id)?;
        if !filter.fits(&entry) || entry.first_seq != first {
            let other = "a posting list names an execution that does not fit";
            return Err(ViewError::Damaged(other.into()));
        }
        found.push(entry);
        known = Some((of, listed));
    }
    Ok(())
}

/// Adds whatever there is, at most `limit`.
fn all(
    snapshot: &ViewSnapshot,
    filter: &ExecutionFilter,
    order: ExecutionOrder,
    limit: usize,
    found: &mut Vec<ExecutionEntry>,
) -> Result<(), ViewError> {
    let (first, _) = place(filter.after.saturating_add(1));
    let last = filter.before.unwrap_or(u64::MAX) / BLOCK;
    let until = first_key(last.saturating_add(1));
    for pair in pairs(snapshot, &first_key(first), &until, order) {
        let (_, mut listed) = pair?;
        let places = listed.as_chunks_mut::<LISTED_BYTES>().0;
        if order == ExecutionOrder::Newest {
            places.reverse();
        }
        for [_, id @ ..] in places {
            if found.len() >= limit {
                return Ok(());
            }
            let entry = stored(snapshot, id)?;
            if filter.begins(&entry) {
                found.push(entry);
            }
        }
    }
    Ok(())
}

/// Keys from `from` on and before `until`, from the end that is asked for.
fn pairs(
    snapshot: &ViewSnapshot,
    from: &[u8],
    until: &[u8],
    order: ExecutionOrder,
) -> Box<dyn Iterator<Item = Result<Pair, ViewError>>> {
    match order {
        ExecutionOrder::Oldest => Box::new(snapshot.range(from, until)),
        ExecutionOrder::Newest => Box::new(snapshot.range_back(from, until)),
    }
}

/// The entry of an execution that an index names.
fn stored(snapshot: &ViewSnapshot, execution: &[u8]) -> Result<ExecutionEntry, ViewError> {
    let missing = || ViewError::Damaged("an execution has a status and no entry".into());
    load(snapshot, execution)?.ok_or_else(missing)
}

fn load(snapshot: &ViewSnapshot, execution: &[u8]) -> Result<Option<ExecutionEntry>, ViewError> {
    snapshot.value(&entry_key(execution))
}

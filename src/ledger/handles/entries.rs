// SPDX-License-Identifier: Apache-2.0
//! What a handle's owner may see of the executions view.

use super::handle::{Handle, Wanted};
use crate::events::{Store, StoreMask};
use crate::projections::ExecutionEntry;

/// Names, states, versions, places and times of this store.
pub(super) const STANDING: Wanted = Wanted::Standing(Store::ExecutionLog);

/// Leaves an entry as whoever has this handle may see it: names of persons are content.
pub(super) fn shown(log: &Handle, entry: &mut ExecutionEntry) {
    let content = StoreMask::NONE.with(Store::ExecutionLog);
    if !log.grant.rights().read_payloads_mask().covers(content) {
        entry.on_behalf_of = None;
    }
}

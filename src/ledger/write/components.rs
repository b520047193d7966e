// SPDX-License-Identifier: Apache-2.0
//! Every component that was ever granted anything, and its number; rights that it asked for and has not.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::access::Component;
use crate::actors::ComponentNames;
use crate::error::AppendError;
use crate::events::ComponentId;
use crate::locks::whole;

/// The names stay for ever: they are in the journal, and numbers stand for them in every record.
/// Lock: grants and whoever asks for a name, for one entry; a grant makes its component under it, which calls
/// nothing.
pub(crate) struct Components(Mutex<KnownComponents>);

struct KnownComponents {
    names: ComponentNames,
    next: u32,
    /// Those that were granted something in this opening.
    live: HashMap<u32, Arc<Component>>,
}

impl Components {
    pub(in crate::ledger) fn new(names: ComponentNames) -> Self {
        // Once an opening, and never again: a new name costs no walk over all of them.
        let last = names.0.values().max().copied().unwrap_or(0);
        Self(Mutex::new(KnownComponents {
            names,
            next: last.saturating_add(1),
            live: HashMap::new(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, KnownComponents> {
        whole(self.0.lock())
    }

    /// Costs the same however many there are: a saved state is made of them while others are named.
    pub(in crate::ledger) fn all(&self) -> ComponentNames {
        self.lock().names.clone()
    }

    /// The component `name` and its number, the next one where it is new: at most `limit` of them. `new` makes one
    /// that was granted nothing yet in this opening.
    pub(in crate::ledger) fn named(
        &self,
        name: &str,
        limit: usize,
        new: impl FnOnce() -> Component,
    ) -> Result<(ComponentId, Arc<Component>), AppendError> {
        let known = &mut *self.lock();
        let number = match known.names.0.get(name) {
            Some(number) => *number,
            None if known.names.0.size() >= limit => {
                let limit = limit as u64;
                return Err(AppendError::TooManyComponents { limit });
            }
            None => {
                let number = known.next;
                known.next = number.saturating_add(1);
                known.names.0.insert_mut(name.into(), number);
                number
            }
        };
        let live = known.live.entry(number).or_insert_with(|| Arc::new(new()));
        Ok((ComponentId(number), Arc::clone(live)))
    }
}

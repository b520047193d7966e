//! Every component that was ever granted anything, and its number; rights that it asked for and has not.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::submit::Core;
use crate::access::{Component, GrantState};
use crate::actors::ComponentNames;
use crate::error::{AccessError, AppendError};
use crate::events::{ComponentId, Store};

/// The names stay for ever: they are in the journal, and numbers stand for them in every record.
pub(crate) struct Components(Mutex<Known>);

struct Known {
    names: ComponentNames,
    next: u32,
    /// Those that were granted something in this opening.
    live: HashMap<u32, Arc<Component>>,
}

impl Components {
    pub(super) fn new(names: ComponentNames) -> Self {
        // Once an opening, and never again: a new name costs no walk over all of them.
        let last = names.0.values().max().copied().unwrap_or(0);
        Self(Mutex::new(Known {
            names,
            next: last.saturating_add(1),
            live: HashMap::new(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn all(&self) -> ComponentNames {
        self.lock().names.clone()
    }
}

impl Core {
    /// The component `name` and its number, the next one where it is new.
    pub(super) fn component(
        &self,
        name: &str,
    ) -> Result<(ComponentId, Arc<Component>), AppendError> {
        let limit = self.shared.limits.components_max;
        let known = &mut *self.components.lock();
        let number = match known.names.0.get(name) {
            Some(number) => *number,
            None if known.names.0.len() >= limit => {
                let limit = limit as u64;
                return Err(AppendError::TooManyComponents { limit });
            }
            None => {
                let number = known.next;
                known.next = number.saturating_add(1);
                known.names.0.insert(name.to_owned(), number);
                number
            }
        };
        let live = known.live.entry(number).or_insert_with(|| {
            let clock = Arc::clone(&self.shared.clock);
            Arc::new(Component::new(name, self.gate.component_part(), clock))
        });
        Ok((ComponentId(number), Arc::clone(live)))
    }

    /// Having a checkpoint signed without the right: refused, counted and audited in the same way.
    pub(crate) fn may_sign(&self, grant: &GrantState) -> Result<(), AccessError> {
        let outcome = self.known(grant).and_then(|()| grant.may_sign());
        self.held("sign", grant, outcome)
    }

    /// As [`Core::may_read`], of the payloads of a store.
    pub(crate) fn may_read_payloads(
        &self,
        grant: &GrantState,
        store: Store,
    ) -> Result<(), AccessError> {
        let known = self.known(grant);
        let outcome = known.and_then(|()| grant.may_read_payloads(store));
        self.held("read", grant, outcome)
    }

    /// A component's own commands take its grant, and no right.
    pub(crate) fn may_look_up(&self, grant: &GrantState) -> Result<(), AccessError> {
        let outcome = self.known(grant).and_then(|()| grant.alive());
        self.held("look-up", grant, outcome)
    }

    /// A right that was asked for, and whether it is there.
    pub(super) fn held(
        &self,
        what: &str,
        grant: &GrantState,
        outcome: Result<(), AccessError>,
    ) -> Result<(), AccessError> {
        if let Err(error) = &outcome {
            let detail = || format!("{what}: {error}");
            let own = &self.shared.own;
            own.refused(grant.name(), error.code(), true, detail);
        }
        outcome
    }
}

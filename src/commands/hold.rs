// SPDX-License-Identifier: Apache-2.0
//! What holds an execution: dropping it lets go.

use std::sync::Arc;

use crate::events::{ComponentId, ExecutionId};

/// An execution that is held, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeldExecution {
    pub(crate) execution: ExecutionId,
    /// Who holds it.
    pub(crate) component: ComponentId,
    pub(crate) held: Held,
}

/// By what an execution is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// A permit: it is to be started.
    Permit,
    /// A running one: it is to be ended.
    Running,
}

/// Who is told that an execution was let go of.
pub(crate) trait Keeper: Send + Sync {
    /// In whatever thread that is: it may not block.
    fn let_go(&self, gone: HeldExecution);
}

/// Held by whoever is to start an execution, or to end it. Dropped, it lets go of the execution, at once and on the
/// record; [`Hold::release`] keeps that from happening.
pub(crate) struct Hold {
    keeper: Option<Arc<dyn Keeper>>,
    execution: HeldExecution,
}

impl Hold {
    pub(crate) const fn new(keeper: Arc<dyn Keeper>, execution: HeldExecution) -> Self {
        Self {
            keeper: Some(keeper),
            execution,
        }
    }

    /// The execution goes on without a holder.
    pub(crate) fn release(mut self) {
        self.keeper = None;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.take() {
            keeper.let_go(self.execution);
        }
    }
}

impl std::fmt::Debug for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hold")
    }
}

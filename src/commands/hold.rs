// SPDX-License-Identifier: Apache-2.0
//! What holds an execution: dropping it lets go.

/// Held by whoever is to start an execution, or to end it. Dropped, it lets go of the execution, at once and on the
/// record; [`Hold::release`] keeps that from happening.
pub(crate) struct Hold(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Hold {
    /// `let_go` runs where this is dropped, in whatever thread that is: it may not block.
    pub(crate) fn new(let_go: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(let_go)))
    }

    /// The execution goes on without a holder.
    pub(crate) fn release(mut self) {
        self.0 = None;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(let_go) = self.0.take() {
            let_go();
        }
    }
}

impl std::fmt::Debug for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hold")
    }
}

//! A store saves its state: the bytes go to whoever asked, their digest into the journal. The
//! record takes the same path as the store's events, so its place is the state's place.

use tokio::sync::oneshot;

use super::super::snapshot::Snapshot;
use super::{Deciding, StoreState, Taken};

/// A state as bytes.
pub(crate) struct Saved {
    state: u8,
    layout: u32,
    bytes: Vec<u8>,
}

impl Saved {
    pub(super) fn of<S: Snapshot>(state: &S, forgotten: u64) -> Self {
        Self {
            state: S::STATE,
            layout: S::LAYOUT,
            bytes: state.saved(forgotten),
        }
    }
}

impl<E: Deciding> StoreState<E> {
    pub(super) fn snapshot(&mut self, reply: oneshot::Sender<Taken>) {
        self.forget();
        if let Some(saved) = self.entity.saved(self.shared.past.windows_from()) {
            let Saved {
                state,
                layout,
                bytes,
            } = saved;
            self.shared.own.saved(state, layout, bytes, reply);
        }
    }
}

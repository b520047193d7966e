// SPDX-License-Identifier: Apache-2.0
//! A store saves its state: the bytes go to whoever asked, their digest into the journal. The
//! record takes the same path as the store's events, so its place is the state's place.

use tokio::sync::oneshot;

use super::super::snapshot::SavedState;
use super::message::Taken;
use super::state::{Deciding, StoreState};

impl<E: Deciding> StoreState<E> {
    pub(super) fn snapshot(&mut self, reply: oneshot::Sender<Taken>) {
        self.forget();
        if let Some(saved) = self.entity.saved(self.shared.past.windows_from()) {
            let SavedState {
                state,
                layout,
                bytes,
            } = saved;
            self.shared.self_records.saved(state, layout, bytes, reply);
        }
    }
}

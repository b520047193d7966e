// SPDX-License-Identifier: Apache-2.0
//! What a store writes without being asked by a command: nobody is answered.

use std::sync::Arc;

use super::super::claims::Place;
use super::super::draft::Draft;
use super::super::new_commit::{Sequenced, UnaskedCommit};
use super::super::sequencer::SequencerMsg;
use super::answers::send;
use super::{Deciding, Id, StoreState};
use crate::events::ComponentId;
use crate::journal::Sealed;

impl<E: Deciding> StoreState<E> {
    /// Applies these drafts and sends them on their way as one commit; `over` runs when that is durable, or never will
    /// be.
    pub(super) fn write_own(
        &mut self,
        drafts: Vec<Draft>,
        id: Id,
        component: ComponentId,
        over: impl FnOnce() + Send + 'static,
    ) -> Result<(), String> {
        for draft in &drafts {
            let applied = self.entity.apply(draft, component);
            applied.map_err(|error| error.to_string())?;
        }
        // What has ended stays in the window until its record is in the views.
        let place = Place::default();
        self.under_way
            .push_back((self.entity.mark(), Arc::clone(&place)));
        let told = Arc::clone(&self.shared);
        let deliver = move |outcome: Result<Sequenced, &Sealed>| {
            if let Ok(placed) = outcome {
                let _once = place.sequenced.set(placed).is_ok();
                told.durable.advance(E::STORE, None, &placed);
            }
            over();
        };
        let whose = (id.command, id.digest);
        let commit = UnaskedCommit::boxed(component, whose, drafts, deliver);
        send(&self.shared, SequencerMsg::Commit(commit))
    }
}

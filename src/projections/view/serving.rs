// SPDX-License-Identifier: Apache-2.0
//! Waiting for the serving generation alone: whoever reads their own writes does it at every read,
//! and is told at once where nothing serves.

use std::time::Duration;

use super::{View, ViewState, unavailable};
use crate::projections::ViewError;

impl View {
    /// As [`View::reached`], for readers of `version` alone; see [`View::read_version`].
    ///
    /// # Errors
    /// As [`View::reached`]; [`ViewError::Building`] at once while no generation of this version
    /// serves.
    pub(crate) async fn serves(
        &self,
        version: u32,
        seq: u64,
        timeout: Duration,
    ) -> Result<u64, ViewError> {
        let look = |state: &ViewState| look(state, version, seq);
        self.wait(seq, timeout, look).await
    }
}

fn look(state: &ViewState, version: u32, seq: u64) -> Option<Result<u64, ViewError>> {
    let serving = state.serving.as_ref();
    if serving.is_none_or(|serving| serving.version != version) {
        return Some(Err(unavailable(state)));
    }
    super::reached(state, seq)
}

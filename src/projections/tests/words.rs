// SPDX-License-Identifier: Apache-2.0
//! A view that says little.

use super::key;
use crate::events::{Event, Record, RecordHeader};
use crate::projections::{Projection, ProjectionError, ViewBatch};

/// Values that come, change and go again.
pub(super) struct Words(pub(super) &'static str);

impl Projection for Words {
    fn name(&self) -> &'static str {
        self.0
    }

    fn version(&self) -> u32 {
        1
    }

    fn wants(&self, _: &RecordHeader) -> bool {
        false
    }

    fn apply_header(
        &mut self,
        header: &RecordHeader,
        batch: &mut ViewBatch,
    ) -> Result<(), ProjectionError> {
        let seq = header.seq.get();
        let text = format!("{} of record {seq}", self.0);
        batch.put(&key("newest", seq % 23), text.clone().into_bytes());
        batch.put(&key("each", seq), text.into_bytes());
        if let Some(gone) = seq.checked_sub(5).filter(|gone| gone % 3 == 0) {
            batch.delete(&key("each", gone));
        }
        Ok(())
    }

    fn apply(&mut self, _: &Record, _: &Event, _: &mut ViewBatch) -> Result<(), ProjectionError> {
        Ok(())
    }
}

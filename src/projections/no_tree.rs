// SPDX-License-Identifier: Apache-2.0
//! In the tree's place, where what the tree costs is to be measured.

use crate::events::{Event, Record, RecordHeader};

use super::{Projection, ProjectionError, Tree, ViewBatch};

/// Reads every record and keeps nothing. Another version than the tree's: either is made anew where
/// the other was.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct NoTree;

impl Projection for NoTree {
    fn name(&self) -> &'static str {
        Tree::NAME
    }

    fn version(&self) -> u32 {
        u32::MAX
    }

    fn wants(&self, _: &RecordHeader) -> bool {
        false
    }

    fn apply(&mut self, _: &Record, _: &Event, _: &mut ViewBatch) -> Result<(), ProjectionError> {
        Ok(())
    }
}

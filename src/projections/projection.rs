// SPDX-License-Identifier: Apache-2.0
//! What folds events into a view.

use crate::events::{Event, Record, RecordHeader};

use super::batch::ViewBatch;
use super::error::ProjectionError;

/// Folds events into a view.
///
/// All state lives in the view itself, reached through the batch; a projection keeps none of its
/// own beyond a batch, so memory does not grow with history, and the same object can serve two
/// generations in turn. The same records must give the same keys and values however they are cut into batches.
pub trait Projection: Send + 'static {
    /// The view's name: 1 to 64 of `a-z`, `0-9` and `_`.
    fn name(&self) -> &'static str;

    /// Rises whenever the same records would give other keys or values; the view is then rebuilt
    /// while its old generation still serves.
    fn version(&self) -> u32;

    /// Whether [`Projection::apply`] is to be called for a record with this header. An event that
    /// no view wants is not decoded.
    fn wants(&self, _header: &RecordHeader) -> bool {
        true
    }

    /// Called before the first record of a batch: what is left of a batch that failed is forgotten.
    fn begin(&mut self) {}

    /// Takes what a header alone tells into the view. Called for every record, wanted or not, in
    /// order, once, and before [`Projection::apply`].
    ///
    /// # Errors
    /// As [`Projection::apply`].
    fn apply_header(
        &mut self,
        _header: &RecordHeader,
        _batch: &mut ViewBatch,
    ) -> Result<(), ProjectionError> {
        Ok(())
    }

    /// Takes one record into the view. Called for every wanted record, in order, once.
    ///
    /// # Errors
    /// [`ProjectionError`] halts this view and no other, and so do a panic and a change beyond the
    /// limits of [`ViewBatch`]. `Root::rebuild_view` starts it again.
    fn apply(
        &mut self,
        record: &Record,
        event: &Event,
        batch: &mut ViewBatch,
    ) -> Result<(), ProjectionError>;

    /// Called after the last record of a batch: what was held back, because the next record may change it
    /// again, goes into the view.
    ///
    /// # Errors
    /// As [`Projection::apply`].
    fn finish(&mut self, _batch: &mut ViewBatch) -> Result<(), ProjectionError> {
        Ok(())
    }
}

// SPDX-License-Identifier: Apache-2.0
//! What an opening has done before it needs a runtime.

use std::path::PathBuf;
use std::sync::Arc;

use crate::actors::FrameCounts;
use crate::callbacks::Callbacks;
use crate::clock::BelievedClock;
use crate::events::{LedgerId, SigningKeyChangedV1};
use crate::journal::{Journal, Reader, Writer};
use crate::projections::Views;

use super::checkpoints::Checkpoints;
use super::failure::FailureNote;
use super::foreign::Foreign;
use super::guarded::Guarded;
use super::options::Options;
use super::past::ViewPast;
use super::recovery::Recovery;
use super::replay::Replayed;
use super::views::ViewSet;

/// What can be done without a runtime, done.
pub(super) struct Opened {
    pub(super) ledger: LedgerId,
    pub(super) epoch: u64,
    pub(super) clock: Arc<BelievedClock>,
    pub(super) root: PathBuf,
    pub(super) guarded: Option<Arc<Guarded>>,
    pub(super) recovery: Option<Recovery>,
    pub(super) note: FailureNote,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) writer: Writer,
    pub(super) reader: Reader,
    pub(super) views: Views,
    pub(super) set: ViewSet,
    pub(super) checkpoints: Arc<Checkpoints>,
    /// Another key signs than before.
    pub(super) key_change: Option<SigningKeyChangedV1>,
    pub(super) foreign: Arc<Foreign>,
    pub(super) past: Arc<ViewPast>,
    /// How the last writer left it.
    pub(super) clean: bool,
    pub(super) replayed: Replayed,
    pub(super) counts: Arc<FrameCounts>,
    pub(super) started_ns: u64,
    pub(super) options: Options,
    pub(super) callbacks: Callbacks,
}

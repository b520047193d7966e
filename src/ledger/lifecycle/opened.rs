// SPDX-License-Identifier: Apache-2.0
//! What an opening has done before it needs a runtime.

use std::path::PathBuf;
use std::sync::Arc;

use crate::actors::{FrameCounts, Kinds};
use crate::callbacks::Callbacks;
use crate::clock::BelievedClock;
use crate::directory::SubjectKey;
use crate::events::{LedgerId, SigningKeyChangedV1};
use crate::journal::{Journal, Reader, Writer};
use crate::projections::Views;

use crate::ledger::attest::checkpoints::Checkpoints;
use crate::ledger::options::Options;
use crate::ledger::read::history_lookup::ViewPast;
use crate::ledger::read::views::ViewSet;
use crate::ledger::recover::failure_note::FailureNote;
use crate::ledger::recover::locked_journal::LockedJournal;
use crate::ledger::recover::recovery::Recovery;
use crate::ledger::recover::replay::Replayed;
use crate::ledger::write::foreign::Foreign;
use crate::ledger::write::vouching::Vouching;

/// What can be done without a runtime, done.
pub(in crate::ledger) struct Opened {
    pub(in crate::ledger) ledger: LedgerId,
    pub(in crate::ledger) epoch: u64,
    pub(in crate::ledger) clock: Arc<BelievedClock>,
    pub(in crate::ledger) root: PathBuf,
    pub(in crate::ledger) locked_journal: Option<Arc<LockedJournal>>,
    pub(in crate::ledger) recovery: Option<Recovery>,
    pub(in crate::ledger) note: FailureNote,
    pub(in crate::ledger) journal: Arc<dyn Journal>,
    pub(in crate::ledger) writer: Writer,
    pub(in crate::ledger) reader: Reader,
    pub(in crate::ledger) views: Views,
    pub(in crate::ledger) vouching: Vouching,
    pub(in crate::ledger) set: ViewSet,
    pub(in crate::ledger) checkpoints: Arc<Checkpoints>,
    /// Another key signs than before.
    pub(in crate::ledger) key_change: Option<SigningKeyChangedV1>,
    /// `None`: of a given journal, whose views lie elsewhere now.
    pub(in crate::ledger) subjects: Option<SubjectKey>,
    pub(in crate::ledger) foreign: Arc<Foreign>,
    pub(in crate::ledger) past: Arc<ViewPast>,
    /// How the last writer left it.
    pub(in crate::ledger) clean: bool,
    pub(in crate::ledger) replayed: Replayed,
    /// What kinds of events the journal holds.
    pub(in crate::ledger) kinds: Kinds,
    pub(in crate::ledger) counts: Arc<FrameCounts>,
    pub(in crate::ledger) started_ns: u64,
    pub(in crate::ledger) options: Options,
    pub(in crate::ledger) callbacks: Callbacks,
}

// SPDX-License-Identifier: Apache-2.0
//! The front door: open a ledger, grant components their rights, take handles, read, close.

mod attest;
mod background;
mod blocking;
mod handles;
mod inner;
mod lifecycle;
mod open_ledger;
mod operate;
mod options;
mod parts;
mod phase;
mod read;
mod recover;
mod rights;
mod root;
mod write;

pub use attest::checkpoints::{CheckpointError, CheckpointOptions, CopyStatus, KeyChange};
pub use attest::destination::{CheckpointCommand, CheckpointDirectory, Destination, TooMuchJunk};
pub use attest::evidence::{EvidenceError, EvidenceOptions};
pub use attest::witness::{Witness, WitnessError};
pub use attest::witness_destination::{TransportAnswer, WitnessDestination, WitnessTransport};
pub use handles::{
    Answer, AuditLog, Awaiting, AwaitingQuery, Begun, CommitError, Committed, Configuration,
    ExecutionLog, ExecutionQuery, FinishError, Running, RuntimeMetadata, Started, Telemetry, Watch,
};
pub use lifecycle::end::Closed;
pub use open_ledger::Ledger;
pub use operate::health::Health;
pub use operate::read_only::{
    CheckpointProblem, PartialTrace, ReadOnly, ReadOnlyOptions, ReadOnlyViews, RecordedCheckpoint,
    RefusedCheckpoint, SignedCheckpoints, Summary,
};
pub use operate::salvage::{SalvageOptions, SalvageProgress, Salvaged, SalvagedCheckpoint};
pub use operate::scrub::Scrubbed;
pub use operate::verify::{Damaged, Unread, Verified, VerifyOptions, VerifyProgress};
pub use options::Options;
pub use read::follow::Follow;
pub use read::reads::Reads;
pub use read::reconstruct::{Reconstruction, TraceStep};
pub use recover::recovery::Recovery;
pub use root::Root;

// SPDX-License-Identifier: Apache-2.0
//! The front door: open a ledger, grant components their rights, take handles, read, close.

mod background;
mod blocking;
mod checkpoints;
mod close;
mod components;
mod cosigned;
mod deadline;
mod destination;
mod dropped;
mod emitting;
mod end;
mod ending;
mod evidence;
mod export;
mod failure;
mod follow;
mod foreign;
mod guarded;
mod handles;
mod health;
mod inner;
mod kept;
mod online_check;
mod open;
mod open_ledger;
mod opened;
mod options;
mod parts;
mod past;
mod phase;
mod proofs;
mod read_only;
mod reads;
mod reconstruct;
mod recovery;
mod released;
mod reopen;
mod replay;
mod reserve;
mod rights;
mod root;
mod salvage;
mod scrub;
mod serve;
mod snapshots;
mod space_watch;
mod stopped;
mod submit;
mod verify;
mod view_waits;
mod views;
mod witness;
mod witnessed;
mod words;

pub use checkpoints::{CheckpointError, CheckpointOptions, CopyStatus, KeyChange};
pub use destination::{CheckpointCommand, CheckpointDirectory, Destination, TooMuchJunk};
pub use end::Closed;
pub use evidence::{EvidenceError, EvidenceOptions};
pub use follow::Follow;
pub use handles::{
    Answer, AuditLog, Begun, CommitError, Committed, Configuration, ExecutionLog, ExecutionQuery,
    FinishError, Running, RuntimeMetadata, Started, Telemetry, Watch,
};
pub use health::Health;
pub use open_ledger::Ledger;
pub use options::Options;
pub use read_only::{
    CheckpointProblem, PartialTrace, ReadOnly, ReadOnlyOptions, ReadOnlyViews, RecordedCheckpoint,
    RefusedCheckpoint, SignedCheckpoints, Summary,
};
pub use reads::Reads;
pub use reconstruct::{Reconstruction, TraceStep};
pub use recovery::Recovery;
pub use root::Root;
pub use salvage::{SalvageOptions, SalvageProgress, Salvaged, SalvagedCheckpoint};
pub use scrub::Scrubbed;
pub use verify::{Damaged, Progress, Unread, Verified, VerifyOptions};
pub use witness::{Witness, WitnessError};
pub use witnessed::{WitnessDestination, WitnessTransport};

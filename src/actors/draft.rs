// SPDX-License-Identifier: Apache-2.0
//! Events that a state has decided on, before they have a place in the journal; and what their command is answered with.

use crate::commands::{Context, Permit, Standing};
use crate::events::{
    Decision, Event, ExecutionId, Hash, Outcome, ParentId, State, Store, StoreMask, StreamId,
    SubjectId, TraceId, TransitionsRecordedV1,
};
use crate::integrity::digest;

/// Stream of the capability registry; its version is the registry version.
pub(crate) const REGISTRY_STREAM: StreamId = StreamId::from_bytes(*b"runtime/registry");
/// Stream of the runtime's identity, modules and state machine.
pub(crate) const RUNTIME_STREAM: StreamId = StreamId::from_bytes(*b"runtime/identity");

/// `TransitionsRecordedV1::machine` of the runtime.
pub(crate) const RUNTIME_MACHINE: u8 = 0;

/// `TransitionsRecordedV1::machine` of an execution.
pub(crate) const EXECUTION_MACHINE: u8 = 1;

/// An execution's stream bears its id.
pub(crate) const fn execution_stream(execution: ExecutionId) -> StreamId {
    StreamId::from_bytes(*execution.as_bytes())
}

/// A document's stream; its version is the document's.
pub(crate) fn document_stream(document: &str) -> StreamId {
    let hash = digest(format!("configuration:{document}").as_bytes());
    let first = hash.first_chunk::<16>().copied().unwrap_or_default();
    StreamId::from_bytes(first)
}

/// An event that a state has decided on; the sequencer adds place, time and hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) event: Event,
    /// Nil where there is none.
    pub(crate) stream: StreamId,
    /// 0 where there is no stream, and in that of the ledger itself.
    pub(crate) stream_version: u64,
    pub(crate) execution: ExecutionId,
    pub(crate) parent: ParentId,
    pub(crate) trace: TraceId,
    pub(crate) subject: SubjectId,
    pub(crate) outcome: Outcome,
    pub(crate) flags: u16,
    /// Stores besides those of the event's type.
    pub(crate) extra_stores: StoreMask,
}

impl Draft {
    /// An event of no stream and no execution, with neutral outcome.
    pub(crate) fn new(event: impl Into<Event>) -> Self {
        Self {
            event: event.into(),
            stream: StreamId::NIL,
            stream_version: 0,
            execution: ExecutionId::NIL,
            parent: ParentId::NIL,
            trace: TraceId::NIL,
            subject: SubjectId::NIL,
            outcome: Outcome::Neutral,
            flags: 0,
            extra_stores: StoreMask::NONE,
        }
    }

    pub(crate) fn context(mut self, context: &Context) -> Self {
        self.parent = context.parent_id().unwrap_or_default();
        self.trace = context.trace_id().unwrap_or_default();
        self.subject = context.subject_id();
        self
    }

    pub(crate) const fn stream(mut self, stream: StreamId, version: u64) -> Self {
        self.stream = stream;
        self.stream_version = version;
        self
    }

    pub(crate) const fn execution(mut self, execution: ExecutionId) -> Self {
        self.execution = execution;
        self
    }

    pub(crate) const fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    pub(crate) const fn flags(mut self, flags: u16) -> Self {
        self.flags |= flags;
        self
    }

    pub(crate) const fn also(mut self, store: Store) -> Self {
        self.extra_stores = self.extra_stores.with(store);
        self
    }

    /// The stores that its record belongs to.
    pub(crate) fn stores(&self) -> StoreMask {
        let of_type = self
            .event
            .event_type()
            .map_or(0, |kind| kind.stores().bits());
        StoreMask::from_bits(of_type | self.extra_stores.bits())
    }
}

/// One record for the whole path that a machine walked in one commit.
pub(crate) fn transitions(machine: u8, path: &[State]) -> Event {
    debug_assert!(
        path.iter()
            .zip(path.iter().skip(1))
            .all(|(from, to)| from.permits(*to)),
        "not a permitted path: {path:?}"
    );
    Event::TransitionsRecorded(TransitionsRecordedV1 {
        machine,
        path: path.iter().map(|state| state.code()).collect(),
    })
}

/// What a command is answered with beside its receipt, once durable.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The receipt alone.
    Receipt,
    /// Authorize, begin.
    Decided {
        execution: ExecutionId,
        decision: Decision,
        /// Only of an authorization that has not started yet.
        permit: Option<Permit>,
        started: bool,
    },
    /// Start, reject, finish, resolve, import; of an approval its refusal and confirmation, and the start.
    Execution(ExecutionId),
    /// Authorize, begin and start that had been committed before.
    Repeated {
        execution: ExecutionId,
        decision: Decision,
        /// Where the execution stands now.
        standing: Standing,
        /// The permit again, where it stands authorized.
        permit: Option<Permit>,
    },
    /// A request to persons, new or committed before.
    Asked {
        execution: ExecutionId,
        shown_digest: Hash,
        /// Where the execution stands now.
        standing: Standing,
    },
    /// A person's approval.
    Given {
        execution: ExecutionId,
        given: u32,
        needed: u32,
    },
    /// A person's approval that had been committed before.
    GivenBefore {
        execution: ExecutionId,
        /// Where the execution stands now.
        standing: Standing,
    },
    /// Change, rollback.
    Changed { version: u64 },
}

/// What a state decided: all of it is written in one commit, or none.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) drafts: Vec<Draft>,
    pub(crate) reply: Reply,
}

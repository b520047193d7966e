// SPDX-License-Identifier: Apache-2.0
//! The sequencer: gives every event its place in the one global order.
//!
//! It refuses nothing but what comes behind `LedgerClosed`, the last record of an epoch; whatever else can be refused
//! was refused before. It hands frames to the writer
//! one ahead: the next frame fills while the last one syncs. Answers travel through it in order,
//! those without records too, so that none overtakes what it depends on.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::kinds::{JournalKinds, ToldKinds};
use super::mailbox::{Address, Filled, Inbox};
use super::meters::Meters;
use crate::clock::{BelievedClock, Entropy};
use crate::config::FRAME_CONTENT_MAX;
use crate::events::{
    ClockAcceptedV1, ClockSkewedV1, CommandId, Event, EventType, LedgerId, Seq, StoreMask,
};
use crate::integrity::Chain;
use crate::journal::{
    FRAME_BYTES_MAX, FrameBuilder, Head, NewRecord, Sealed, Work, WriterAnswer, WriterHandle,
};
use crate::metrics::CLOCK_SKEWS;
use crate::vitals::{Vital, VitalPart};

/// A frame holds the largest commit, and what the sequencer says of the clock before it.
const _: () = assert!(FRAME_CONTENT_MAX + (1 << 16) <= FRAME_BYTES_MAX);

/// Messages handled before the runtime may turn to other tasks.
const AT_ONCE: usize = 32;

/// Where a commit came to stand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sequenced {
    pub(crate) first: Seq,
    pub(crate) last: Seq,
    pub(crate) time_ns: i64,
}

/// Delivers an answer after the sync of everything before it, or the reason why it can't.
pub(crate) type Deliver = Box<dyn FnOnce(Result<Sequenced, &Sealed>) + Send>;

/// As [`Deliver`]; `None` where there was nothing to do.
pub(crate) type DeliverSome = Box<dyn FnOnce(Result<Option<Sequenced>, &Sealed>) + Send>;

/// What reaches the sequencer.
pub(crate) enum SequencerMsg {
    /// The events of one command, all or nothing.
    Commit {
        records: Vec<NewRecord>,
        deliver: Deliver,
        span: tracing::Span,
    },
    /// An answer without records that must not overtake the commits before it.
    Answer(WriterAnswer),
    /// Looks whether a clock that is not believed was set right.
    Look,
    /// Believes the clock as it stands, where it is not believed.
    AcceptClock {
        reason: String,
        deliver: DeliverSome,
    },
}

/// The sequencer's address.
pub(crate) type SequencerRef = Address<SequencerMsg>;

pub(crate) struct Sequencer;

pub(crate) struct SequencerArgs {
    pub(crate) ledger: LedgerId,
    pub(crate) epoch: u64,
    pub(crate) head: Head,
    pub(crate) clock: Arc<BelievedClock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) writer: WriterHandle,
    pub(crate) meters: Arc<Meters>,
    pub(crate) kinds: Arc<JournalKinds>,
    pub(crate) frame_records: usize,
    pub(crate) frame_bytes: usize,
    /// A clock further ahead of the monotonic clock than this is recorded as skew.
    pub(crate) leap_ns: i64,
    /// One further ahead than this is not believed.
    pub(crate) ahead_ns: i64,
}

pub(crate) struct SequencerState {
    args: SequencerArgs,
    /// Goes with the actor, and with the runtime that drives it.
    _vital: Vital,
    inbox: Inbox<SequencerMsg>,
    chain: Chain,
    frame: FrameBuilder,
    answers: Vec<WriterAnswer>,
    /// Kinds that are in `args.kinds`.
    kinds: ToldKinds,
    time_ns: i64,
    /// What the clock said of the commit at hand, as a difference to `time_ns`.
    observed_difference_ns: i64,
    skewed: bool,
    /// A clock that is not believed has its record.
    told: bool,
    /// `LedgerClosed` has its place: nothing of this epoch comes behind it.
    closed: bool,
}

impl SequencerState {
    fn new(args: SequencerArgs, inbox: Inbox<SequencerMsg>) -> Self {
        Self {
            _vital: args.writer.vitals().start(VitalPart::Sequencer),
            frame: FrameBuilder::new(args.ledger, args.epoch, args.head),
            chain: Chain::default(),
            answers: Vec::new(),
            kinds: ToldKinds::default(),
            time_ns: args.head.time_ns,
            observed_difference_ns: 0,
            skewed: false,
            told: false,
            closed: false,
            args,
            inbox,
        }
    }

    /// The time of the next commit; records the start of an excursion of the clock.
    fn tick(&mut self) -> i64 {
        let observed = self.args.clock.observed_ns();
        let expected = self.args.clock.expected_ns();
        if self.is_doubtful(observed, expected) {
            self.time_ns = self.time_ns.max(expected);
            self.observed_difference_ns = observed.saturating_sub(self.time_ns);
            if !std::mem::replace(&mut self.told, true) {
                self.push_skew(observed, expected, ClockSkewedV1::DOUBTED);
            }
        } else if observed < self.time_ns {
            let floor = self.time_ns;
            self.observed_difference_ns = observed.saturating_sub(floor);
            if !std::mem::replace(&mut self.skewed, true) {
                self.push_skew(observed, floor, ClockSkewedV1::BEHIND);
            }
        } else if observed > expected.saturating_add(self.args.leap_ns) {
            self.time_ns = observed;
            self.observed_difference_ns = 0;
            self.push_skew(observed, expected, ClockSkewedV1::AHEAD);
            self.args.clock.believe(observed);
        } else {
            self.skewed = false;
            self.time_ns = observed;
            self.observed_difference_ns = 0;
        }
        self.args.clock.recorded(self.time_ns);
        self.time_ns
    }

    /// A clock that came back is believed again by itself.
    fn is_doubtful(&mut self, observed: i64, expected: i64) -> bool {
        let doubted = observed > expected.saturating_add(self.args.ahead_ns);
        if self.args.clock.doubt(doubted) && !doubted {
            self.told = false;
            tracing::warn!(observed, "the clock is believed again");
        }
        doubted
    }

    fn accept_clock(&mut self, reason: String, deliver: DeliverSome) {
        let (observed_ns, expected_ns) =
            (self.args.clock.observed_ns(), self.args.clock.expected_ns());
        if !self.is_doubtful(observed_ns, expected_ns) {
            let deliver = |outcome: Result<&Head, &Sealed>| deliver(outcome.map(|_| None));
            self.answers.push(Box::new(deliver));
            return;
        }
        tracing::warn!(observed_ns, expected_ns, reason, "the clock is accepted");
        self.args.clock.believe(observed_ns);
        self.told = false;
        let command = CommandId::from_bytes(self.args.entropy.bytes16());
        let event = ClockAcceptedV1 {
            observed_ns,
            expected_ns,
            reason,
        };
        let record = own_record(&event.into(), command);
        self.commit(vec![record], Box::new(|outcome| deliver(outcome.map(Some))));
    }

    fn push_skew(&mut self, observed_ns: i64, expected_ns: i64, direction: u8) {
        tracing::warn!(observed_ns, expected_ns, direction, "clock skew");
        let towards = match direction {
            ClockSkewedV1::BEHIND => "behind",
            ClockSkewedV1::AHEAD => "ahead",
            _ => "doubted",
        };
        CLOCK_SKEWS.counter(&[towards]).increment(1);
        let command = CommandId::from_bytes(self.args.entropy.bytes16());
        let event = ClockSkewedV1 {
            observed_ns,
            expected_ns,
            direction,
        };
        let record = own_record(&event.into(), command);
        self.push(record);
    }

    fn push(&mut self, mut record: NewRecord) -> Seq {
        // Salts are drawn here and not in the stores: in global order, or the same commands would
        // not give the same bytes.
        record.salt = self.args.entropy.bytes16();
        record.observed_difference_ns = self.observed_difference_ns;
        record.commitment = self.chain.payload_commitment(&record.salt, &record.payload);
        let seq = self.frame.push(&record, self.time_ns);
        if self.kinds.is_first(&record, seq) {
            self.args.kinds.sequenced(&record, seq);
        }
        seq
    }

    fn sequence(&mut self, message: SequencerMsg) {
        match message {
            SequencerMsg::Commit {
                records,
                deliver,
                span,
            } => span.in_scope(|| self.commit(records, deliver)),
            SequencerMsg::Answer(answer) => self.answers.push(answer),
            SequencerMsg::Look => {
                let (observed, expected) =
                    (self.args.clock.observed_ns(), self.args.clock.expected_ns());
                self.is_doubtful(observed, expected);
            }
            SequencerMsg::AcceptClock { reason, deliver } => self.accept_clock(reason, deliver),
        }
    }

    fn commit(&mut self, records: Vec<NewRecord>, deliver: Deliver) {
        if self.closed {
            return self.answers.push(Box::new(move |_| {
                deliver(Err(&Sealed {
                    cause: "the ledger is closed".into(),
                    outcome_unknown: false,
                    uncertain: None,
                }));
            }));
        }
        let closes = |record: &NewRecord| record.event_type == EventType::LedgerClosed;
        self.closed = records.iter().any(closes);
        let bytes: usize = records
            .iter()
            .map(|record| record.payload.len() + 256)
            .sum();
        let full = self.frame.records() + records.len() > self.args.frame_records
            || self.frame.bytes() + bytes > self.args.frame_bytes;
        if full && self.frame.records() > 0 {
            self.hand_over();
        }
        let time_ns = self.tick();
        let stores: Vec<StoreMask> = records.iter().map(|record| record.stores).collect();
        let mut placed = records.into_iter().map(|record| self.push(record));
        let Some(first) = placed.next() else { return };
        let last = placed.last().unwrap_or(first);
        let sequenced = Sequenced {
            first,
            last,
            time_ns,
        };
        let meters = Arc::clone(&self.args.meters);
        self.answers.push(Box::new(move |outcome| {
            if outcome.is_ok() {
                meters.committed(&stores);
            }
            deliver(outcome.map(|_| sequenced));
        }));
    }

    fn hand_over(&mut self) {
        let frame = (self.frame.records() > 0).then(|| self.frame.take());
        let room = Vec::with_capacity(self.answers.len());
        let answers = std::mem::replace(&mut self.answers, room);
        self.args.writer.submit(Work { frame, answers });
    }
}

/// A record that the ledger writes of itself: no stream, no execution, a commit of its own.
pub(crate) fn own_record(event: &Event, command: CommandId) -> NewRecord {
    NewRecord {
        command,
        ..NewRecord::of(event)
    }
}

impl Actor for Sequencer {
    type Msg = Filled;
    type State = SequencerState;
    type Arguments = (SequencerArgs, Inbox<SequencerMsg>);

    async fn pre_start(
        &self,
        _myself: ActorRef<Filled>,
        (args, inbox): Self::Arguments,
    ) -> Result<SequencerState, ActorProcessingErr> {
        Ok(SequencerState::new(args, inbox))
    }

    async fn handle(
        &self,
        _myself: ActorRef<Filled>,
        Filled: Filled,
        state: &mut SequencerState,
    ) -> Result<(), ActorProcessingErr> {
        for (message, number) in state.inbox.take().into_iter().zip(1_usize..) {
            state.sequence(message);
            // The runtime's other tasks run in between; nobody else touches this state.
            if number % AT_ONCE == 0 {
                tokio::task::yield_now().await;
            }
        }
        if (state.frame.records() > 0 || !state.answers.is_empty()) && state.args.writer.is_idle() {
            state.hand_over();
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<Filled>,
        state: &mut SequencerState,
    ) -> Result<(), ActorProcessingErr> {
        state.hand_over();
        Ok(())
    }
}

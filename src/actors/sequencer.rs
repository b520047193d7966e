// SPDX-License-Identifier: Apache-2.0
//! The sequencer: gives every event its place in the one global order.
//!
//! It refuses nothing but what comes behind `LedgerClosed`, the last record of an epoch; whatever else can be refused
//! was refused before. It hands frames to the writer
//! one ahead: the next frame fills while the last one syncs. Answers travel through it in order,
//! those without records too, so that none overtakes what it depends on.

use std::ops::Range;
use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::draft::Draft;
use super::kinds::{JournalKinds, ToldKinds};
use super::mailbox::{Address, Filled, Inbox};
use super::meters::{CommitTally, Meters};
use super::new_commit::{
    CommitBehindClose, NewCommit, PlaceInCommit, Sequenced, UnaskedCommit, commands,
};
use crate::clock::{BelievedClock, Entropy};
use crate::config::FRAME_CONTENT_MAX;
use crate::events::{
    ALGORITHM_BLAKE3, CODEC_BINCODE, ClockAcceptedV1, ClockSkewedV1, CommandId, ComponentId,
    EventType, LedgerId, RecordHeader, Seq,
};
use crate::integrity::Chain;
use crate::journal::{
    FRAME_BYTES_MAX, FrameBuilder, Head, Sealed, Work, WriterAnswer, WriterHandle,
};
use crate::metrics::CLOCK_SKEWS;
use crate::vitals::{Vital, VitalPart};

/// A frame holds the largest commit, and what the sequencer says of the clock before it.
const _: () = assert!(FRAME_CONTENT_MAX + (1 << 16) <= FRAME_BYTES_MAX);

/// Messages handled before the runtime may turn to other tasks.
const AT_ONCE: usize = 32;

/// Room that is kept for encoded payloads: one huge commit must not be paid for for ever.
const ENCODED_KEPT: usize = 1 << 20;

/// Delivers an answer after the sync of everything before it, or the reason why it can't; `None` where there was nothing
/// to do.
pub(crate) type DeliverSome = Box<dyn FnOnce(Result<Option<Sequenced>, &Sealed>) + Send>;

/// What reaches the sequencer.
pub(crate) enum SequencerMsg {
    /// The events of one command, all or nothing.
    Commit(Box<dyn NewCommit>),
    /// An answer without records that must not overtake the commits before it.
    Answer(Box<dyn WriterAnswer>),
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
    answers: Vec<Box<dyn WriterAnswer>>,
    /// The commits of the frame.
    tally: CommitTally,
    /// The payloads of the commit at hand, one behind the other, and where each ends.
    encoded: Vec<u8>,
    ends: Vec<usize>,
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
            tally: CommitTally::default(),
            encoded: Vec::new(),
            ends: Vec::new(),
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
            let deliver = move |outcome: Result<&Head, &Sealed>| deliver(outcome.map(|_| None));
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
        let deliver = move |outcome: Result<_, &Sealed>| deliver(outcome.map(Some));
        self.commit(UnaskedCommit::own(Draft::new(event), command, deliver));
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
        let draft = Draft::new(event);
        // Behind the payloads of the commit at hand, for which the clock was asked.
        let start = self.encoded.len();
        draft.event.encode_into(&mut self.encoded);
        let place = PlaceInCommit {
            component: ComponentId::LEDGER,
            command,
            digest: [0; 32],
            index: 0,
            length: 1,
        };
        self.push(&draft, &place, start..self.encoded.len());
    }

    /// `payload` is where it lies in what is encoded.
    fn push(&mut self, draft: &Draft, place: &PlaceInCommit, payload: Range<usize>) -> Seq {
        // Salts are drawn here and not in the stores: in global order, or the same commands would
        // not give the same bytes.
        let salt = self.args.entropy.bytes16();
        let payload = self.encoded.get(payload).unwrap_or_default();
        let header = RecordHeader {
            event_type: draft.event.event_type().unwrap_or_default(),
            revision: draft.event.revision(),
            flags: draft.flags,
            codec: CODEC_BINCODE,
            algorithm: ALGORITHM_BLAKE3,
            outcome: draft.outcome,
            stores: draft.stores(),
            seq: self.frame.head().next_seq(),
            time_ns: self.time_ns,
            stream: draft.stream,
            stream_version: draft.stream_version,
            execution: draft.execution,
            parent: draft.parent,
            trace: draft.trace,
            command: place.command,
            command_digest: place.digest,
            commit_index: place.index,
            commit_len: place.length,
            component: place.component,
            // What does not fit lies in a frame that is refused as too large.
            payload_len: u32::try_from(payload.len()).unwrap_or(u32::MAX),
            payload_commitment: self.chain.payload_commitment(&salt, payload),
            subject: draft.subject,
            observed_difference_ns: self.observed_difference_ns,
            data_key: 0,
        };
        if self.kinds.is_first(&header) {
            let (kind, revision) = (header.event_type, header.revision);
            self.args.kinds.sequenced(kind, revision, header.seq);
        }
        self.frame.add(&header, &salt, payload)
    }

    fn sequence(&mut self, message: SequencerMsg) {
        match message {
            SequencerMsg::Commit(commit) => {
                let span = commit.span();
                span.in_scope(|| self.commit(commit));
            }
            SequencerMsg::Answer(answer) => self.answers.push(answer),
            SequencerMsg::Look => {
                let (observed, expected) =
                    (self.args.clock.observed_ns(), self.args.clock.expected_ns());
                self.is_doubtful(observed, expected);
            }
            SequencerMsg::AcceptClock { reason, deliver } => self.accept_clock(reason, deliver),
        }
    }

    /// Encodes the payloads of all its records, one behind the other; whether one of them closes.
    fn encode(&mut self, commit: &dyn NewCommit) -> bool {
        self.encoded.clear();
        self.encoded.shrink_to(ENCODED_KEPT);
        self.ends.clear();
        let mut closes = false;
        for events in commands(commit) {
            for draft in events.drafts {
                draft.event.encode_into(&mut self.encoded);
                self.ends.push(self.encoded.len());
                closes |= draft.event.event_type() == Some(EventType::LedgerClosed);
            }
        }
        closes
    }

    fn commit(&mut self, mut commit: Box<dyn NewCommit>) {
        if self.closed {
            return self.answers.push(Box::new(CommitBehindClose(commit)));
        }
        self.closed = self.encode(&*commit);
        let records = self.ends.len();
        let bytes = self.encoded.len() + records * 256;
        let full = self.frame.records() + records > self.args.frame_records
            || self.frame.bytes() + bytes > self.args.frame_bytes;
        if full && self.frame.records() > 0 {
            self.hand_over();
        }
        let time_ns = self.tick();
        let Some((first, last)) = self.place(&*commit, records) else {
            return;
        };
        commit.placed(Sequenced {
            first,
            last,
            time_ns,
        });
        self.answers.push(commit);
    }

    /// Gives each record its place; `None` where there is none.
    fn place(&mut self, commit: &dyn NewCommit, records: usize) -> Option<(Seq, Seq)> {
        let mut place = PlaceInCommit {
            component: commit.component(),
            command: CommandId::NIL,
            digest: [0; 32],
            index: 0,
            length: u16::try_from(records).unwrap_or(u16::MAX),
        };
        let (mut start, mut number) = (0, 0);
        let mut placed: Option<(Seq, Seq)> = None;
        for events in commands(commit) {
            (place.command, place.digest) = (events.command, events.digest);
            for draft in events.drafts {
                let end = self.ends.get(number).copied().unwrap_or(start);
                let seq = self.push(draft, &place, start..end);
                self.tally.record(draft.stores());
                placed = Some((placed.map_or(seq, |(first, _)| first), seq));
                (start, number) = (end, number + 1);
                place.index = place.index.saturating_add(1);
            }
        }
        self.tally.commit(placed.is_some());
        placed
    }

    fn hand_over(&mut self) {
        let frame = (self.frame.records() > 0).then(|| self.frame.take());
        let room = Vec::with_capacity(self.answers.len());
        let mut answers = std::mem::replace(&mut self.answers, room);
        if let Some(counted) = self.tally.take(&self.args.meters) {
            // Who is answered finds itself counted.
            answers.insert(0, Box::new(counted));
        }
        self.args.writer.submit(Work { frame, answers });
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
        let mut messages = state.inbox.take();
        for (message, number) in messages.drain(..).zip(1_usize..) {
            state.sequence(message);
            // The runtime's other tasks run in between; nobody else touches this state.
            if number % AT_ONCE == 0 {
                tokio::task::yield_now().await;
            }
        }
        state.inbox.give_back(messages);
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

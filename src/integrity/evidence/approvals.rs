// SPDX-License-Identifier: Apache-2.0
//! Whether what persons said of an execution is what its decision rests on.
//!
//! [`super::stream`] says which records may follow which. This holds their payloads against each other, as far as the
//! bundle has them: who answered was asked, about what was shown, once, in time; as many as must approve are on the
//! record, and the decision names them and no others. What was withheld is believed to fit.

use super::{Bundle, StreamReader};
use crate::events::{
    ApprovalConfirmedV1, ApprovalGivenV1, ApprovalNamedV1, ApprovalRefusedV1, ApprovalRequestedV1,
    AuthorizationDecidedV2, Decision, Event, EventType, Hash, LeftCause, Party, RecordHeader, Seq,
};
use crate::integrity::digest;

/// A ledger decides before it gives a record its place and its time, so a record may be later than its decision was made:
/// by less than this.
const DECIDED_BEFORE_NS: i64 = 60_000_000_000;

/// What persons are recorded to have said is not what it should be.
///
/// Example: [`Bundle::verify`](crate::integrity::evidence::Bundle::verify).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApprovalProblem {
    /// It is about something else than they were shown, or what they were shown is not what the request's digest names.
    #[error("it is about something else than was shown")]
    OtherShown,
    /// By somebody who was not asked.
    #[error("it is of somebody who was not asked")]
    NotAsked,
    /// By somebody who had approved.
    #[error("it is of somebody who has approved already")]
    Twice,
    /// Later than the request allows.
    #[error("it came after the time that was given for it")]
    Late,
    /// It expired before its time was over.
    #[error("it expired before its time was over")]
    Early,
    /// It counts approvals that are not there, or leaves some out.
    #[error("it counts {said} of {needed} approvals, and {given} are on the record")]
    Count {
        /// As it says.
        said: u32,
        /// How many must.
        needed: u32,
        /// As there are.
        given: u32,
    },
    /// The decision says nothing of persons that were asked, or names an approval and nobody was asked.
    #[error("the decision names an approval and nobody was asked, or the other way round")]
    Unfounded,
    /// The decision names another request, rule or number of approvers.
    #[error("the decision names another request than there is")]
    OtherRequest,
    /// The decision names others than those who answered.
    #[error("the decision names others than those who answered")]
    OtherApprovers,
    /// Fewer approved than must.
    #[error("it is authorized with {given} of {needed} approvals")]
    TooFew {
        /// How many approved.
        given: u32,
        /// How many must.
        needed: u32,
    },
    /// The decision is about something else than persons were asked, or the request's arguments are not those that its
    /// digest names.
    #[error("the decision is about something else than persons were asked")]
    OtherMatter,
    /// The decision rests on other versions than persons were asked about, and nobody confirmed it on these.
    #[error("the decision rests on other versions than were asked about or confirmed")]
    OtherGrounds,
    /// Nobody started it in time, it says, and nobody had approved it.
    #[error("it was not approved, so nobody had to start it in time")]
    NotApproved,
}

/// Policy and versions that something rests on.
#[derive(PartialEq, Eq)]
struct Grounds(String, Hash, u64, u64);

/// What was said so far.
#[derive(Default)]
struct Inquiry {
    /// Its place in the stream.
    version: u64,
    /// `None`: withheld.
    request: Option<ApprovalRequestedV1>,
    /// As asked or confirmed last; `None`: withheld.
    grounds: Option<Grounds>,
    /// Who approved, in order; `None`: withheld for one of them.
    approvers: Option<Vec<Party>>,
    /// Who refused; of [`InquiryEnd::Refused`] `None` where it was withheld.
    answered: InquiryEnd,
}

#[derive(Default)]
enum InquiryEnd {
    #[default]
    No,
    Expired,
    Refused(Option<Party>),
}

/// Holds an execution's own records against each other.
///
/// # Errors
/// The record that does not fit, and why.
pub(super) fn check(bundle: &Bundle) -> Result<(), (Seq, ApprovalProblem)> {
    let mut asked: Option<Inquiry> = None;
    let own = |header: &RecordHeader| StreamReader::is_of(bundle.execution, header);
    for item in bundle.items.iter().filter(|item| own(&item.header)) {
        let header = &item.header;
        let event = item.content.as_ref().and_then(|content| {
            let event = header.event(&content.payload).ok();
            event.filter(|event| *event != Event::Opaque)
        });
        let checked = match (&mut asked, header.event_type) {
            (None, EventType::ApprovalRequested) => {
                let request = Inquiry::by(header, event);
                let digests = request.digests();
                asked = Some(request);
                digests
            }
            (None, _) => unasked(event.as_ref()),
            (Some(asked), kind) => asked.next(header, kind, event),
        };
        checked.map_err(|problem| (header.seq, problem))?;
    }
    Ok(())
}

/// Where nobody was asked nothing rests on an answer.
fn unasked(event: Option<&Event>) -> Result<(), ApprovalProblem> {
    match event {
        Some(Event::AuthorizationDecided(e)) if e.approval.is_some() => {
            Err(ApprovalProblem::Unfounded)
        }
        Some(Event::ExecutionAbandoned(e)) if e.cause == LeftCause::Expired.code() => {
            Err(ApprovalProblem::NotApproved)
        }
        _ => Ok(()),
    }
}

impl Inquiry {
    fn by(header: &RecordHeader, event: Option<Event>) -> Self {
        let request = match event {
            Some(Event::ApprovalRequested(request)) => Some(request),
            _ => None,
        };
        let grounds = request.as_ref().map(|it| {
            let (policy, digest) = (it.policy_version.clone(), it.policy_digest);
            Grounds(
                policy,
                digest,
                it.configuration_version,
                it.registry_version,
            )
        });
        Self {
            version: header.stream_version,
            request,
            grounds,
            approvers: Some(Vec::new()),
            answered: InquiryEnd::No,
        }
    }

    /// Whether the request shows what its digests name.
    fn digests(&self) -> Result<(), ApprovalProblem> {
        match &self.request {
            Some(request) if request.shown_digest != digest(&request.shown) => {
                Err(ApprovalProblem::OtherShown)
            }
            Some(request) if request.arguments_digest != digest(&request.arguments) => {
                Err(ApprovalProblem::OtherMatter)
            }
            _ => Ok(()),
        }
    }

    /// The next record of the stream.
    fn next(
        &mut self,
        header: &RecordHeader,
        kind: EventType,
        event: Option<Event>,
    ) -> Result<(), ApprovalProblem> {
        match event {
            Some(Event::ApprovalGiven(event)) => self.given(header, event),
            Some(Event::ApprovalRefused(event)) => self.refused(header, event),
            Some(Event::ApprovalConfirmed(event)) => {
                self.confirmed(Some(event));
                Ok(())
            }
            Some(Event::ApprovalExpired(event)) => {
                self.answered = InquiryEnd::Expired;
                self.in_time(header, true)?;
                self.counted(event.given, event.needed)
            }
            Some(Event::AuthorizationDecided(event)) => self.decided(&event),
            Some(_) => Ok(()),
            // Withheld: what it would have told is not known any more.
            None => {
                match kind {
                    EventType::ApprovalGiven => self.approvers = None,
                    EventType::ApprovalRefused => self.answered = InquiryEnd::Refused(None),
                    EventType::ApprovalExpired => self.answered = InquiryEnd::Expired,
                    EventType::ApprovalConfirmed => self.confirmed(None),
                    _ => {}
                }
                Ok(())
            }
        }
    }

    fn given(
        &mut self,
        header: &RecordHeader,
        event: ApprovalGivenV1,
    ) -> Result<(), ApprovalProblem> {
        self.answers(header, &event.approver, &event.role, &event.shown_digest)?;
        if let Some(approvers) = &mut self.approvers {
            if approvers.contains(&event.approver) {
                return Err(ApprovalProblem::Twice);
            }
            approvers.push(event.approver);
        }
        self.counted(event.given, event.needed)
    }

    fn refused(
        &mut self,
        header: &RecordHeader,
        event: ApprovalRefusedV1,
    ) -> Result<(), ApprovalProblem> {
        self.answers(header, &event.approver, &event.role, &event.shown_digest)?;
        self.answered = InquiryEnd::Refused(Some(event.approver));
        Ok(())
    }

    /// Approvals that were given before do not count any more.
    fn confirmed(&mut self, event: Option<ApprovalConfirmedV1>) {
        self.approvers = Some(Vec::new());
        self.grounds = event.map(|it| {
            let (configuration, registry) = (it.configuration_version, it.registry_version);
            Grounds(it.policy_version, it.policy_digest, configuration, registry)
        });
    }

    /// Whether an answer is of one who was asked, about what was shown, in time.
    fn answers(
        &self,
        header: &RecordHeader,
        who: &Party,
        role: &String,
        shown: &Hash,
    ) -> Result<(), ApprovalProblem> {
        let Some(request) = &self.request else {
            return Ok(());
        };
        if !request.asked.contains(who) && !request.asked_roles.contains(role) {
            return Err(ApprovalProblem::NotAsked);
        }
        if *shown != request.shown_digest {
            return Err(ApprovalProblem::OtherShown);
        }
        self.in_time(header, false)
    }

    fn in_time(&self, header: &RecordHeader, is_over: bool) -> Result<(), ApprovalProblem> {
        let until_ns = self.request.as_ref().map(|request| request.until_ns);
        match (until_ns, is_over) {
            (Some(until), true) if header.time_ns < until => Err(ApprovalProblem::Early),
            (Some(until), false) if header.time_ns > until.saturating_add(DECIDED_BEFORE_NS) => {
                Err(ApprovalProblem::Late)
            }
            _ => Ok(()),
        }
    }

    fn counted(&self, said: u32, needed: u32) -> Result<(), ApprovalProblem> {
        let given = self.approvers.as_ref().map(|it| number(it.len()));
        let must = self.request.as_ref().map(|it| it.approvers_needed);
        if given.is_some_and(|it| it != said) || must.is_some_and(|it| it != needed) {
            return Err(ApprovalProblem::Count {
                said,
                needed,
                given: given.unwrap_or(said),
            });
        }
        Ok(())
    }

    fn decided(&self, event: &AuthorizationDecidedV2) -> Result<(), ApprovalProblem> {
        let named = event.approval.as_ref().ok_or(ApprovalProblem::Unfounded)?;
        self.named(named)?;
        if let Some(request) = &self.request {
            let same = request.capability == event.capability
                // They stand in the request; the decision has their digest.
                && (event.arguments.is_empty() || request.arguments == event.arguments)
                && request.arguments_digest == event.arguments_digest
                && request.on_behalf_of == event.on_behalf_of;
            if !same {
                return Err(ApprovalProblem::OtherMatter);
            }
        }
        if event.decision != Decision::Authorized.code() {
            return Ok(());
        }
        let given = number(named.approvers.len());
        if given < named.needed {
            return Err(ApprovalProblem::TooFew {
                given,
                needed: named.needed,
            });
        }
        let (policy, digest) = (event.policy_version.clone(), event.policy_digest);
        let (configuration, registry) = (event.configuration_version, event.registry_version);
        let grounds = Grounds(policy, digest, configuration, registry);
        match &self.grounds {
            Some(asked) if *asked != grounds => Err(ApprovalProblem::OtherGrounds),
            _ => Ok(()),
        }
    }

    /// Whether a decision names this request and those who answered.
    fn named(&self, named: &ApprovalNamedV1) -> Result<(), ApprovalProblem> {
        let other = |request: &ApprovalRequestedV1| {
            (request.rule.as_str(), request.approvers_needed) != (named.rule.as_str(), named.needed)
        };
        if named.request_version != self.version || self.request.as_ref().is_some_and(other) {
            return Err(ApprovalProblem::OtherRequest);
        }
        let same_approvers = self
            .approvers
            .as_ref()
            .is_none_or(|it| *it == named.approvers);
        let same_refusal = match &self.answered {
            InquiryEnd::Refused(None) => named.refused_by.is_some(),
            InquiryEnd::Refused(who) => named.refused_by == *who,
            InquiryEnd::No | InquiryEnd::Expired => named.refused_by.is_none(),
        };
        match same_approvers && same_refusal {
            true => Ok(()),
            false => Err(ApprovalProblem::OtherApprovers),
        }
    }
}

/// So many, or more than anybody counts.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

// SPDX-License-Identifier: Apache-2.0
//! PagePersons in a page: on whose behalf it was done, who was asked, who allowed or refused it.
//!
//! What records tell by their types alone is told also where their payloads were withheld.

use super::super::{Bundle, Closing, Stream, StreamReader};
use super::components::Names;
use crate::events::{
    ApprovalRequestedV1, ComponentId, Event, EventType, Outcome, Party, SubjectId,
};

/// Of an identity so many characters stand in a line.
const IDENTITY_CHARS: usize = 100;
/// Of several persons so many stand in a line.
const PERSONS_SHOWN: usize = 16;

/// Who was asked, and what of it is known.
pub(super) struct PageInquiry {
    /// Who asked.
    by: ComponentId,
    pub(super) request: Option<ApprovalRequestedV1>,
    /// Who approved what is in force, each as far as it is known.
    approvers: Vec<Option<Party>>,
    answer: PageAnswer,
    /// Whether it was started, cancelled or let go of afterwards is the stream's to tell.
    is_approved: bool,
}

enum PageAnswer {
    Open,
    Expired,
    Refused(Option<Party>),
}

/// The persons of an execution.
pub(super) struct PagePersons {
    /// From the principal to whoever acts; empty where nobody is named or that was withheld.
    on_behalf_of: Vec<Party>,
    pub(super) subject: SubjectId,
    pub(super) asked: Option<PageInquiry>,
}

impl PagePersons {
    pub(super) fn of(bundle: &Bundle) -> Self {
        let mut persons = Self {
            on_behalf_of: Vec::new(),
            subject: SubjectId::NIL,
            asked: None,
        };
        let own = |header| StreamReader::is_of(bundle.execution, header);
        for item in bundle.items.iter().filter(|item| own(&item.header)) {
            let header = &item.header;
            let content = item.content.as_ref();
            let event = content.and_then(|content| header.event(&content.payload).ok());
            if persons.subject == SubjectId::NIL {
                persons.subject = header.subject;
            }
            if let Some(Event::AuthorizationDecided(e)) = &event {
                persons.on_behalf_of.clone_from(&e.on_behalf_of);
            }
            match &mut persons.asked {
                None if header.event_type == EventType::ApprovalRequested => {
                    let request = match event {
                        Some(Event::ApprovalRequested(request)) => Some(request),
                        _ => None,
                    };
                    if let Some(request) = &request {
                        persons.on_behalf_of.clone_from(&request.on_behalf_of);
                    }
                    persons.asked = Some(PageInquiry {
                        by: header.component,
                        request,
                        approvers: Vec::new(),
                        answer: PageAnswer::Open,
                        is_approved: false,
                    });
                }
                None => {}
                Some(asked) => asked.next(header.event_type, header.outcome, event),
            }
        }
        persons
    }

    /// Whether the page names any.
    pub(super) fn is_anybody_named(&self) -> bool {
        self.asked.is_some() || !self.on_behalf_of.is_empty()
    }

    /// On whose behalf, in a line; `None` where nobody is named.
    pub(super) fn behalf(&self) -> Option<String> {
        behalf(&self.on_behalf_of)
    }

    /// Who asked persons and for whom, and what these said; `None` where none were asked.
    pub(super) fn told(&self, names: &Names) -> Option<String> {
        let asked = self.asked.as_ref()?;
        let behalf = self.behalf();
        let behalf = behalf.map_or_else(String::new, |who| format!(" on behalf of {who}"));
        let (by, (said, who)) = (names.called(asked.by), asked.said());
        let comma = if said.ends_with("by") { "" } else { "," };
        Some(format!("asked for by {by}{behalf}; {said}{comma} {who}"))
    }
}

impl PageInquiry {
    fn next(&mut self, kind: EventType, outcome: Outcome, event: Option<Event>) {
        match (kind, event) {
            (EventType::ApprovalGiven, Some(Event::ApprovalGiven(e))) => {
                self.approvers.push(Some(e.approver));
            }
            (EventType::ApprovalGiven, _) => self.approvers.push(None),
            (EventType::ApprovalRefused, Some(Event::ApprovalRefused(e))) => {
                self.answer = PageAnswer::Refused(Some(e.approver));
            }
            (EventType::ApprovalRefused, _) => self.answer = PageAnswer::Refused(None),
            (EventType::ApprovalExpired, _) => self.answer = PageAnswer::Expired,
            // Those who approved before must do so again.
            (EventType::ApprovalConfirmed, _) => self.approvers.clear(),
            (EventType::AuthorizationDecided, _) => self.is_approved = outcome == Outcome::Success,
            _ => {}
        }
    }

    /// What persons said: what it is called, and who or how far.
    pub(super) fn said(&self) -> (&'static str, String) {
        let given = self.approvers.len();
        let so_far = match &self.request {
            Some(request) => format!("{given} of {} approvals given", request.approvers_needed),
            None => format!("{given} approvals given"),
        };
        match &self.answer {
            PageAnswer::Refused(who) => ("refused by", some(std::slice::from_ref(who))),
            PageAnswer::Expired => ("not allowed in time", so_far),
            PageAnswer::Open if self.is_approved => ("allowed by", some(&self.approvers)),
            PageAnswer::Open => ("not decided on", so_far),
        }
    }
}

/// How an execution ended that persons were asked about, where that is told in other words than of others.
pub(super) fn ending(persons: &PagePersons, stream: Stream) -> Option<&'static str> {
    let asked = persons.asked.as_ref()?;
    let Stream::Complete { closed_by, .. } = stream else {
        return (!asked.is_approved).then_some("waited for persons when the checkpoint was signed");
    };
    match (closed_by, &asked.answer) {
        (Closing::Denied, PageAnswer::Refused(_)) => Some("denied; nothing was executed"),
        (Closing::Denied, _) => Some("denied, because its time was over; nothing was executed"),
        (Closing::Abandoned, _) => Some("not started in time; nothing was executed"),
        (Closing::Cancelled, _) if !asked.is_approved => {
            Some("cancelled before persons had decided; nothing was executed")
        }
        _ => None,
    }
}

/// An identity as it stands in a line: in quotes that it cannot end, so that no name imitates the words around it.
pub(super) fn identity(party: &Party) -> String {
    format!("{} of {}", quoted(&party.id), quoted(&party.issuer))
}

fn quoted(text: &str) -> String {
    match text.char_indices().nth(IDENTITY_CHARS) {
        Some((at, _)) => format!("{:?}…", text.get(..at).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

/// From the principal to whoever acts; `None` where nobody is named.
pub(super) fn behalf(chain: &[Party]) -> Option<String> {
    let shown = chain.get(..PERSONS_SHOWN).unwrap_or(chain);
    (!shown.is_empty()).then(|| told(shown, |names| names.join(", through ")))
}

/// Who may answer, in a line.
pub(super) fn may_answer(parties: &[Party], roles: &[String]) -> String {
    let known: Vec<_> = parties.iter().cloned().map(Some).collect();
    let mut all = Vec::new();
    if !known.is_empty() {
        all.push(some(&known));
    }
    let shown = roles.iter().take(PERSONS_SHOWN);
    all.extend(shown.map(|role| format!("whoever has the role {}", quoted(role))));
    all.join(", or ")
}

/// Several identities in a line.
pub(super) fn list(parties: &[Party]) -> String {
    let known: Vec<_> = parties.iter().cloned().map(Some).collect();
    some(&known)
}

fn some(parties: &[Option<Party>]) -> String {
    let known: Vec<_> = parties.iter().flatten().cloned().collect();
    let shown = known.get(..PERSONS_SHOWN).unwrap_or(&known);
    let mut rest = Vec::new();
    if known.len() > shown.len() {
        rest.push(format!("{} more", known.len() - shown.len()));
    }
    match parties.len() - known.len() {
        0 => {}
        1 => rest.push("a person whose name was withheld".to_owned()),
        count => rest.push(format!("{count} persons whose names were withheld")),
    }
    match shown {
        [] if rest.is_empty() => "nobody".to_owned(),
        [] => and(&rest),
        _ => {
            rest.insert(0, told(shown, and));
            rest.join(" and ")
        }
    }
}

/// Identities in a line: who vouches for all of them is said once.
fn told(parties: &[Party], together: impl Fn(&[String]) -> String) -> String {
    let issuer = parties.first().map(|party| &party.issuer);
    match issuer {
        Some(issuer) if parties.iter().all(|party| party.issuer == *issuer) => {
            let ids: Vec<_> = parties.iter().map(|party| quoted(&party.id)).collect();
            format!("{} of {}", together(&ids), quoted(issuer))
        }
        _ => together(&parties.iter().map(identity).collect::<Vec<_>>()),
    }
}

fn and(all: &[String]) -> String {
    match all.split_last() {
        Some((last, before @ [_, ..])) => format!("{} and {last}", before.join(", ")),
        _ => all.concat(),
    }
}

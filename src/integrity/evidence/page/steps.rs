// SPDX-License-Identifier: Apache-2.0
//! The steps of an execution, each as its record tells it.

use std::fmt::Write;

use base16ct::HexDisplay;

use super::super::Item;
use super::components::Names;
use super::people;
use super::text::Sheet;
use crate::events::{
    ApprovalNamedV1, AuditFamily, AuthorizationDecidedV2, Decision, Event, EventType,
    ExecutionAbandonedV1, ExecutionInDoubtV1, Hash, LeftCause, Outcome, Party, RecordHeader,
    Resolution, State, SubjectId, TelemetryKind, flags,
};
use crate::integrity::text::rfc3339;

/// Rows `name`, `value` of one step.
struct Rows<'a>(&'a mut Sheet);

impl Rows<'_> {
    fn row(&mut self, name: &str, value: impl FnOnce(&mut Sheet)) {
        let _ = write!(self.0.html, "<dt>{name}</dt><dd>");
        value(self.0);
        self.0.html.push_str("</dd>\n");
    }

    fn text(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.row(name, |sheet| sheet.text(value));
        }
    }

    fn bytes(&mut self, name: &str, value: &[u8]) {
        self.row(name, |sheet| sheet.block(value));
    }

    fn digest(&mut self, name: &str, value: &Hash) {
        self.row(name, |sheet| {
            let _ = write!(sheet.html, "<code>{:x}</code>", HexDisplay(value));
        });
    }

    /// A payload that may have been cut: how long the whole was.
    fn kept(&mut self, name: &str, value: &[u8], whole: u64, digest: &Hash) {
        self.bytes(name, value);
        if whole != value.len() as u64 {
            self.text("kept", &format!("{} of {whole} bytes", value.len()));
            self.digest("digest of the whole (BLAKE3)", digest);
        }
    }

    fn maybe(&mut self, name: &str, value: Option<String>) {
        if let Some(value) = value {
            self.text(name, &value);
        }
    }

    fn answer(&mut self, who: &Party, role: &str, authenticated: &str, reason: &str) {
        self.text("who", &people::identity(who));
        self.text("role", role);
        self.text("authenticated by", authenticated);
        self.text("reason", reason);
    }

    fn versions(&mut self, configuration: u64, registry: u64) {
        let text = format!("configuration {configuration}, registry {registry}");
        self.text("versions in force", &text);
    }
}

/// What a step is called in the list of steps.
fn title(event_type: EventType) -> &'static str {
    match event_type {
        EventType::ProtocolValidated => "Input received and validated",
        EventType::AuthorizationDecided => "Authorization decided",
        EventType::ExecutionStarted => "Execution started",
        EventType::ExecutionCompleted => "Execution completed",
        EventType::ExecutionFailed => "Execution failed",
        EventType::ExecutionCancelled => "Execution cancelled",
        EventType::ExecutionResolved => "Doubt resolved",
        EventType::ExecutionInDoubt => "Left in doubt",
        EventType::ExecutionAbandoned => "Abandoned before its start",
        EventType::ApprovalRequested => "Persons asked to approve",
        EventType::ApprovalGiven => "Approved by a person",
        EventType::ApprovalRefused => "Refused by a person",
        EventType::ApprovalExpired => "Not approved in time",
        EventType::ApprovalConfirmed => "Confirmed on what is in force now",
        EventType::TransitionsRecorded => "States passed",
        EventType::AuditRecorded => "Audit event",
        EventType::TelemetryRecorded => "Observation",
        other => other.name(),
    }
}

/// Appends one step of an execution that is about `subject`.
pub(super) fn step(item: &Item, names: &Names, subject: SubjectId, sheet: &mut Sheet) {
    let header = &item.header;
    let outcome = header.outcome.name();
    let _ = write!(
        sheet.html,
        "<li class=\"{outcome}\">\n<h3>{}",
        title(header.event_type)
    );
    if header.outcome != Outcome::Neutral {
        let _ = write!(sheet.html, " <span class=\"outcome\">{outcome}</span>");
    }
    let _ = write!(
        sheet.html,
        "</h3>\n<p class=\"place\"><time>{}</time> · record {} · ",
        rfc3339(header.time_ns.into()),
        header.seq,
    );
    if header.stream_version > 0 {
        let _ = write!(sheet.html, "version {} · ", header.stream_version);
    }
    names.show(header.component, sheet);
    let _ = write!(sheet.html, " · {}</p>\n<dl>\n", header.event_type);
    let mut rows = Rows(sheet);
    flagged(header, subject, &mut rows);
    match &item.content {
        None => rows.row("payload", |sheet| {
            let said = "<i>withheld; the header commits to it</i>";
            sheet.html.push_str(said);
        }),
        Some(content) => match header.event(&content.payload) {
            Ok(event) => event_rows(&event, &content.payload, &mut rows),
            Err(_) => rows.bytes("payload that does not decode", &content.payload),
        },
    }
    sheet.html.push_str("</dl>\n</li>\n");
}

fn flagged(header: &RecordHeader, subject: SubjectId, rows: &mut Rows<'_>) {
    if header.has(flags::AFTER_THE_FACT) {
        rows.text(
            "note",
            "recorded after the fact: no start was durable before the effect",
        );
    }
    if header.has(flags::TRUNCATED) {
        rows.text("note", "something was too long and is kept in part");
    }
    // Of the execution it is said once, above.
    if header.subject != subject {
        rows.text("about (pseudonym)", &header.subject.to_string());
    }
    if header.observed_difference_ns != 0 {
        let said = i128::from(header.time_ns) + i128::from(header.observed_difference_ns);
        rows.text("what the clock said", &rfc3339(said));
    }
    if header.data_key != 0 {
        rows.text("data key", &header.data_key.to_string());
    }
}

fn event_rows(event: &Event, payload: &[u8], rows: &mut Rows<'_>) {
    match event {
        Event::ProtocolValidated(e) => {
            let verdict = if e.accepted {
                "accepted"
            } else {
                "not accepted"
            };
            rows.text("protocol", verdict);
            rows.text("problem", &e.problem);
            rows.kept("input", &e.input, e.input_len, &e.input_digest);
        }
        Event::AuthorizationDecided(e) => decided_rows(e, rows),
        Event::ExecutionStarted(e) => {
            rows.text("capability", &e.capability);
            rows.digest("arguments digest (BLAKE3)", &e.arguments_digest);
            rows.versions(e.configuration_version, e.registry_version);
        }
        Event::ExecutionCompleted(e) => {
            rows.kept("result", &e.result, e.result_len, &e.result_digest);
        }
        Event::ExecutionFailed(e) => {
            rows.text("code", &e.code);
            rows.text("message", &e.message);
            rows.kept("result", &e.result, e.result_len, &e.result_digest);
        }
        Event::ExecutionCancelled(e) => rows.text("reason", &e.reason),
        Event::ExecutionResolved(e) => {
            let verdict = match Resolution::from_code(e.resolution) {
                Some(Resolution::Completed) => "it had completed",
                Some(Resolution::Failed) => "it had failed",
                Some(Resolution::Cancelled) => "it had been cancelled",
                Some(Resolution::Lost) => "nobody can know",
                None => "unknown",
            };
            rows.text("statement", verdict);
            rows.text("reason", &e.reason);
            rows.kept("result", &e.result, e.result_len, &e.result_digest);
        }
        Event::ExecutionInDoubt(ExecutionInDoubtV1 { cause })
        | Event::ExecutionAbandoned(ExecutionAbandonedV1 { cause }) => {
            let cause = match LeftCause::from_code(*cause) {
                Some(LeftCause::Dropped) => "its handle was dropped",
                Some(LeftCause::Expired) => "nobody started it in time",
                None => "unknown",
            };
            rows.text("cause", cause);
        }
        Event::TransitionsRecorded(e) => {
            let name = |code: &u8| State::from_code(*code).map_or("UNKNOWN", State::name);
            let path: Vec<_> = e.path.iter().take(64).map(name).collect();
            rows.text("path", &path.join(" → "));
        }
        other => approval_rows(other, payload, rows),
    }
}

fn decided_rows(e: &AuthorizationDecidedV2, rows: &mut Rows<'_>) {
    let decision = Decision::from_code(e.decision).map_or("unknown", Decision::name);
    rows.text("decision", decision);
    rows.text("reason", &e.reason);
    rows.text("capability", &e.capability);
    match &e.approval {
        Some(_) if e.arguments.is_empty() => {
            rows.text("arguments", "those that persons were asked about");
        }
        _ => rows.bytes("arguments", &e.arguments),
    }
    rows.text("policy", &e.policy_version);
    if e.policy_digest != [0; 32] {
        rows.digest("policy digest", &e.policy_digest);
    }
    rows.versions(e.configuration_version, e.registry_version);
    rows.maybe("on behalf of", people::behalf(&e.on_behalf_of));
    if let Some(approval) = &e.approval {
        named_rows(approval, rows);
    }
}

/// What persons were asked, and what they said.
fn approval_rows(event: &Event, payload: &[u8], rows: &mut Rows<'_>) {
    match event {
        Event::ApprovalRequested(e) => {
            rows.text("capability", &e.capability);
            rows.maybe("on behalf of", people::behalf(&e.on_behalf_of));
            rows.text(
                "who may answer",
                &people::may_answer(&e.asked, &e.asked_roles),
            );
            rows.text("approvals needed", &e.approvers_needed.to_string());
            rows.text("rule", &e.rule);
            rows.text("reason", &e.reason);
            rows.text("until", &rfc3339(e.until_ns.into()));
            rows.bytes("what they are shown", &e.shown);
            rows.digest("digest of it (BLAKE3)", &e.shown_digest);
            rows.bytes("arguments", &e.arguments);
            rows.text("policy", &e.policy_version);
            if e.policy_digest != [0; 32] {
                rows.digest("policy digest", &e.policy_digest);
            }
            rows.versions(e.configuration_version, e.registry_version);
        }
        Event::ApprovalGiven(e) => {
            rows.answer(&e.approver, &e.role, &e.authenticated, &e.reason);
            let count = format!("{} of {}", e.given, e.needed);
            rows.text("approvals", &count);
            rows.digest("of what was shown (BLAKE3)", &e.shown_digest);
        }
        Event::ApprovalRefused(e) => {
            rows.answer(&e.approver, &e.role, &e.authenticated, &e.reason);
            rows.digest("of what was shown (BLAKE3)", &e.shown_digest);
        }
        Event::ApprovalExpired(e) => {
            rows.text("approvals", &format!("{} of {}", e.given, e.needed));
        }
        Event::ApprovalConfirmed(e) => {
            rows.text("reason", &e.reason);
            rows.text("approvals before", "do not count any more");
            rows.text("policy", &e.policy_version);
            if e.policy_digest != [0; 32] {
                rows.digest("policy digest", &e.policy_digest);
            }
            rows.versions(e.configuration_version, e.registry_version);
        }
        other => mention_rows(other, payload, rows),
    }
}

/// The approval that a decision rests on.
fn named_rows(approval: &ApprovalNamedV1, rows: &mut Rows<'_>) {
    let (request, needed) = (approval.request_version, approval.needed);
    rows.text(
        "persons were asked",
        &format!("by version {request} of this execution"),
    );
    rows.text("rule", &approval.rule);
    rows.text(
        "approvals",
        &format!("{} of {needed}", approval.approvers.len()),
    );
    rows.text("approved by", &people::list(&approval.approvers));
    rows.maybe(
        "refused by",
        approval.refused_by.as_ref().map(people::identity),
    );
}

/// What others said of the execution.
fn mention_rows(event: &Event, payload: &[u8], rows: &mut Rows<'_>) {
    match event {
        Event::AuditRecorded(e) => {
            let family = AuditFamily::from_code(e.family).map(|family| format!("{family:?}"));
            rows.text("family", family.as_deref().unwrap_or("unknown"));
            rows.text("action", &e.action);
            rows.text("subject", &e.subject);
            rows.bytes("detail", &e.detail);
        }
        Event::TelemetryRecorded(e) => {
            let kind = TelemetryKind::from_code(e.kind).map(|kind| format!("{kind:?}"));
            rows.text("kind", kind.as_deref().unwrap_or("unknown"));
            rows.text("name", &e.name);
            rows.text("observed", &rfc3339(e.observed_ns.into()));
            rows.bytes("attributes", &e.attributes);
        }
        _ => rows.bytes("payload", payload),
    }
}

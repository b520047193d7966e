// SPDX-License-Identifier: Apache-2.0
//! Each setter sets its own field, and no other: the built command is the one with those fields.

use super::super::*;
use crate::error::AppendError;
use crate::events::{AuditFamily, CommandId, Outcome, Resolution, TelemetryKind};

const EXECUTION: ExecutionId = ExecutionId::from_bytes([9; 16]);

fn context() -> Context {
    Context::new().command(CommandId::from_bytes([8; 16]))
}

/// Two fields of one command never hold the same text.
#[test]
fn of_configuration() {
    let change = Change::new("document", "content").context(context());
    let change = change.author("author").reason("reason").expecting(3);
    let expected = Change {
        context: context(),
        document: "document".to_owned(),
        content: b"content".to_vec(),
        author: "author".to_owned(),
        reason: "reason".to_owned(),
        expected_version: Some(3),
    };
    assert!(change == expected);
    let as_json = change.content_json("text").unwrap();
    assert_eq!(as_json.content, b"\"text\"");
    assert_eq!(as_json.document, "document");
    let rollback = Rollback::new("document", 2).context(context());
    let rollback = rollback.author("author").reason("reason").expecting(3);
    let expected = Rollback {
        context: context(),
        document: "document".to_owned(),
        to_version: 2,
        author: "author".to_owned(),
        reason: "reason".to_owned(),
        expected_version: Some(3),
    };
    assert!(rollback == expected);
}

#[test]
fn of_audit_and_telemetry() {
    let entry = AuditEntry::new(AuditFamily::OperatorAction, "action").context(context());
    let entry = entry.subject("subject").outcome(Outcome::Failure);
    let entry = entry.execution(EXECUTION).detail("1");
    let expected = AuditEntry {
        context: context(),
        family: AuditFamily::OperatorAction,
        action: "action".to_owned(),
        subject: "subject".to_owned(),
        outcome: Outcome::Failure,
        execution: Some(EXECUTION),
        detail: b"1".to_vec(),
    };
    assert!(entry == expected);
    assert_eq!(entry.detail_json(&2).unwrap().detail, b"2");
    let seen = Observation::new(TelemetryKind::Error, "name").context(context());
    let seen = seen.observed_ns(7).execution(EXECUTION);
    let seen = seen.outcome(Outcome::Denied).attributes("1");
    let expected = Observation {
        context: context(),
        kind: TelemetryKind::Error,
        name: "name".to_owned(),
        observed_ns: Some(7),
        execution: Some(EXECUTION),
        outcome: Outcome::Denied,
        attributes: b"1".to_vec(),
    };
    assert!(seen == expected);
    assert_eq!(seen.attributes_json(&2).unwrap().attributes, b"2");
}

#[test]
fn of_executions() {
    let grounds = Grounds {
        configuration_version: 4,
        ..Grounds::default()
    };
    let basis = Basis {
        ledger: crate::events::LedgerId::from_bytes([1; 16]),
        grounds,
    };
    let decision = crate::events::Decision::DeniedPolicyViolation;
    let request = Request::new("capability", decision, basis.clone()).context(context());
    let request = request.execution(EXECUTION).input("input");
    let request = request.arguments("1").reason("reason");
    let expected = Request {
        context: context(),
        execution: Some(EXECUTION),
        input: Some(b"input".to_vec()),
        capability: "capability".to_owned(),
        arguments: b"1".to_vec(),
        decision,
        reason: "reason".to_owned(),
        basis,
    };
    assert!(request == expected);
    assert_eq!(request.arguments_json(&2).unwrap().arguments, b"2");
    let rejection = Rejection::new("input", "problem").context(context());
    let expected = Rejection {
        context: context(),
        execution: Some(EXECUTION),
        input: b"input".to_vec(),
        problem: "problem".to_owned(),
    };
    assert!(rejection.execution(EXECUTION) == expected);
}

#[test]
fn of_endings_and_definitions() {
    let failure = Failure::new("code", "message").result("1");
    let expected = Failure {
        code: "code".to_owned(),
        message: "message".to_owned(),
        result: b"1".to_vec(),
    };
    assert!(failure == expected);
    assert_eq!(failure.result_json(&2).unwrap().result, b"2");
    let resolve = Resolve::new(Resolution::Lost, "reason").result("1");
    let expected = Resolve {
        resolution: Resolution::Lost,
        reason: "reason".to_owned(),
        result: b"1".to_vec(),
    };
    assert!(resolve == expected);
    assert_eq!(resolve.result_json(&2).unwrap().result, b"2");
    let definition = CapabilityDefinition::new("version");
    let definition = definition.description("description").parameters("1");
    let expected = CapabilityDefinition {
        version: "version".to_owned(),
        description: "description".to_owned(),
        parameters: b"1".to_vec(),
    };
    assert!(definition == expected);
    assert_eq!(definition.parameters_json(&2).unwrap().parameters, b"2");
    let quota = crate::access::Quota::default();
    let quota = quota.records_per_second(1).bytes_per_second(2);
    assert_eq!(
        (quota.records_per_second, quota.bytes_per_second),
        (Some(1), Some(2))
    );
}

/// A map whose keys are no text has no JSON: the field is named, and nothing is sent.
#[test]
fn a_value_without_json_is_refused_by_its_field() {
    let no_json = std::collections::BTreeMap::from([([1_u8, 2], 3)]);
    let refused = Change::new("document", "").content_json(&no_json);
    assert!(matches!(
        refused.err(),
        Some(AppendError::InvalidJson {
            field: "content",
            ..
        })
    ));
}

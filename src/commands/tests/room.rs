// SPDX-License-Identifier: Apache-2.0
//! A caller's buffers may have room for far more than they hold: what waits is counted by what it holds.

use super::*;
use crate::events::{Decision, LedgerId};

/// Two bytes, and room for a million.
fn text() -> String {
    let mut text = String::with_capacity(1 << 20);
    text.push_str("{}");
    text
}

fn bytes() -> Vec<u8> {
    text().into_bytes()
}

fn request() -> Request {
    Request {
        context: Context::new(),
        execution: None,
        input: Some(bytes()),
        capability: text(),
        arguments: bytes(),
        decision: Decision::Authorized,
        reason: text(),
        basis: Basis {
            ledger: LedgerId::from_bytes([9; 16]),
            grounds: Grounds {
                policy_version: text(),
                ..Grounds::default()
            },
        },
    }
}

fn finish(ending: Ending) -> Command {
    Command::Finish(Finish {
        context: Context::new(),
        execution: ExecutionId::from_bytes([7; 16]),
        ending,
    })
}

fn room_of(request: &Request) -> Vec<usize> {
    vec![
        request.arguments.capacity(),
        request.capability.capacity(),
        request.reason.capacity(),
        request.input.as_ref().map_or(0, Vec::capacity),
        request.basis.grounds.policy_version.capacity(),
    ]
}

fn room(command: &Command) -> Vec<usize> {
    match command {
        Command::Begin(it) => room_of(it),
        Command::Import(it) => room_of(&it.request),
        Command::Finish(it) => match &it.ending {
            Ending::Completed(result) => vec![result.capacity()],
            Ending::Failed(it) => vec![
                it.code.capacity(),
                it.message.capacity(),
                it.result.capacity(),
            ],
            Ending::Cancelled(reason) => vec![reason.capacity()],
        },
        Command::Audit(it) => vec![
            it.action.capacity(),
            it.subject.capacity(),
            it.detail.capacity(),
        ],
        Command::Change(it) => vec![
            it.document.capacity(),
            it.content.capacity(),
            it.author.capacity(),
            it.reason.capacity(),
        ],
        Command::SetModule(it) => vec![it.module.capacity(), it.version.capacity()],
        Command::ChangeCapability(it) => vec![
            it.capability.capacity(),
            it.definition.version.capacity(),
            it.definition.description.capacity(),
            it.definition.parameters.capacity(),
        ],
        other => panic!("{}", other.kind()),
    }
}

#[test]
fn what_waits_has_no_room_beyond_what_is_counted() {
    let definition = CapabilityDefinition {
        version: text(),
        description: text(),
        parameters: bytes(),
    };
    let imported = Imported {
        request: request(),
        ending: Ending::Completed(bytes()),
    };
    let change = Change::new(text(), bytes()).author(text()).reason(text());
    let module = SetModule {
        context: Context::new(),
        module: text(),
        version: text(),
    };
    let capability = ChangeCapability {
        context: Context::new(),
        capability: text(),
        definition,
        expected_version: None,
    };
    let entry = AuditEntry::new(AuditFamily::OperatorAction, text());
    for command in [
        Command::Begin(request()),
        Command::Import(imported),
        finish(Ending::Completed(bytes())),
        finish(Ending::Failed(Failure::new(text(), text()).result(bytes()))),
        finish(Ending::Cancelled(text())),
        Command::Audit(entry.subject(text()).detail(bytes())),
        Command::Change(change),
        Command::SetModule(module),
        Command::ChangeCapability(capability),
    ] {
        let digest = command.content_digest();
        let kind = command.kind();
        let waits = command.cut(&Limits::default(), 1);
        assert_eq!(waits.content_digest(), digest, "{kind}");
        for room in room(&waits) {
            assert!(room <= 8_192, "{kind}: room for {room} bytes");
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
//! What earlier revisions look like on disk, which nothing writes any more and everything later reads.

use femtoclaw_ledger::events::*;
use serde_json::{Value, json};

/// A payload of a revision that is not written any more, byte for byte.
pub(crate) struct Earlier {
    pub(crate) kind: EventType,
    pub(crate) revision: u16,
    pub(crate) payload: &'static [u8],
    /// Its fields, as whoever knows that revision reads them.
    pub(crate) fields: Value,
    /// What this software reads it as.
    pub(crate) event: Event,
}

/// One of each, and each in the shapes that are read differently.
pub(crate) fn earlier() -> Vec<Earlier> {
    let granted = |payload, (append, read): (u8, u8), event: ComponentGrantedV3| Earlier {
        kind: EventType::ComponentGranted,
        revision: 1,
        payload,
        fields: json!({
            "component": event.component, "name": event.name, "append": append, "read": read,
        }),
        event: event.into(),
    };
    let before = |component, name: &str| ComponentGrantedV3 {
        component,
        name: name.to_owned(),
        append: 0,
        read: 0,
        read_payloads: 0,
        finish_others: false,
        resolve_others: false,
        sign_checkpoints: false,
        approve: false,
        records_per_second: None,
        bytes_per_second: None,
    };
    vec![
        granted(
            b"\x01\x07runtime\x9f\x1f",
            (0x9F, 31),
            ComponentGrantedV3 {
                append: 31,
                read: 31,
                read_payloads: 31,
                finish_others: true,
                resolve_others: true,
                sign_checkpoints: true,
                ..before(1, "runtime")
            },
        ),
        granted(
            b"\x02\x05panel\x06\x04",
            (6, 4),
            ComponentGrantedV3 {
                append: 6,
                read: 4,
                read_payloads: 4,
                ..before(2, "panel")
            },
        ),
        granted_before_approval(),
        decided(),
    ]
}

/// A grant of before persons approved.
fn granted_before_approval() -> Earlier {
    let event = ComponentGrantedV3 {
        component: 3,
        name: "panel".to_owned(),
        append: 6,
        read: 4,
        read_payloads: 0,
        finish_others: true,
        resolve_others: false,
        sign_checkpoints: true,
        approve: false,
        records_per_second: None,
        bytes_per_second: Some(250),
    };
    Earlier {
        kind: EventType::ComponentGranted,
        revision: 2,
        payload: b"\x03\x05panel\x06\x04\x00\x01\x00\x01\x00\x01\xfa",
        fields: json!({
            "component": 3, "name": "panel", "append": 6, "read": 4, "read_payloads": 0, "finish_others": true,
            "resolve_others": false, "sign_checkpoints": true, "records_per_second": null, "bytes_per_second": 250,
        }),
        event: event.into(),
    }
}

/// A decision of before delegation and approval were recorded.
fn decided() -> Earlier {
    let event = AuthorizationDecidedV2 {
        capability: "read".to_owned(),
        arguments: b"{}".to_vec(),
        arguments_digest: [b'a'; 32],
        decision: Decision::Authorized.code(),
        reason: "rule 7".to_owned(),
        policy_version: "p1".to_owned(),
        policy_digest: [b'p'; 32],
        configuration_version: 250,
        registry_version: 251,
        on_behalf_of: Vec::new(),
        approval: None,
    };
    Earlier {
        kind: EventType::AuthorizationDecided,
        revision: 1,
        payload: b"\x04read\x02{}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x01\x06rule 7\x02p1\
            pppppppppppppppppppppppppppppppp\xfa\xfb\xfb\x00",
        fields: json!({
            "capability": "read", "arguments": "7b7d", "arguments_digest": "61".repeat(32), "decision": 1,
            "reason": "rule 7", "policy_version": "p1", "policy_digest": "70".repeat(32),
            "configuration_version": 250, "registry_version": 251,
        }),
        event: event.into(),
    }
}

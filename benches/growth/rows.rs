// SPDX-License-Identifier: Apache-2.0
//! Each row: a kind of thing that grows, and the command that adds to it.

use femtoclaw_ledger::execution_log::ApprovalRequest;
use femtoclaw_ledger::runtime_metadata::SetModule;
use femtoclaw_ledger::{CapabilityDefinition, Change, Context, Quota, Rights};

use super::{Row, support};

/// An hour; everything is over by then.
const SOON_NS: i64 = 3_600_000_000_000;

pub(crate) const ALL: &[Row] = &[
    Row {
        name: "component names",
        most: 50_000,
        seconds_max: Some(5.0),
        add: |bed, number| {
            Box::pin(async move {
                let name = format!("component {number}");
                let granted = bed.root.grant(&name, Rights::all(), Quota::default());
                granted.await.unwrap();
            })
        },
    },
    Row {
        name: "capabilities, two each",
        most: 16_384,
        seconds_max: Some(5.0),
        add: |bed, number| {
            Box::pin(async move {
                let metadata = bed.ledger.runtime_metadata(&bed.grant).unwrap();
                let name = format!("capability {number}");
                let definition = CapabilityDefinition::new("1").description("does something");
                let registered = metadata.register(&name, definition, Context::new());
                registered.await.unwrap();
                metadata.enable(&name).await.unwrap();
            })
        },
    },
    Row {
        name: "documents",
        most: 16_384,
        seconds_max: None,
        add: |bed, number| {
            Box::pin(async move {
                // Somebody holds what was in force while it changes.
                let held = bed.ledger.in_force();
                let configuration = bed.ledger.configuration(&bed.grant).unwrap();
                let change = Change::new(format!("document {number}"), "{}");
                let change = change.author("ada").reason("growth");
                configuration.change(change).await.unwrap();
                drop(held);
            })
        },
    },
    Row {
        name: "versions of one document",
        most: 65_536,
        seconds_max: None,
        add: |bed, _| {
            Box::pin(async move {
                let configuration = bed.ledger.configuration(&bed.grant).unwrap();
                let change = Change::new("document", "{}").author("ada").reason("growth");
                configuration.change(change).await.unwrap();
            })
        },
    },
    Row {
        name: "modules",
        most: 16_384,
        seconds_max: None,
        add: |bed, number| {
            Box::pin(async move {
                let metadata = bed.ledger.runtime_metadata(&bed.grant).unwrap();
                let module = SetModule {
                    context: Context::new(),
                    module: format!("module {number}"),
                    version: "1".to_owned(),
                };
                metadata.set_module(module).await.unwrap();
            })
        },
    },
    Row {
        name: "saved positions",
        most: 16_384,
        seconds_max: None,
        add: |bed, number| {
            Box::pin(async move {
                let metadata = bed.ledger.runtime_metadata(&bed.grant).unwrap();
                let name = format!("subscriber {number}");
                let saved = metadata.save_position(&name, 1, None, Context::new());
                saved.await.unwrap();
            })
        },
    },
    Row {
        name: "a position saved again",
        most: 65_536,
        seconds_max: None,
        add: |bed, number| {
            Box::pin(async move {
                let metadata = bed.ledger.runtime_metadata(&bed.grant).unwrap();
                let name = format!("subscriber {}", number % 256);
                let saved = metadata.save_position(&name, 1, None, Context::new());
                saved.await.unwrap();
            })
        },
    },
    Row {
        name: "grant and revoke one name",
        most: 32_768,
        seconds_max: None,
        add: |bed, number| {
            Box::pin(async move {
                let name = format!("component {}", number % 256);
                let granted = bed.root.grant(&name, Rights::all(), Quota::default());
                let granted = granted.await.unwrap();
                bed.root.revoke(&granted, "growth").await.unwrap();
            })
        },
    },
    Row {
        name: "waiting for persons",
        most: 16_384,
        seconds_max: None,
        add: |bed, _| {
            Box::pin(async move {
                let log = bed.ledger.execution_log(&bed.grant).unwrap();
                let until_ns = now_ns() + SOON_NS;
                let basis = bed.ledger.in_force().basis();
                let mut request = ApprovalRequest::new("message", "one of two", until_ns, basis);
                request.asked_roles = vec!["operator".to_owned()];
                log.request_approval(request).await.unwrap();
            })
        },
    },
    Row {
        name: "authorized",
        most: 65_536,
        seconds_max: None,
        add: |bed, _| {
            Box::pin(async move {
                let log = bed.ledger.execution_log(&bed.grant).unwrap();
                let request = support::request(&bed.ledger, b"{}".to_vec());
                std::mem::forget(log.authorize(request).await.unwrap());
            })
        },
    },
    Row {
        name: "running",
        most: 8_192,
        seconds_max: None,
        add: |bed, _| {
            Box::pin(async move {
                let log = bed.ledger.execution_log(&bed.grant).unwrap();
                let request = support::request(&bed.ledger, b"{}".to_vec());
                let begun = log.begin(request).await.unwrap();
                let _running_on = begun.started().unwrap().detach();
            })
        },
    },
    Row {
        name: "subjects",
        most: 65_536,
        seconds_max: None,
        add: |bed, number| {
            Box::pin(async move {
                let audit = bed.ledger.audit_log(&bed.grant).unwrap();
                let mut entry = support::audit_entry();
                entry.context = Context::new().subject(format!("subject {number}"));
                audit.record(entry).await.unwrap();
            })
        },
    },
];

fn now_ns() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since.unwrap().as_nanos()).unwrap()
}

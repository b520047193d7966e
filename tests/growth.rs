// SPDX-License-Identifier: Apache-2.0
//! A command costs no more where there is much of what it adds to: what it allocates is counted with so many names,
//! capabilities, documents … there, and with four times as many. A time would depend on the machine; this does not.
//! `cargo bench --bench growth` has the times.

#![cfg(feature = "engine")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::future::Future;
use std::path::Path;
use std::pin::Pin;

use allocation_counter::measure;
use femtoclaw_ledger::group::Command;
use femtoclaw_ledger::runtime_metadata::{SavePosition, SetModule};
use femtoclaw_ledger::{
    CapabilityDefinition, Change, Context, Grant, Ledger, Options, Quota, Rights, Root,
};
use tokio::runtime::{Builder, Runtime};

/// How many there are when it is counted. No table grows in what is counted then: those double at 448, 512, 896 …
const FEW: u32 = 520;
const MANY: u32 = 4 * FEW;
const COUNTED: u32 = 96;

/// A ledger on a runtime of one thread: callers, stores and sequencer run on the thread that counts.
struct Bed {
    ledger: Ledger,
    root: Root,
    grant: Grant,
}

type Step<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

fn bed(runtime: &Runtime, path: &Path) -> Bed {
    let open = Ledger::open(path, Options::default());
    let (ledger, root) = runtime.block_on(open).unwrap();
    let granted = root.grant("growth", Rights::all(), Quota::default());
    let grant = runtime.block_on(granted).unwrap();
    Bed {
        ledger,
        root,
        grant,
    }
}

/// Bytes that one `add` allocates where there are few, and where there are many.
fn bytes(add: impl for<'a> Fn(&'a Bed, u32) -> Step<'a>) -> (u64, u64) {
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let bed = bed(&runtime, &place.path().join("ledger"));
    let taken = |from: u32, to: u32| {
        // Many at a time, so that they share their syncs.
        let all = futures_util::future::join_all((from..to).map(|number| add(&bed, number)));
        measure(|| drop(runtime.block_on(all))).bytes_total / u64::from(to - from)
    };
    taken(0, FEW);
    let few = taken(FEW, FEW + COUNTED);
    taken(FEW + COUNTED, MANY);
    let many = taken(MANY, MANY + COUNTED);
    (few, many)
}

fn does_not_grow(what: &str, add: impl for<'a> Fn(&'a Bed, u32) -> Step<'a>) {
    let (few, many) = bytes(add);
    println!("{what}: {few} bytes with {FEW} there, {many} with {MANY}");
    assert!(many < few * 2, "{what}: {few} bytes, then {many}");
}

#[test]
fn a_component_name() {
    does_not_grow("component name", |bed, number| {
        Box::pin(async move {
            let name = format!("component {number}");
            let granted = bed.root.grant(&name, Rights::none(), Quota::default());
            granted.await.unwrap();
        })
    });
}

#[test]
fn a_capability() {
    does_not_grow("capability", |bed, number| {
        Box::pin(async move {
            let metadata = bed.ledger.runtime_metadata(&bed.grant).unwrap();
            let name = format!("capability {number}");
            let definition = CapabilityDefinition::new("1").description("does something");
            let registered = metadata.register(&name, definition, Context::new());
            registered.await.unwrap();
            metadata.enable(&name).await.unwrap();
        })
    });
}

/// Also where somebody holds what was in force before.
#[test]
fn a_document() {
    does_not_grow("document", |bed, number| {
        Box::pin(async move {
            let held = bed.ledger.in_force();
            let configuration = bed.ledger.configuration(&bed.grant).unwrap();
            let changed = configuration.change(change(&format!("document {number}")));
            changed.await.unwrap();
            drop(held);
        })
    });
}

/// A group can be taken back, and what that needs is what it names.
#[test]
fn versions_of_one_document_in_groups() {
    does_not_grow("group of two versions", |bed, _| {
        Box::pin(async move {
            let both = ["document", "document"].map(|it| Command::Change(change(it)));
            let committed = bed.ledger.commit(&bed.grant, both.into());
            committed.await.unwrap();
        })
    });
}

#[test]
fn modules_and_positions_in_groups() {
    does_not_grow("group of two positions", |bed, number| {
        Box::pin(async move {
            let saved = |name: String| {
                Command::SavePosition(SavePosition {
                    context: Context::new(),
                    name,
                    seq: 1,
                    expected: None,
                })
            };
            let both = ["a", "b"].map(|it| saved(format!("{it} {number}")));
            let committed = bed.ledger.commit(&bed.grant, both.into());
            committed.await.unwrap();
        })
    });
    does_not_grow("group of two modules", |bed, number| {
        Box::pin(async move {
            let set = |module: String| {
                Command::SetModule(SetModule {
                    context: Context::new(),
                    module,
                    version: "1".to_owned(),
                })
            };
            let both = ["a", "b"].map(|it| set(format!("{it} {number}")));
            let committed = bed.ledger.commit(&bed.grant, both.into());
            committed.await.unwrap();
        })
    });
}

fn change(document: &str) -> Change {
    Change::new(document, "{}").author("ada").reason("growth")
}

// SPDX-License-Identifier: Apache-2.0
//! Runtime metadata.

use femtoclaw_ledger::events::{RuntimeId, State};
use femtoclaw_ledger::projections::AsOf;
use femtoclaw_ledger::{
    CapabilityDefinition, Context,
    runtime_metadata::{
        ChangeCapability, RemoveModule, SetModule, SwitchCapability, UnregisterCapability,
    },
};

use crate::scene::{Answer, Hands, Told};
use crate::{APPENDS, PAYLOADS, Row, STANDING, row};

fn definition() -> CapabilityDefinition {
    CapabilityDefinition {
        version: "1".to_owned(),
        description: String::new(),
        parameters: Vec::new(),
    }
}

/// A capability of its own, registered by another.
async fn registered(h: &Hands) -> String {
    let name = format!("capability {}", h.scene.next());
    let world = &h.scene.world;
    let metadata = world.ledger.runtime_metadata(&world.grant).unwrap();
    let done = metadata.register(&name, definition(), Context::new());
    done.await.unwrap();
    name
}

fn allowed(answer: Answer, code: &str) -> Answer {
    answer.or_else(|error| (error == code).then(|| "ok".to_owned()).ok_or(error))
}

fn modules() -> Vec<Row> {
    vec![
        row!(
            "ledger/handles/runtime_metadata.rs identify",
            "",
            [RuntimeMetadata],
            APPENDS,
            |h| {
                h.go().await;
                let (runtime, version) = (RuntimeId::from_bytes([7; 16]), "1".to_owned());
                let it = h.metadata()?.identify(runtime, version, Context::new());
                it.await.told()
            }
        ),
        row!(
            "ledger/handles/runtime_metadata.rs set_module",
            "",
            [RuntimeMetadata],
            APPENDS,
            |h| {
                h.go().await;
                let it = SetModule {
                    context: Context::new(),
                    module: "m".to_owned(),
                    version: "1".to_owned(),
                };
                h.metadata()?.set_module(it).await.told()
            }
        ),
        row!(
            "ledger/handles/runtime_metadata.rs remove_module",
            "",
            [RuntimeMetadata],
            APPENDS,
            |h| {
                let world = &h.scene.world;
                let all = world.ledger.runtime_metadata(&world.grant).unwrap();
                let set = SetModule {
                    context: Context::new(),
                    module: "gone".to_owned(),
                    version: "1".to_owned(),
                };
                all.set_module(set).await.unwrap();
                h.go().await;
                let it = RemoveModule {
                    context: Context::new(),
                    module: "gone".to_owned(),
                };
                h.metadata()?.remove_module(it).await.told()
            }
        ),
    ]
}

fn moves() -> Vec<Row> {
    vec![
        row!(
            "ledger/handles/runtime_metadata.rs transition",
            "",
            [RuntimeMetadata],
            APPENDS,
            |h| {
                h.go().await;
                let it = h.metadata()?.transition(State::Idle, None, Context::new());
                // The second one stands there already: its right was enough.
                allowed(it.await.told(), "invalid_transition")
            }
        ),
        row!(
            "ledger/handles/runtime_metadata.rs save_position",
            "",
            [RuntimeMetadata],
            APPENDS,
            |h| {
                h.go().await;
                let name = format!("p{}", h.scene.next());
                let it = h.metadata()?.save_position(&name, 1, None, Context::new());
                it.await.told()
            }
        ),
    ]
}

fn switches() -> Vec<Row> {
    vec![
        row!(
            "ledger/handles/runtime_metadata.rs enable",
            "",
            [RuntimeMetadata],
            APPENDS,
            |h| {
                let capability = registered(&h).await;
                h.go().await;
                h.metadata()?.enable(&capability).await.told()
            }
        ),
        row!(
            "ledger/handles/runtime_metadata.rs disable",
            "",
            [RuntimeMetadata],
            APPENDS,
            |h| {
                let capability = registered(&h).await;
                let world = &h.scene.world;
                let all = world.ledger.runtime_metadata(&world.grant).unwrap();
                all.enable(&capability).await.unwrap();
                h.go().await;
                h.metadata()?.disable(&capability).await.told()
            }
        ),
    ]
}

fn capabilities() -> Vec<Row> {
    vec![
        row!(
            "ledger/handles/runtime_metadata.rs register",
            "",
            [RuntimeMetadata],
            APPENDS,
            |h| {
                h.go().await;
                let name = format!("new {}", h.scene.next());
                let it = h.metadata()?.register(&name, definition(), Context::new());
                it.await.told()
            }
        ),
        row!(
            "ledger/handles/runtime_metadata.rs change",
            "",
            [RuntimeMetadata],
            APPENDS,
            |h| {
                let capability = registered(&h).await;
                h.go().await;
                let it = ChangeCapability {
                    context: Context::new(),
                    capability,
                    definition: definition(),
                    expected_version: None,
                };
                h.metadata()?.change(it).await.told()
            }
        ),
        row!(
            "ledger/handles/runtime_metadata.rs switch",
            "",
            [RuntimeMetadata],
            APPENDS,
            |h| {
                let capability = registered(&h).await;
                h.go().await;
                let it = SwitchCapability {
                    context: Context::new(),
                    capability,
                    enabled: true,
                    reason: String::new(),
                    expected_version: None,
                };
                h.metadata()?.switch(it).await.told()
            }
        ),
        row!(
            "ledger/handles/runtime_metadata.rs unregister",
            "",
            [RuntimeMetadata],
            APPENDS,
            |h| {
                let capability = registered(&h).await;
                h.go().await;
                let it = UnregisterCapability {
                    context: Context::new(),
                    capability,
                    reason: String::new(),
                    expected_version: None,
                };
                h.metadata()?.unregister(it).await.told()
            }
        ),
    ]
}

fn metadata() -> Vec<Row> {
    vec![
        row!(
            "ledger/handles/runtime_metadata.rs position",
            "",
            [RuntimeMetadata],
            STANDING,
            |h| {
                h.go().await;
                h.metadata()?.position("p").await.told()
            }
        ),
        row!(
            "ledger/handles/runtime_metadata.rs runtime",
            "",
            [RuntimeMetadata],
            STANDING,
            |h| {
                h.go().await;
                h.metadata()?.runtime().await.told()
            }
        ),
        row!(
            "ledger/handles/runtime_metadata.rs modules",
            "",
            [RuntimeMetadata],
            STANDING,
            |h| {
                h.go().await;
                h.metadata()?.modules().await.told()
            }
        ),
        row!(
            "ledger/handles/runtime_metadata.rs state",
            "",
            [RuntimeMetadata],
            STANDING,
            |h| {
                h.go().await;
                h.metadata()?.state().await.told()
            }
        ),
    ]
}

fn registry() -> Vec<Row> {
    vec![
        row!(
            "ledger/handles/runtime_metadata.rs registry",
            "",
            [RuntimeMetadata],
            PAYLOADS,
            |h| {
                h.go().await;
                h.metadata()?.registry().await.told()
            }
        ),
        row!(
            "ledger/handles/runtime_metadata.rs registry_as_of",
            "",
            [RuntimeMetadata],
            PAYLOADS,
            |h| {
                h.go().await;
                h.metadata()?.registry_as_of(AsOf::Seq(1)).await.told()
            }
        ),
        row!(
            "ledger/handles/runtime_metadata.rs watch_registry",
            "",
            [RuntimeMetadata],
            PAYLOADS,
            |h| {
                let mut watch = h.metadata()?.watch_registry();
                h.go().await;
                watch.next().await.told()
            }
        ),
    ]
}

pub(crate) fn rows() -> Vec<Row> {
    [
        modules(),
        moves(),
        capabilities(),
        switches(),
        metadata(),
        registry(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

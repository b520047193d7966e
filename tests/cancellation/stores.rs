// SPDX-License-Identifier: Apache-2.0
//! Executions, those who run, and runtime metadata.

use femtoclaw_ledger::events::{ExecutionId, Resolution, RuntimeId, State};
use femtoclaw_ledger::projections::{AsOf, ExecutionStatus};
use femtoclaw_ledger::{
    CapabilityDefinition, Context, Failure,
    execution_log::{Ending, Imported, Rejection, Resolve},
    runtime_metadata::{
        ChangeCapability, RemoveModule, SetModule, SwitchCapability, UnregisterCapability,
    },
};

use crate::Tried;
use crate::scene::Scene;
use crate::shared::until;

/// One function: what it needs, then the call of it.
macro_rules! call {
    ($name:literal, |$s:ident| $needs:expr, |$n:pat_param| $call:expr) => {
        (
            $name,
            (|$s: std::sync::Arc<crate::scene::Scene>| -> crate::Call {
                Box::pin(async move {
                    let $n = $needs;
                    $s.tried();
                    $call
                })
            }) as fn(std::sync::Arc<crate::scene::Scene>) -> crate::Call,
        )
    };
}
pub(crate) use call;

fn definition() -> CapabilityDefinition {
    CapabilityDefinition {
        version: "1".to_owned(),
        description: String::new(),
        parameters: Vec::new(),
    }
}

fn failure() -> Failure {
    Failure {
        code: "E".to_owned(),
        message: String::new(),
        result: Vec::new(),
    }
}

fn resolve() -> Resolve {
    Resolve {
        resolution: Resolution::Lost,
        reason: "nobody knows".to_owned(),
        result: Vec::new(),
    }
}

/// A capability of its own, registered.
async fn registered(scene: &Scene) -> String {
    let name = format!("capability {}", scene.next());
    let done = scene.metadata.register(&name, definition(), Context::new());
    done.await.unwrap();
    name
}

async fn in_doubt(scene: &Scene) -> ExecutionId {
    let running = scene.running().await;
    let execution = running.execution();
    drop(running);
    until("it is in doubt", async || {
        let entry = scene.log.get(execution).await.unwrap().unwrap();
        entry.status == ExecutionStatus::InDoubt
    })
    .await;
    execution
}

/// Runs on without a handle: what ends it by its id is tried, and ends it in the end.
async fn detached(scene: &Scene) -> Detached<'_> {
    let execution = scene.running().await.detach();
    Detached { scene, execution }
}

struct Detached<'a> {
    scene: &'a Scene,
    execution: ExecutionId,
}

impl Drop for Detached<'_> {
    fn drop(&mut self) {
        self.scene.left(self.execution);
    }
}

fn executions() -> Vec<Tried> {
    vec![
        call!(
            "ledger/handles/execution_log.rs authorize",
            |s| s.request(),
            |it| s.log.authorize(it).await.is_ok()
        ),
        call!(
            "ledger/handles/execution_log.rs begin",
            |s| s.request(),
            |it| s.log.begin(it).await.is_ok()
        ),
        call!(
            "ledger/handles/execution_log.rs start",
            |s| s
                .log
                .authorize(s.request())
                .await
                .unwrap()
                .permit()
                .unwrap(),
            |it| s.log.start(it, Context::new()).await.is_ok()
        ),
        call!(
            "ledger/handles/execution_log.rs reject",
            |s| Rejection {
                context: Context::new(),
                execution: None,
                input: b"x".to_vec(),
                problem: "no".to_owned()
            },
            |it| s.log.reject(it).await.is_ok()
        ),
        call!(
            "ledger/handles/execution_log.rs complete",
            |s| detached(&s).await,
            |it| s
                .log
                .complete(it.execution, Context::new(), b"1".to_vec())
                .await
                .is_ok()
        ),
        call!(
            "ledger/handles/execution_log.rs fail",
            |s| detached(&s).await,
            |it| s
                .log
                .fail(it.execution, Context::new(), failure())
                .await
                .is_ok()
        ),
        call!(
            "ledger/handles/execution_log.rs cancel",
            |s| detached(&s).await,
            |it| s
                .log
                .cancel(it.execution, Context::new(), "why".to_owned())
                .await
                .is_ok()
        ),
    ]
}

fn resolved_and_read() -> Vec<Tried> {
    vec![
        call!(
            "ledger/handles/execution_log.rs resolve",
            |s| in_doubt(&s).await,
            |it| s.log.resolve(it, Context::new(), resolve()).await.is_ok()
        ),
        call!(
            "ledger/handles/execution_log.rs record",
            |s| Imported {
                request: s.request(),
                ending: Ending::Completed(b"1".to_vec())
            },
            |it| s.log.record(it).await.is_ok()
        ),
        call!("ledger/handles/execution_log.rs in_doubt", |s| (), |()| s
            .log
            .in_doubt()
            .await
            .is_ok()),
        call!("ledger/handles/executions.rs first", |s| (), |()| s
            .log
            .executions()
            .denied()
            .first(3)
            .await
            .is_ok()),
        call!("ledger/handles/executions.rs last", |s| (), |()| s
            .log
            .executions()
            .last(3)
            .await
            .is_ok()),
        call!("ledger/handles/execution_log.rs get", |s| (), |()| s
            .log
            .get(s.ended)
            .await
            .is_ok()),
        call!("ledger/handles/execution_log.rs counts", |s| (), |()| s
            .log
            .counts()
            .await
            .is_ok()),
    ]
}

fn running() -> Vec<Tried> {
    vec![
        call!(
            "ledger/handles/running.rs complete",
            |s| s.running().await,
            |it| it.complete(Context::new(), b"1".to_vec()).await.is_ok()
        ),
        call!(
            "ledger/handles/running.rs complete_json",
            |s| s.running().await,
            |it| it.complete_json(Context::new(), &1).await.is_ok()
        ),
        call!(
            "ledger/handles/running.rs fail",
            |s| s.running().await,
            |it| it.fail(Context::new(), failure()).await.is_ok()
        ),
        call!(
            "ledger/handles/running.rs cancel",
            |s| s.running().await,
            |it| it.cancel(Context::new(), "why".to_owned()).await.is_ok()
        ),
    ]
}

fn metadata() -> Vec<Tried> {
    vec![
        call!(
            "ledger/handles/runtime_metadata.rs identify",
            |s| RuntimeId::from_bytes([7; 16]),
            |it| s
                .metadata
                .identify(it, "1".to_owned(), Context::new())
                .await
                .is_ok()
        ),
        call!(
            "ledger/handles/runtime_metadata.rs set_module",
            |s| SetModule {
                context: Context::new(),
                module: "m".to_owned(),
                version: "1".to_owned()
            },
            |it| s.metadata.set_module(it).await.is_ok()
        ),
        call!(
            "ledger/handles/runtime_metadata.rs remove_module",
            |s| {
                let module = format!("m{}", s.next());
                let set = SetModule {
                    context: Context::new(),
                    module: module.clone(),
                    version: "1".to_owned(),
                };
                s.metadata.set_module(set).await.unwrap();
                RemoveModule {
                    context: Context::new(),
                    module,
                }
            },
            |it| s.metadata.remove_module(it).await.is_ok()
        ),
        call!(
            "ledger/handles/runtime_metadata.rs register",
            |s| format!("new {}", s.next()),
            |it| s
                .metadata
                .register(&it, definition(), Context::new())
                .await
                .is_ok()
        ),
    ]
}

fn capabilities() -> Vec<Tried> {
    vec![
        call!(
            "ledger/handles/runtime_metadata.rs change",
            |s| ChangeCapability {
                context: Context::new(),
                capability: registered(&s).await,
                definition: definition(),
                expected_version: None
            },
            |it| s.metadata.change(it).await.is_ok()
        ),
        call!(
            "ledger/handles/runtime_metadata.rs switch",
            |s| SwitchCapability {
                context: Context::new(),
                capability: registered(&s).await,
                enabled: true,
                reason: String::new(),
                expected_version: None
            },
            |it| s.metadata.switch(it).await.is_ok()
        ),
        call!(
            "ledger/handles/runtime_metadata.rs enable",
            |s| registered(&s).await,
            |it| s.metadata.enable(&it).await.is_ok()
        ),
        call!(
            "ledger/handles/runtime_metadata.rs disable",
            |s| {
                let it = registered(&s).await;
                s.metadata.enable(&it).await.unwrap();
                it
            },
            |it| s.metadata.disable(&it).await.is_ok()
        ),
        call!(
            "ledger/handles/runtime_metadata.rs unregister",
            |s| UnregisterCapability {
                context: Context::new(),
                capability: registered(&s).await,
                reason: String::new(),
                expected_version: None
            },
            |it| s.metadata.unregister(it).await.is_ok()
        ),
    ]
}

fn runtime() -> Vec<Tried> {
    vec![
        // Refused the second time, and in order as what is accepted.
        call!(
            "ledger/handles/runtime_metadata.rs transition",
            |s| (),
            |()| {
                let _refused = s
                    .metadata
                    .transition(State::Idle, None, Context::new())
                    .await;
                true
            }
        ),
        call!(
            "ledger/handles/runtime_metadata.rs save_position",
            |s| format!("p{}", s.next() % 8),
            |it| {
                let _refused = s.metadata.save_position(&it, 1, None, Context::new()).await;
                true
            }
        ),
        call!(
            "ledger/handles/runtime_metadata.rs position",
            |s| (),
            |()| s.metadata.position("p").await.is_ok()
        ),
        call!("ledger/handles/runtime_metadata.rs runtime", |s| (), |()| s
            .metadata
            .runtime()
            .await
            .is_ok()),
        call!("ledger/handles/runtime_metadata.rs modules", |s| (), |()| s
            .metadata
            .modules()
            .await
            .is_ok()),
        call!("ledger/handles/runtime_metadata.rs state", |s| (), |()| s
            .metadata
            .state()
            .await
            .is_ok()),
        call!(
            "ledger/handles/runtime_metadata.rs registry",
            |s| (),
            |()| s.metadata.registry().await.is_ok()
        ),
        call!(
            "ledger/handles/runtime_metadata.rs registry_as_of",
            |s| (),
            |()| s
                .metadata
                .registry_as_of(AsOf::Seq(s.head().get()))
                .await
                .is_ok()
        ),
    ]
}

pub(crate) fn tried() -> Vec<Tried> {
    [
        executions(),
        resolved_and_read(),
        running(),
        metadata(),
        capabilities(),
        runtime(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

// SPDX-License-Identifier: Apache-2.0
//! What a command allocates on its way from its caller to the writer and back: on a runtime of one thread, callers, stores
//! and sequencer run on the thread that counts. The writer's thread, which allocates by the frame, and views are other
//! threads and do not count. What the caller builds its command of is not counted either.

use std::cell::RefCell;
use std::future::Future;
use std::path::Path;
use std::rc::Rc;

use allocation_counter::measure;
use femtoclaw_ledger::events::ExecutionId;
use femtoclaw_ledger::{Context, Ledger, Root};
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

use crate::support::{audit_entry, grant, json, observation, open, request};

/// Allocations and bytes a command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PerCommand {
    pub(crate) allocations: f64,
    #[allow(dead_code, reason = "the test counts allocations alone")]
    pub(crate) bytes: f64,
}

/// The commands that are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    Telemetry,
    Audit,
    Begin,
    Complete,
}

impl Counted {
    pub(crate) const ALL: [Self; 4] = [Self::Telemetry, Self::Audit, Self::Begin, Self::Complete];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Telemetry => "telemetry",
            Self::Audit => "audit",
            Self::Begin => "begin",
            Self::Complete => "complete",
        }
    }
}

/// A ledger on a runtime of one thread.
pub(crate) struct CountedLedger {
    ledger: Ledger,
    root: Root,
    runtime: Runtime,
}

impl CountedLedger {
    pub(crate) fn new(path: &Path) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (ledger, root, _) = runtime.block_on(open(path));
        Self {
            ledger,
            root,
            runtime,
        }
    }

    /// So many commands of each kind, by `callers` at a time that each wait for their answer before they ask again. All
    /// that is made once is made before it counts.
    pub(crate) fn each(&self, callers: usize, commands: usize) -> Vec<(Counted, PerCommand)> {
        let _warm = self.kinds(callers, callers * 4);
        self.kinds(callers, commands)
    }

    fn kinds(&self, callers: usize, commands: usize) -> Vec<(Counted, PerCommand)> {
        let grant = self.runtime.block_on(grant(&self.root));
        let telemetry = self.ledger.telemetry(&grant).unwrap();
        let audit = self.ledger.audit_log(&grant).unwrap();
        let log = self.ledger.execution_log(&grant).unwrap();
        let asked = || request(&self.ledger, json(156));
        let observed = self.counted(callers, sample(commands, observation), move |it| {
            let telemetry = telemetry.clone();
            async move {
                telemetry.record(it).await.unwrap();
            }
        });
        let audited = self.counted(callers, sample(commands, audit_entry), move |it| {
            let audit = audit.clone();
            async move {
                audit.record(it).await.unwrap();
            }
        });
        let running: Rc<RefCell<Vec<ExecutionId>>> = Rc::default();
        running.borrow_mut().reserve(commands);
        let (began, log_of_begun) = (Rc::clone(&running), log.clone());
        let begun = self.counted(callers, sample(commands, asked), move |it| {
            let (log, running) = (log_of_begun.clone(), Rc::clone(&began));
            async move {
                let begun = log.begin(it).await.unwrap();
                running.borrow_mut().push(begun.started().unwrap().detach());
            }
        });
        let running = running.take().into_iter();
        let ended: Vec<_> = running.map(|it| (it, Context::new(), json(156))).collect();
        let completed = self.counted(callers, ended, move |(execution, context, result)| {
            let log = log.clone();
            async move {
                log.complete(execution, context, result).await.unwrap();
            }
        });
        let counted = [observed, audited, begun, completed];
        Counted::ALL.into_iter().zip(counted).collect()
    }

    /// What all of these take, handed to `callers` in turn.
    fn counted<T: 'static, F: Future<Output = ()> + 'static>(
        &self,
        callers: usize,
        commands: Vec<T>,
        send: impl Fn(T) -> F + 'static,
    ) -> PerCommand {
        let count = commands.len();
        let (waiting, send) = (Rc::new(RefCell::new(commands)), Rc::new(send));
        let all = LocalSet::new();
        for _ in 0..callers {
            let (waiting, send) = (Rc::clone(&waiting), Rc::clone(&send));
            all.spawn_local(async move {
                loop {
                    let next = waiting.borrow_mut().pop();
                    let Some(next) = next else { return };
                    send(next).await;
                }
            });
        }
        let taken = measure(|| self.runtime.block_on(all));
        PerCommand {
            allocations: taken.count_total as f64 / count as f64,
            bytes: taken.bytes_total as f64 / count as f64,
        }
    }
}

fn sample<T>(count: usize, one: impl Fn() -> T) -> Vec<T> {
    (0..count).map(|_| one()).collect()
}

// SPDX-License-Identifier: Apache-2.0
//! The runtime's loop: read, validate, decide, record, do, record.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use femtoclaw_ledger::Running;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use crate::acks::Acks;
use crate::effects::Effects;
use crate::input::{LINE_BYTES_MAX, Line};
use crate::ledger_port::{Basis, Port, Recorded};
use crate::policy::{Gate, Verdict};
use crate::problem::{Exit, Problem, Then};
use crate::protocol::{self, Request};
use crate::report::{Ending, Handled, Report};

/// How often a request is decided anew because policy or registry moved under it.
const DECIDE_AGAIN_MAX: u32 = 8;

/// Everything a request needs.
pub(crate) struct Runtime {
    pub(crate) port: Port,
    pub(crate) effects: Effects,
    pub(crate) acks: Acks,
    pub(crate) report: Report,
    /// Built from one state of the ledger; the ledger refuses a decision that rests on an older one.
    pub(crate) gate: Mutex<Arc<(Gate, Basis)>>,
}

impl Runtime {
    /// Handles lines, `concurrency` at a time, until they end or `stop` turns true. What was
    /// started is finished in any case.
    pub(crate) async fn handle_all(
        self: &Arc<Self>,
        mut lines: mpsc::Receiver<io::Result<Line>>,
        concurrency: usize,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), Problem> {
        let mut tasks = JoinSet::new();
        let mut ended = Ok(());
        while ended.is_ok() {
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                Some(done) = tasks.join_next(), if !tasks.is_empty() => ended = flat(done),
                line = lines.recv(), if tasks.len() < concurrency => match line {
                    None => break,
                    Some(Err(error)) => ended = Err(error.into()),
                    Some(Ok(line)) => {
                        let runtime = Arc::clone(self);
                        tasks.spawn(async move { runtime.handle(line).await });
                    }
                },
            }
        }
        while let Some(done) = tasks.join_next().await {
            ended = ended.and(flat(done));
        }
        ended
    }

    async fn handle(&self, line: Line) -> Result<(), Problem> {
        let since = Instant::now();
        let read = if line.cut {
            Err(format!(
                "protocol violation: longer than {LINE_BYTES_MAX} bytes"
            ))
        } else {
            protocol::read(&line.bytes)
        };
        let mut handled = Handled {
            line: line.number,
            ending: Ending::Rejected,
            decision: None,
            capability: String::new(),
            execution: None,
            records: None,
            took: Duration::ZERO,
            detail: String::new(),
        };
        let outcome = match read {
            Ok(request) => self.request(&line, &request, &mut handled).await,
            Err(problem) => self.reject(line, problem, &mut handled).await,
        };
        match outcome {
            Err(problem) if problem.then == Then::GoOn => {
                handled.ending = Ending::Refused;
                handled.detail = problem.message;
            }
            outcome => outcome?,
        }
        handled.took = since.elapsed();
        self.port.observe(&handled);
        self.report.handled(&handled);
        Ok(())
    }

    async fn reject(&self, line: Line, problem: String, to: &mut Handled) -> Result<(), Problem> {
        to.detail.clone_from(&problem);
        let recorded = self.port.reject(line.bytes, problem).await?;
        self.acknowledged(&recorded, to)
    }

    async fn request(
        &self,
        line: &Line,
        request: &Request,
        to: &mut Handled,
    ) -> Result<(), Problem> {
        to.capability.clone_from(&request.capability);
        let (gate, verdict, (begun, running)) = self.begin(line, request).await?;
        to.decision = Some(verdict.decision);
        to.detail = verdict.reason;
        to.ending = Ending::Denied;
        self.acknowledged(&begun, to)?;
        let (Some(running), Some(call)) = (running, verdict.call) else {
            return Ok(());
        };
        // From here on the start is durable: only now may anything happen in the world.
        let done = self.effects.perform(call, gate.0.document()).await;
        to.ending = match &done {
            Ok(_) => Ending::Completed,
            Err(failure) => {
                to.detail = format!("{}: {}", failure.code, failure.message);
                Ending::Failed
            }
        };
        let finished = self.port.finish(running, done).await?;
        self.acknowledged(&finished, to)
    }

    /// Decides and records the decision; the ledger refuses one that rests on an outdated policy or
    /// registry, and then it is made anew.
    async fn begin(
        &self,
        line: &Line,
        request: &Request,
    ) -> Result<(Arc<(Gate, Basis)>, Verdict, (Recorded, Option<Running>)), Problem> {
        let mut tries = 0;
        loop {
            let gate = Arc::clone(&self.gate.lock().unwrap_or_else(PoisonError::into_inner));
            let verdict = gate.0.decide(request);
            let begun = self
                .port
                .begin(&line.bytes, request, &verdict, &gate.1)
                .await;
            match begun {
                Ok(begun) => return Ok((gate, verdict, begun)),
                Err(problem) if problem.then == Then::DecideAgain => {
                    tries += 1;
                    if tries == DECIDE_AGAIN_MAX {
                        return Err(Problem {
                            then: Then::GoOn,
                            ..problem
                        });
                    }
                    let gate = Arc::new(self.port.gate().await?);
                    *self.gate.lock().unwrap_or_else(PoisonError::into_inner) = gate;
                }
                Err(problem) => return Err(problem),
            }
        }
    }

    fn acknowledged(&self, recorded: &Recorded, to: &mut Handled) -> Result<(), Problem> {
        let ack = recorded.ack;
        to.execution = Some(recorded.execution);
        let first = to.records.map_or(ack.first, |(first, _)| first);
        to.records = Some((first, ack.last));
        Ok(self.acks.add(ack)?)
    }
}

/// A task that panicked left a request unfinished: no reason to start more.
fn flat(done: Result<Result<(), Problem>, JoinError>) -> Result<(), Problem> {
    done.unwrap_or_else(|error| Err(Problem::stop(Exit::Failure, error)))
}

// SPDX-License-Identifier: Apache-2.0
//! Sends a sequence to the ledger and to the model, and compares what each says.

use std::collections::BTreeMap;
use std::sync::Mutex;

use femtoclaw_ledger::events::{CommandId, ComponentId, ExecutionId, Seq};
use femtoclaw_ledger::{AccessError, AppendError, Grant, error::Right};

use super::choose::Choices;
use super::compare::versions;
use super::concrete::{Concrete, Starting};
use super::ops::{By, Op, What};
use super::plain::plain;
use super::reference::{Placed, Reference, Reply};
use super::send::{Answer, Sender};
use super::world::{Medium, Outcome, World};

/// How often each kind of command was sent and committed, and each refusal given, over all sequences.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) commands: u64,
    pub(crate) duplicates: u64,
    pub(crate) restarts: BTreeMap<(Medium, bool, bool), u64>,
    pub(crate) kinds: BTreeMap<&'static str, u64>,
    pub(crate) codes: BTreeMap<&'static str, u64>,
}

pub(crate) static COUNTED: Mutex<Counters> = Mutex::new(Counters {
    commands: 0,
    duplicates: 0,
    restarts: BTreeMap::new(),
    kinds: BTreeMap::new(),
    codes: BTreeMap::new(),
});

pub(crate) fn refused(error: &AppendError) {
    *COUNTED
        .lock()
        .unwrap()
        .codes
        .entry(error.code())
        .or_default() += 1;
}

pub(crate) struct Driver {
    pub(crate) world: World,
    pub(crate) model: Reference,
    /// What was sent: who, and the whole commit.
    orders: Vec<(By, Vec<Concrete>)>,
    ids: u64,
}

pub(crate) async fn run(medium: Medium, sequence: Vec<Op>) -> Outcome {
    let mut driver = Driver {
        world: World::new(medium).await,
        model: Reference::default(),
        orders: Vec::new(),
        ids: 0,
    };
    for (index, op) in sequence.into_iter().enumerate() {
        let told = format!("{op:?}");
        let outcome = driver.step(op).await;
        outcome.map_err(|problem| format!("operation {index}, {told}: {problem}"))?;
    }
    Ok(())
}

/// Says which of the two differ.
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(what: &str, model: &T, ledger: &T) -> Outcome {
    if model == ledger {
        return Ok(());
    }
    Err(format!(
        "{what}: the model says {model:?}, the ledger {ledger:?}"
    ))
}

impl Driver {
    async fn step(&mut self, op: Op) -> Outcome {
        self.world
            .clock
            .advance(std::time::Duration::from_millis(1));
        match op {
            Op::One { by, what } => {
                let fresh = self.next_execution();
                match self.concrete(what, fresh) {
                    Some(concrete) => self.send(by, vec![concrete], true).await,
                    None => Ok(()),
                }
            }
            Op::Group { by, whats } => {
                let shared = self.next_execution();
                let mut group = Vec::new();
                for what in whats {
                    // Half of them speak of one execution, the others of one each.
                    let fresh = match what.a % 2 {
                        0 => shared,
                        _ => self.next_execution(),
                    };
                    group.extend(self.concrete(what, fresh));
                }
                self.send(by, group, false).await
            }
            Op::Again(which) => match self.order(which) {
                Some((by, group)) => {
                    let single = group.len() == 1;
                    self.send(by, group, single).await
                }
                None => Ok(()),
            },
            Op::Another(which, what) => self.another(which, what).await,
            Op::Mixed(which, what) => {
                let fresh = self.next_execution();
                let new = self.concrete(what, fresh);
                match (self.order(which), new) {
                    (Some((by, mut group)), Some(new)) => {
                        group.push(new);
                        self.send(by, group, false).await
                    }
                    _ => Ok(()),
                }
            }
            Op::Restart { close, views } => self.restart(close, views).await,
            Op::Expire => self.expire().await,
            Op::Compare => self.compare().await,
        }
    }

    async fn another(&mut self, which: u16, what: What) -> Outcome {
        let Some((by, group)) = self.order(which) else {
            return Ok(());
        };
        let fresh = self.next_execution();
        let used = group.first().and_then(|it| it.context().command_id());
        match (self.concrete(what, fresh), used) {
            (Some(new), Some(used)) => self.send(by, vec![new.with_id(used)], true).await,
            _ => Ok(()),
        }
    }

    async fn restart(&mut self, close: bool, views: bool) -> Outcome {
        let running = self.world.restart(close, views).await;
        if let Some(running) = running {
            let status = femtoclaw_ledger::projections::ExecutionStatus::Running;
            same(
                "running at the close",
                &(self.model.count(status) as u64),
                &running,
            )?;
        }
        self.model.reopened();
        *COUNTED
            .lock()
            .unwrap()
            .restarts
            .entry((self.world.medium, close, views))
            .or_default() += 1;
        same(
            "in force",
            &self.model.versions(),
            &versions(self.world.ledger()),
        )
    }

    fn next_execution(&mut self) -> ExecutionId {
        self.ids += 1;
        ExecutionId::from_bytes((u128::from(self.ids) | 0xE << 124).to_be_bytes())
    }

    fn concrete(&mut self, what: What, fresh: ExecutionId) -> Option<Concrete> {
        self.ids += 1;
        let given = self.world.permits.iter();
        let given = given.flat_map(|(execution, permits)| {
            permits.iter().map(|(opening, _)| (*execution, *opening))
        });
        let mut permits: Vec<(ExecutionId, u64)> = given.collect();
        permits.sort_unstable();
        let choices = Choices {
            model: &self.model,
            in_force: &self.world.ledger().in_force(),
            command: CommandId::from_bytes((u128::from(self.ids) | 0xC << 124).to_be_bytes()),
            fresh,
            permits: &permits,
            now_ns: self.world.now_ns(),
        };
        choices.concrete(what)
    }

    fn order(&self, which: u16) -> Option<(By, Vec<Concrete>)> {
        let count = self.orders.len().max(1);
        self.orders.get(usize::from(which) % count).cloned()
    }

    /// Sends one commit to both, compares the answers.
    async fn send(&mut self, by: By, group: Vec<Concrete>, single: bool) -> Outcome {
        let Some(grant) = self.world.grant(by).cloned() else {
            return Ok(());
        };
        let mut permits = Vec::new();
        for concrete in &group {
            let taken = match concrete {
                Concrete::Start(it) => match self.world.permit(it.execution, it.opening) {
                    Some(permit) => Some(permit),
                    // Nobody has one any more: it cannot be sent.
                    None => return self.give_back(&group, permits),
                },
                _ => None,
            };
            permits.push(taken);
        }
        COUNTED.lock().unwrap().commands += group.len() as u64;
        let ledger = self.world.ledger().clone();
        let sender = Sender {
            ledger: &ledger,
            grant: &grant,
        };
        let (answer, left) = match single {
            true => sender.one(group[0].clone(), permits.pop().flatten()).await,
            false => sender.group(group.clone(), permits).await,
        };
        for permit in left {
            let opening = group.iter().find_map(|concrete| match concrete {
                Concrete::Start(it) if it.execution == permit.execution() => Some(it.opening),
                _ => None,
            });
            self.world.keep(opening.expect("its start"), permit);
        }
        self.judge(by, &grant, group, answer).await
    }

    fn give_back(
        &mut self,
        group: &[Concrete],
        permits: Vec<Option<femtoclaw_ledger::execution_log::Permit>>,
    ) -> Outcome {
        for (concrete, permit) in group.iter().zip(permits) {
            if let (Concrete::Start(Starting { opening, .. }), Some(permit)) = (concrete, permit) {
                self.world.keep(*opening, permit);
            }
        }
        Ok(())
    }

    async fn judge(
        &mut self,
        by: By,
        grant: &Grant,
        group: Vec<Concrete>,
        answer: Result<Option<Answer>, AppendError>,
    ) -> Outcome {
        let placed = answer
            .as_ref()
            .ok()
            .and_then(Option::as_ref)
            .map(Answer::placed);
        let expected = match access(by, grant, &group) {
            Err(error) => Err(AppendError::Access(error)),
            Ok(()) => {
                let now = Placed {
                    time_ns: self.world.now_ns(),
                    ..placed.unwrap_or_default()
                };
                let before = self.model.sent.len();
                let answers = self.model.commit(&group, grant.component(), now);
                let duplicate = before == self.model.sent.len();
                answers.map(|answers| (answers, duplicate))
            }
        };
        match (expected, answer) {
            (Err(expected), Err(actual)) => {
                same("refusal", &plain(expected), &plain(actual.clone()))?;
                refused(&actual);
                Ok(())
            }
            (Ok((answers, duplicate)), Ok(actual)) => {
                self.accepted(by, grant.component(), group, answers, duplicate, actual)
                    .await
            }
            (Ok(expected), Err(actual)) => Err(format!(
                "the model accepts with {expected:?}, the ledger says {actual:?}"
            )),
            (Err(expected), Ok(_)) => Err(format!("the ledger accepts, the model says {expected}")),
        }
    }

    async fn accepted(
        &mut self,
        by: By,
        component: ComponentId,
        group: Vec<Concrete>,
        answers: Vec<(Reply, Placed)>,
        duplicate: bool,
        actual: Option<Answer>,
    ) -> Outcome {
        let ends = answers.first().zip(answers.last());
        let (Some((first, last)), Some(mut actual)) = (ends, actual) else {
            return same("empty group", &true, &group.is_empty());
        };
        let whole = Placed {
            last: last.1.last,
            ..first.1
        };
        same("place", &whole, &actual.placed())?;
        same("duplicate", &duplicate, &actual.receipt.duplicate)?;
        if let Some(reply) = actual.reply.take() {
            same("reply", &first.0, &reply)?;
        }
        if let Some(permit) = actual.permit.take() {
            self.world.keep(self.model.opening, permit);
        }
        if duplicate {
            COUNTED.lock().unwrap().duplicates += 1;
            return Ok(());
        }
        for concrete in &group {
            let mut counted = COUNTED.lock().unwrap();
            *counted.kinds.entry(concrete.kind()).or_default() += 1;
        }
        self.records(component, &group, &answers).await?;
        self.orders.push((by, group));
        Ok(())
    }

    /// The records are where the receipt says, and name their command.
    async fn records(
        &self,
        component: ComponentId,
        group: &[Concrete],
        answers: &[(Reply, Placed)],
    ) -> Outcome {
        let grant = self.world.grant(By::First).expect("it is open");
        let reads = self
            .world
            .ledger()
            .reader(grant)
            .map_err(|e| e.to_string())?;
        for (concrete, (_, placed)) in group.iter().zip(answers) {
            for seq in placed.first..=placed.last {
                let record = reads.get(Seq::new(seq).unwrap()).await;
                let record = record.map_err(|e| e.to_string())?.ok_or("no record")?;
                let command = concrete.context().command_id().unwrap_or_default();
                let expected = (command, component, placed.time_ns);
                let header = record.header;
                let found = (header.command, header.component, header.time_ns);
                same("record", &expected, &found)?;
            }
        }
        Ok(())
    }
}

/// What the grant does not cover.
fn access(by: By, grant: &Grant, group: &[Concrete]) -> Result<(), AccessError> {
    let Some(store) = group.first().map(Concrete::store) else {
        return Ok(());
    };
    let component = grant.name().to_owned();
    match by {
        By::Earlier => Err(AccessError::ForeignGrant),
        By::Revoked => Err(AccessError::Revoked { component }),
        _ if grant.rights().append_mask().contains(store) => Ok(()),
        _ => Err(AccessError::NotGranted {
            component,
            right: Right::Append,
            store,
        }),
    }
}

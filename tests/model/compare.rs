// SPDX-License-Identifier: Apache-2.0
//! All that there is to see, against the model; queries against a full scan of the journal.

use femtoclaw_ledger::execution_log::StatusCount;
use std::collections::BTreeMap;

use femtoclaw_ledger::events::{ExecutionId, Record, Seq};
use femtoclaw_ledger::integrity::digest;
use femtoclaw_ledger::integrity::evidence::{Closing, Stream, StreamReader};
use femtoclaw_ledger::projections::{AsOf, ExecutionStatus, RecordOrder, RegistryState};
use femtoclaw_ledger::{Ledger, Reads};

use super::drive::{Driver, same};
use super::ops::By;
use super::reference::{Capability, Execution, Version};
use super::searching::{asked, fits};
use super::whom::entry;
use super::world::Outcome;

pub(crate) fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Configuration version and registry version in force.
pub(crate) fn versions(ledger: &Ledger) -> (u64, u64) {
    let in_force = ledger.in_force();
    (
        in_force.configuration_version(),
        in_force.registry_version(),
    )
}

impl Driver {
    pub(crate) async fn compare(&self) -> Outcome {
        let ledger = self.world.ledger();
        let grant = self.world.grant(By::First).ok_or("it is not open")?;
        ledger.at_least(ledger.head().seq).await.map_err(text)?;
        same("in force", &self.model.versions(), &versions(ledger))?;
        same("health", &true, &ledger.health().healthy)?;
        self.configuration(&ledger.configuration(grant).map_err(text)?)
            .await?;
        self.metadata(&ledger.runtime_metadata(grant).map_err(text)?)
            .await?;
        self.executions(&ledger.execution_log(grant).map_err(text)?)
            .await?;
        self.commands().await?;
        self.queries(&ledger.reader(grant).map_err(text)?).await
    }

    async fn configuration(&self, view: &femtoclaw_ledger::Configuration) -> Outcome {
        let names: Vec<&String> = self.model.documents.keys().collect();
        let found = view.documents().await.map_err(text)?;
        same("documents", &names, &found.iter().collect())?;
        for (name, versions) in &self.model.documents {
            let current = view.current(name).await.map_err(text)?.map(|it| it.content);
            let last = versions.last().map(|it| it.content.clone());
            same("current content", &last, &current)?;
            let history = view.history(name).await.map_err(text)?;
            same("versions", &versions.len(), &history.len())?;
            for ((number, version), info) in (1..).zip(versions).zip(&history) {
                let Version { content, .. } = version;
                let told = (
                    (
                        info.version,
                        info.configuration_version,
                        info.restored_version,
                    ),
                    (info.author.clone(), info.reason.clone(), info.component),
                    (info.seq, info.time_ns, info.content_digest),
                );
                let expected = (
                    (number, version.configuration_version, version.restored),
                    (
                        version.author.clone(),
                        version.reason.clone(),
                        version.component,
                    ),
                    (version.seq, version.time_ns, digest(content)),
                );
                same("version", &expected, &told)?;
                let found = view.version(name, number).await.map_err(text)?;
                same(
                    "content",
                    &Some(content.clone()),
                    &found.map(|it| it.content),
                )?;
                let then = view
                    .as_of(name, AsOf::Seq(version.seq))
                    .await
                    .map_err(text)?;
                same("as of", &Some(number), &then.map(|it| it.info.version))?;
                let before = view
                    .as_of(name, AsOf::Seq(version.seq - 1))
                    .await
                    .map_err(text)?;
                let earlier = (number > 1).then(|| number - 1);
                same("before", &earlier, &before.map(|it| it.info.version))?;
            }
        }
        Ok(())
    }

    async fn metadata(&self, view: &femtoclaw_ledger::RuntimeMetadata) -> Outcome {
        let runtime = view.runtime().await.map_err(text)?;
        let runtime = runtime.map(|it| (it.runtime, it.version, it.seq));
        same("runtime", &self.model.runtime, &runtime)?;
        let modules = view.modules().await.map_err(text)?.into_iter();
        let modules: BTreeMap<_, _> = modules.map(|it| (it.name, (it.version, it.seq))).collect();
        same("modules", &self.model.modules, &modules)?;
        let state = view.state().await.map_err(text)?.map(|it| it.state);
        same("state", &Some(self.model.machine()), &state)?;
        for (name, saved) in &self.model.positions {
            let found = view.position(name).await.map_err(text)?;
            let found = found.map(|it| (it.position, it.seq));
            same("position", &Some(*saved), &found)?;
        }
        let registry = view.registry().await.map_err(text)?;
        let expected = (self.model.registry_version, self.model.registry.clone());
        same("registry", &expected, &plain(registry))?;
        self.registry_then(view).await
    }

    /// After each of its versions, and just before.
    async fn registry_then(&self, view: &femtoclaw_ledger::RuntimeMetadata) -> Outcome {
        let mut before = (0, BTreeMap::new());
        for (version, (seq, registry)) in (1..).zip(&self.model.registries) {
            let found = view.registry_as_of(AsOf::Seq(seq - 1)).await;
            same("registry before", &before, &plain(found.map_err(text)?))?;
            before = (version, registry.clone());
            let found = view.registry_as_of(AsOf::Seq(*seq)).await;
            same("registry as of", &before, &plain(found.map_err(text)?))?;
        }
        Ok(())
    }

    async fn executions(&self, view: &femtoclaw_ledger::ExecutionLog) -> Outcome {
        let mut counts = Vec::new();
        for status in ExecutionStatus::ALL {
            let mut expected: Vec<(u64, ExecutionId)> = self
                .model
                .executions
                .iter()
                .filter(|(_, it)| it.status == status)
                .map(|(execution, it)| (it.first, *execution))
                .collect();
            expected.sort_unstable();
            let found = view.executions().status(status).first(usize::MAX);
            let found = found.await.map_err(text)?;
            let found: Vec<_> = found
                .iter()
                .map(|it| (it.first_seq, it.execution))
                .collect();
            same(status.name(), &expected, &found)?;
            if !expected.is_empty() {
                let executions = expected.len() as u64;
                counts.push(StatusCount { status, executions });
            }
        }
        same("counts", &counts, &view.counts().await.map_err(text)?)?;
        self.found(view).await?;
        let in_doubt = view.in_doubt().await.map_err(text)?.len();
        same(
            "in doubt",
            &self.model.count(ExecutionStatus::InDoubt),
            &in_doubt,
        )?;
        for (id, execution) in &self.model.executions {
            let found = view.get(*id).await.map_err(text)?;
            let expected = entry(*id, execution, self.pseudonym(execution.subject)?);
            same("execution", &Some(expected), &found)?;
        }
        Ok(())
    }

    /// Every command that was committed is found, whatever was restarted or deleted since.
    async fn commands(&self) -> Outcome {
        for by in [By::First, By::Second] {
            let grant = self.world.grant(by).ok_or("it is not open")?;
            let own = |component| component == grant.component();
            let sent = self.model.sent.iter().filter(|((who, _), _)| own(*who));
            for ((_, command), sent) in sent {
                let found = self.world.ledger().lookup(grant, *command).await;
                let found = found.map_err(text)?;
                let found = found.map(|it| (it.first.get(), it.last.get(), it.time_ns));
                let placed = sent.placed;
                let expected = Some((placed.first, placed.last, placed.time_ns));
                same("lookup", &expected, &found)?;
            }
        }
        Ok(())
    }

    async fn queries(&self, reads: &Reads) -> Outcome {
        // The ledger goes on to write records of its own, of a refusal for example.
        let head = self.world.ledger().head().count();
        self.world
            .ledger()
            .at_least(Seq::new(head))
            .await
            .map_err(text)?;
        let all = reads.range(Seq::FIRST, head as usize).await.map_err(text)?;
        let gapless = (1..)
            .zip(&all)
            .all(|(seq, record)| record.header.seq.get() == seq);
        same("gapless", &true, &gapless)?;
        same("head", &(all.len() as u64), &head)?;
        self.traces(reads, &all).await?;
        let asked = asked(&all);
        for mut filter in self.filters(&all)? {
            let fits = |record: &&Record| fits(record, &filter, &asked);
            let fit = all.iter().filter(fits).map(|it| it.header.seq.get());
            let mut scan: Vec<u64> = fit.collect();
            for order in [RecordOrder::Oldest, RecordOrder::Newest] {
                filter.order = order;
                let found = reads.query(filter.clone(), usize::MAX).await;
                let found = found.map_err(text)?;
                let found = found.iter().map(|it| it.header.seq.get());
                let found: Vec<u64> = found.filter(|seq| *seq <= head).collect();
                same(&format!("{filter:?}"), &scan, &found)?;
                scan.reverse();
            }
            // The first of them, so many that they may be all.
            filter.seq.get_or_insert(1..=head);
            let some = scan.len().min(7);
            let found = reads.query(filter.clone(), some).await.map_err(text)?;
            let found: Vec<u64> = found.iter().map(|it| it.header.seq.get()).collect();
            scan.reverse();
            scan.truncate(some);
            same(&format!("{filter:?}, {some}"), &scan, &found)?;
        }
        Ok(())
    }

    /// An execution's trace is every record that names it, and its stream alone, told from headers,
    /// says whether it ended and how.
    async fn traces(&self, reads: &Reads, all: &[Record]) -> Outcome {
        for (id, execution) in &self.model.executions {
            let mut stream = StreamReader::new(*id);
            let own = all.iter().filter(|it| StreamReader::is_of(*id, &it.header));
            for record in own {
                stream.next(&record.header).map_err(text)?;
            }
            let found = match stream.finish().map_err(text)? {
                Stream::Complete { closed_by, .. } => Some(closed_by),
                Stream::Open { .. } => None,
            };
            same("closing", &closing(execution), &found)?;
            let naming = all.iter().filter(|it| it.header.execution == *id);
            let expected: Vec<Seq> = naming.map(|it| it.header.seq).collect();
            let found = reads.reconstruct(*id).await.map_err(text)?;
            let steps = found.ok_or("no trace")?.steps;
            let found: Vec<Seq> = steps.iter().map(|it| it.seq).collect();
            same("trace", &expected, &found)?;
        }
        Ok(())
    }
}

fn closing(execution: &Execution) -> Option<Closing> {
    match execution.status {
        // Time was over, on the record; without a request it was a new opening.
        ExecutionStatus::Abandoned if execution.asked.requested > 0 => Some(Closing::Abandoned),
        ExecutionStatus::Completed => Some(Closing::Completed),
        ExecutionStatus::Failed => Some(Closing::Failed),
        ExecutionStatus::Cancelled => Some(Closing::Cancelled),
        ExecutionStatus::Denied => Some(Closing::Denied),
        ExecutionStatus::Rejected => Some(Closing::Rejected),
        ExecutionStatus::Resolved => Some(Closing::Resolved),
        _ => None,
    }
}

fn plain(registry: RegistryState) -> (u64, BTreeMap<String, Capability>) {
    let capabilities = registry.capabilities.into_iter().map(|(name, it)| {
        let capability = Capability {
            version: it.version,
            parameters: it.parameters,
            enabled: it.enabled,
            registry_version: it.registry_version,
            seq: it.seq,
        };
        (name, capability)
    });
    (registry.registry_version, capabilities.collect())
}

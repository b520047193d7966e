// SPDX-License-Identifier: Apache-2.0
//! Time passes: what waited for persons ends, on the ledger by itself.

use std::time::Duration;

use femtoclaw_ledger::events::Seq;
use femtoclaw_ledger::projections::ExecutionStatus as Status;

use super::compare::text;
use super::drive::Driver;
use super::ops::By;
use super::world::{LONG, Outcome};

/// Until when what is asked may be approved, from the request on.
pub(crate) const UNTIL: Duration = Duration::from_secs(3_600);

const WAITING: [Status; 2] = [Status::AwaitingApproval, Status::Approved];

impl Driver {
    pub(crate) async fn expire(&mut self) -> Outcome {
        let waiting = self.model.executions_that(|it| WAITING.contains(&it));
        if waiting.is_empty() {
            return Ok(());
        }
        self.world.clock.advance(UNTIL * 2);
        let ledger = self.world.ledger().clone();
        let grant = self.world.grant(By::First).ok_or("it is not open")?;
        let log = ledger.execution_log(grant).map_err(text)?;
        let ends = async {
            for execution in &waiting {
                loop {
                    ledger.at_least(ledger.head().seq).await.map_err(text)?;
                    let entry = log.get(*execution).await.map_err(text)?;
                    let status = entry.ok_or("it is gone")?.status;
                    if !WAITING.contains(&status) {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
            Ok::<_, String>(())
        };
        tokio::time::timeout(LONG, ends)
            .await
            .map_err(|_| "they do not end")??;
        let reads = ledger.reader(grant).map_err(text)?;
        let head = ledger.head().count() as usize;
        let records = reads.range(Seq::FIRST, head).await.map_err(text)?;
        for execution in waiting {
            let own = records.iter().rev();
            let last = own
                .map(|it| &it.header)
                .find(|it| it.execution == execution);
            let last = last.ok_or("no record")?;
            self.model.expired(execution, last.seq.get(), last.time_ns);
        }
        Ok(())
    }
}

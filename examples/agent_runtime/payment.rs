// SPDX-License-Identifier: Apache-2.0
//! A payment that the gate lets nobody make alone: a person is asked, and what the person allowed is done.
//!
//! A runtime shows what waits in a page or a chat, days may pass, and the process may be another by then. Here the person
//! is on the command line, so the answer comes at once.

use std::time::Duration;

use femtoclaw_ledger::clock::{Clock, SystemClock};
use femtoclaw_ledger::events::Party;
use femtoclaw_ledger::execution_log::{Approval, ApprovalOutcome, ApprovalRequest, Awaiting};
use femtoclaw_ledger::{Context, Started};
use serde_json::{Value, json};

use crate::ledger_port::Port;
use crate::problem::{Exit, Problem};
use crate::report::hex;

/// Registered by the first run.
pub(crate) const PAYMENT: &str = "payment.send";
/// A person has so long to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(900);
/// The issuer of the names of persons and agents here.
const ISSUER: &str = "https://id.example";

impl Port {
    /// Asks for a payment, which this person allows, and pays; what there is to tell of it.
    pub(crate) async fn pay(&self, person: &str) -> Result<Value, Problem> {
        let approver = party(person);
        self.ask_to_pay(&approver).await?;
        // The answer is given to the request that is on the record: another process may have asked.
        let log = &self.executions;
        let waiting = log.executions().awaiting().asked(approver.clone());
        let Some(Awaiting { entry, request }) = waiting.soonest(1).await?.pop() else {
            return Err(Problem::stop(Exit::Failure, "nothing waits to be approved"));
        };
        let Some(request) = request else {
            return Err(Problem::stop(Exit::Failure, "the request may not be read"));
        };
        let approval = Approval::new(approver, "command line", request.shown_digest);
        let approval = approval.reason("ordered with --approve");
        let context = Context::new();
        let outcome = log.approve(entry.execution, context, approval).await?;
        // Approved is not started: only a running execution is leave to act.
        if !matches!(outcome, ApprovalOutcome::Approved { .. }) {
            return Err(Problem::stop(Exit::Failure, "others must approve it too"));
        }
        let started = log.start_approved(entry.execution, Context::new()).await?;
        let Started::Running(running) = started else {
            return Err(Problem::stop(Exit::Failure, "it was started before"));
        };
        let paid = json!({"paid": true, "by": "nobody: this is an example"});
        let finished = self.finish(running, Ok(paid.to_string().into_bytes()));
        finished.await?;
        Ok(json!({
            "execution": entry.execution.to_string(),
            "rule": request.rule,
            "shown": String::from_utf8_lossy(&request.shown),
            "shown_digest": hex(&request.shown_digest),
            "approved_by": person,
        }))
    }

    async fn ask_to_pay(&self, approver: &Party) -> Result<(), Problem> {
        let within_ns = i64::try_from(ANSWER_WITHIN.as_nanos()).unwrap_or(i64::MAX);
        let until_ns = SystemClock::default().now_ns().saturating_add(within_ns);
        let (_, basis) = self.gate().await?;
        let rule = "payments above 1,000 EUR";
        let behalf = [party("maria"), party("travel-agent")];
        let request = ApprovalRequest::new(PAYMENT, rule, until_ns, basis)
            .context(Context::new().on_behalf_of(behalf))
            .arguments(br#"{"eur":5000,"to":"ACME"}"#.to_vec())
            .reason("more than an agent may pay alone")
            .ask(approver.clone())
            .shown("Pay 5,000 EUR to ACME for Maria's journey?");
        self.executions.request_approval(request).await?;
        Ok(())
    }
}

fn party(id: &str) -> Party {
    Party {
        issuer: ISSUER.to_owned(),
        id: id.to_owned(),
    }
}

// SPDX-License-Identifier: Apache-2.0
//! A whole agent runtime on the ledger, in one file: three tools, a policy that people change and
//! roll back, approval, a retry after a crash, what was denied, a live tail, a quota, SIGTERM.

#![cfg(feature = "engine")]
#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use std::{error::Error, path::Path, process::Command, time::Duration};

use femtoclaw_ledger::{
    AppendError, Begun, CapabilityDefinition, Change, Configuration, Context, ExecutionLog,
    Failure, Ledger, Observation, Options, Quota, Request, Rights, Rollback, Root,
    events::*,
    execution_log::{ExecutionStatus as Is, Resolve, Standing},
};
use futures_util::TryStreamExt as _;
use rustix::process::{Signal, getpid, kill_process};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const CHILD: &str = "EMBEDDING_TEST_CHILD";

fn run(tool: &str, arguments: &Value) -> Result<Value, Failure> {
    match tool {
        "count" => Ok(json!(arguments["items"].as_array().map(Vec::len))),
        "read" => Err(Failure::new("not_found", "there is no such file")),
        _ => Ok(json!({"paid": arguments["amount"]})),
    }
}

struct Agent {
    ledger: Ledger,
    root: Root,
    log: ExecutionLog,
    configuration: Configuration,
}

impl Agent {
    async fn open(path: &Path) -> Outcome<Self> {
        let (ledger, root) = Ledger::open(path, Options::default()).await?;
        let (rights, quota) = (Rights::all(), Quota::default());
        let grant = root.grant("agent", rights, quota).await?;
        let configuration = ledger.configuration(&grant)?;
        let agent = Self {
            log: ledger.execution_log(&grant)?,
            configuration,
            ledger,
            root,
        };
        if agent.ledger.in_force().document("policy").is_none() {
            agent.policy(10, 0).await?;
            let metadata = agent.ledger.runtime_metadata(&grant)?;
            for tool in ["count", "read", "pay"] {
                let definition = CapabilityDefinition::new("1");
                metadata.register(tool, definition, Context::new()).await?;
                metadata.enable(tool).await?;
            }
        }
        Ok(agent)
    }

    async fn policy(&self, pay_max: u64, expected: u64) -> Outcome<u64> {
        let change = Change::new("policy", "").author("ada").reason("limits");
        let change = change.content_json(&json!({"pay_max": pay_max}))?;
        let change = change.expecting(expected);
        Ok(self.configuration.change(change).await?.version)
    }

    /// Decided by the policy that is in force, or by a person.
    async fn gate(&self, tool: &str, with: &Value, approver: &str) -> Outcome<Request> {
        let in_force = self.ledger.in_force();
        let policy = self.configuration.content(&in_force, "policy").await?;
        let policy: Value = serde_json::from_slice(&policy.ok_or("no policy")?.content)?;
        let too_much = with["amount"].as_u64() > policy["pay_max"].as_u64();
        let (decision, reason) = match (too_much, approver) {
            (false, _) => (Decision::Authorized, "within the limits".to_owned()),
            (true, "") => (Decision::DeniedPolicyViolation, "too much".to_owned()),
            (true, approver) => (Decision::Authorized, format!("approved by {approver}")),
        };
        let basis = in_force.basis_of("policy").ok_or("no policy")?;
        let request = Request::new(tool, decision, basis).reason(reason);
        Ok(request.arguments_json(with)?)
    }

    /// One tool call. Sent again with its id it happens once, and is answered with how it ended.
    async fn call(&self, id: CommandId, tool: &str, with: Value, approver: &str) -> Outcome<Is> {
        let begun = loop {
            let request = self.gate(tool, &with, approver).await?;
            let request = request.context(Context::new().command(id));
            match self.log.begin(request).await {
                Err(AppendError::PermitStale { .. }) => {} // the policy has changed: decide again
                begun => break begun?,
            }
        };
        let execution = begun.execution();
        match begun {
            Begun::Started(running) => match run(tool, &with) {
                Ok(result) => running.complete_json(Context::new(), &result).await?,
                Err(failure) => running.fail(Context::new(), failure).await?,
            },
            // A crash came between start and result: the bank knows.
            Begun::Duplicate(earlier) if earlier.standing == Standing::InDoubt => {
                let known = Resolve::new(Resolution::Completed, "the bank has booked it");
                let known = known.result_json(&json!({"paid": with["amount"]}))?;
                self.log.resolve(execution, Context::new(), known).await?
            }
            denied_or_done => denied_or_done.receipt(),
        };
        Ok(self.log.get(execution).await?.ok_or("gone")?.status)
    }

    async fn ends(&self, tool: &str, with: Value, approver: &str, end: Is) -> Outcome<()> {
        let ended = self.call(CommandId::new(), tool, with, approver).await?;
        assert_eq!(ended, end, "{tool}");
        Ok(())
    }
}

/// Pays, and tells nobody any more.
async fn crash(path: &Path, id: CommandId, with: &Value) -> Outcome<()> {
    let agent = Agent::open(path).await?;
    let request = agent.gate("pay", with, "").await?;
    let request = request.context(Context::new().command(id));
    let _paid = agent.log.begin(request).await?.started()?;
    std::process::abort()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_runtime() -> Outcome<()> {
    let (id, nine) = (CommandId::from_bytes([7; 16]), json!({"amount": 9}));
    if let Some(path) = std::env::var_os(CHILD) {
        crash(path.as_ref(), id, &nine).await?;
    }
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("ledger");
    let mut child = Command::new(std::env::current_exe()?);
    child
        .args(["--exact", "an_agent_runtime"])
        .env(CHILD, &path);
    assert!(!child.output()?.status.success());
    let agent = Agent::open(&path).await?;
    let (ledger, root) = (agent.ledger.clone(), agent.root.clone());
    let auditor = Rights::none().read(Store::AuditLog);
    let auditor = root.grant("auditor", auditor, Quota::default()).await?;
    let mut tail = ledger.reader(&auditor)?.follow(Seq::FIRST)?;
    let tail = tokio::spawn(async move {
        let mut seen = Vec::new();
        while let Ok(Some(record)) = tail.try_next().await {
            seen.push(record.header.event_type);
        }
        seen // until the ledger was closed
    });

    // The payment that the crash cut short: once, however often it is asked for.
    assert_eq!(agent.log.in_doubt().await?.len(), 1);
    for _ in 0..2 {
        assert_eq!(agent.call(id, "pay", nine.clone(), "").await?, Is::Resolved);
    }
    assert_eq!(agent.log.in_doubt().await?.len(), 0);

    // Three tools; what is too much needs a person.
    let (two, fifty) = (json!({"items": [1, 2]}), json!({"amount": 50}));
    agent.ends("count", two, "", Is::Completed).await?;
    agent.ends("read", json!({}), "", Is::Failed).await?;
    agent.ends("pay", fifty.clone(), "", Is::Denied).await?;
    agent.ends("pay", fifty, "grace", Is::Completed).await?;

    // A stricter policy, and back.
    agent.policy(1, 1).await?;
    agent.ends("pay", nine.clone(), "", Is::Denied).await?;
    let back = Rollback::new("policy", 1).author("ada").reason("strict");
    let back = agent.configuration.rollback(back.expecting(2)).await?;
    assert_eq!(back.version, 3);
    agent.ends("pay", nine, "", Is::Completed).await?;

    // What was denied last, the newest first.
    let denied = agent.log.executions().denied().last(50).await?;
    assert_eq!(denied.len(), 2);
    assert!(denied[0].capability == "pay" && denied[0].first_seq > denied[1].first_seq);
    assert_eq!(denied[0].decision(), Some(Decision::DeniedPolicyViolation));

    // Who talks too much is held to its quota.
    let quota = Quota::default().records_per_second(5);
    let chatty = root.grant("chatty", Rights::all(), quota).await?;
    let telemetry = ledger.telemetry(&chatty)?;
    let ticks = (0..100).map(|_| Observation::new(TelemetryKind::Other, "tick"));
    let refused: Vec<_> = ticks.filter_map(|it| telemetry.emit(it).err()).collect();
    assert!(refused.len() > 50 && refused[0].code() == "quota_exceeded");

    // SIGTERM: an orderly end. Nothing is in doubt, and the tail has seen what was done.
    let mut terminate = signal(SignalKind::terminate())?;
    kill_process(getpid(), Signal::TERM)?;
    terminate.recv().await;
    drop(agent);
    assert_eq!(root.close(Duration::from_secs(60)).await?.running, 0);
    assert!(tail.await?.contains(&EventType::ExecutionResolved));
    Ok(())
}

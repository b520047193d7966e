// SPDX-License-Identifier: Apache-2.0
//! A small agent runtime that embeds the ledger: it reads an agent's protocol outputs, validates
//! them, decides, acts, and has every step on record before the next one is taken.
//!
//! ```text
//! cargo run --release --example agent_runtime -- --help
//! ```
//!
//! An execution is two commits. The first — input, validation, decision, start — is durable before
//! anything happens in the world; the second holds the result. A runtime that dies between them
//! leaves the execution *in doubt*, and its next start says so.
//!
//! It uses the published crates `femtoclaw-protocol` and `femtoclaw-policy` as they are, knowing
//! their limits:
//!
//! * `femtoclaw_policy::CapabilityGate` ignores conditions and arguments, iterates policies in random
//!   order (so exactly one is loaded), registers capabilities enabled, has no argument decision, and
//!   keeps its registry to itself. Hence the registry's state comes from the ledger and the gate is
//!   rebuilt from it (`policy.rs`), and the check of arguments is this example's own
//!   (`capabilities.rs`, and `policy.rs` for what the policy says of them).
//! * `femtoclaw_protocol::Validator` goes through `serde_json::Value`, which reorders keys, drops
//!   duplicate ones and rounds large numbers, and it lets unknown nested fields pass. Hence raw bytes
//!   are recorded, a second look refuses what the first one dropped, and arguments are cut out of the
//!   raw bytes unparsed (`protocol.rs`).
//!
//! All calls into the ledger are in `ledger_port.rs`, and those about a person who is asked in `payment.rs`.

use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::Instant;

use acks::Acks;
use args::Args;
use effects::Effects;
use input::Source;
use ledger_port::Port;
use problem::{Exit, Problem};
use report::{Report, Summary, hex};
use runtime::Runtime;

mod acks;
mod args;
mod capabilities;
mod effects;
mod first_run;
mod input;
mod ledger_port;
mod payment;
mod policy;
mod problem;
mod protocol;
mod report;
mod runtime;
mod serve;

/// How long closing waits for executions that still run.
const CLOSE_DEADLINE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let args = Args::read();
    let level = match args.verbose {
        0 => tracing::Level::WARN,
        1 => tracing::Level::INFO,
        _ => tracing::Level::DEBUG,
    };
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr);
    log.with_max_level(level).init();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    match runtime.block_on(run(args)) {
        Ok(exit) => exit.into(),
        Err(problem) => failed(&problem),
    }
}

fn failed(problem: &Problem) -> ExitCode {
    eprintln!("agent_runtime: {}", problem.message);
    problem.exit().into()
}

async fn run(args: Args) -> Result<Exit, Problem> {
    let stop = stop_signals()?;
    // Before the ledger is opened: it takes its metric handles then, and what cannot work fails first.
    let pages = match args.metrics {
        Some(address) => {
            let recorder = serve::install_recorder();
            let recorder = recorder.map_err(|error| Problem::stop(Exit::Failure, error))?;
            let listener = serve::bind(address).await?;
            eprintln!("metrics at http://{}/metrics", listener.local_addr()?);
            Some((listener, recorder))
        }
        None => None,
    };
    let lines = source(&args)
        .lines(args.repeat)
        .map_err(|error| missing(&args, &error))?;
    let runtime = Arc::new(start(&args).await?);
    let server = pages.map(|(listener, page)| {
        let health = Arc::new(runtime.port.health());
        tokio::spawn(serve::serve(listener, page, health))
    });
    let since = Instant::now();
    let concurrency = usize::try_from(args.concurrency).unwrap_or(usize::MAX);
    let mut handled = runtime.handle_all(lines, concurrency, stop.clone()).await;
    if let (Ok(()), Some(person)) = (&handled, &args.approve) {
        let paid = runtime.port.pay(person).await;
        handled = paid.map(|told| runtime.report.fact("paid", &told));
    }
    let head = runtime.port.head();
    let in_doubt = runtime.port.in_doubt().await?;
    runtime.report.summary(&Summary {
        took: since.elapsed(),
        acks: runtime.acks.count(),
        head: head.count(),
        hash: hex(&head.hash),
        in_doubt,
    });
    if args.serve && handled.is_ok() {
        stay(&runtime, stop).await;
    }
    if let Some(server) = server {
        server.abort();
        drop(server.await);
    }
    let exit = if in_doubt > 0 || runtime.report.any_refused() {
        Exit::Warnings
    } else {
        Exit::Ok
    };
    let closed = match Arc::into_inner(runtime) {
        Some(runtime) => runtime.port.close(CLOSE_DEADLINE).await,
        None => Ok(()),
    };
    // What went wrong first is what there is to tell.
    handled.and(closed).map(|()| exit)
}

/// Opens the ledger, shows what it holds, and makes it ready for requests.
async fn start(args: &Args) -> Result<Runtime, Problem> {
    let effects = Effects::new(&args.root).map_err(|error| {
        Problem::stop(Exit::NotFound, format!("{}: {error}", args.root.display()))
    })?;
    let report = Report::new(args.json, args.quiet);
    let port = Port::open(&args.data, args.memtable_bytes).await?;
    report.recovered(&port.recovered().await?);
    let (acks_path, ledger) = (args.acks_path(), port.ledger_id());
    check_earlier(&acks_path, &ledger, &port, &report).await?;
    let keep = (args.acks.is_some() || args.crash_after.is_some()).then_some(acks_path.as_path());
    let acks = Acks::open(keep, &ledger, args.crash_after)?;
    if !args.keep_in_doubt {
        let resolved = port.resolve_in_doubt().await?;
        if !resolved.is_empty() {
            report.fact(
                "resolved",
                &json!({"count": resolved.len(), "as": "lost, restart"}),
            );
        }
        resolved.into_iter().try_for_each(|ack| acks.add(ack))?;
    }
    port.set_up()
        .await?
        .into_iter()
        .try_for_each(|ack| acks.add(ack))?;
    let gate = Mutex::new(Arc::new(port.gate().await?));
    Ok(Runtime {
        port,
        effects,
        acks,
        report,
        gate,
    })
}

/// Holds the acknowledgements that earlier runs wrote down against the ledger: every one must be
/// there, with the same records.
async fn check_earlier(
    path: &std::path::Path,
    ledger: &str,
    port: &Port,
    report: &Report,
) -> Result<(), Problem> {
    let Some(earlier) = acks::earlier(path, ledger)? else {
        return Ok(());
    };
    let mut missing = 0_u64;
    for ack in &earlier {
        missing += u64::from(port.lookup(ack.command).await? != Some(*ack));
    }
    report.fact(
        "earlier",
        &json!({"acknowledged": earlier.len(), "missing": missing}),
    );
    if missing > 0 {
        let message = format!("{missing} acknowledged commits are missing from the ledger");
        return Err(Problem::stop(Exit::Integrity, message));
    }
    Ok(())
}

/// Shows the head whenever it moves, until a signal comes.
async fn stay(runtime: &Runtime, mut stop: watch::Receiver<bool>) {
    let mut head = runtime.port.watch_head();
    loop {
        runtime
            .report
            .fact("head", &json!(head.borrow_and_update().count()));
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            changed = head.changed() => if changed.is_err() { return },
        }
    }
}

fn source(args: &Args) -> Source {
    match &args.input {
        None => Source::Bundled,
        Some(_) if args.reads_stdin() => Source::Stdin,
        Some(path) => Source::File(path.clone()),
    }
}

fn missing(args: &Args, error: &std::io::Error) -> Problem {
    let path = args.input.as_deref().unwrap_or_else(|| "input".as_ref());
    let exit = match error.kind() {
        std::io::ErrorKind::NotFound => Exit::NotFound,
        _ => Exit::Failure,
    };
    Problem::stop(exit, format!("{}: {error}", path.display()))
}

/// True once SIGTERM or Ctrl-C came. Taken over at once, so that even opening ends in a close.
fn stop_signals() -> Result<watch::Receiver<bool>, Problem> {
    let (sender, receiver) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        // Nobody listens any more where the program is about to end anyway.
        sender.send_replace(true);
        sender.closed().await;
    });
    Ok(receiver)
}

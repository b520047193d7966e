// SPDX-License-Identifier: Apache-2.0
//! Too large: what is cut rather than refused is cut before it waits, and stands for the whole.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use femtoclaw_ledger::events::{Event, Resolution, flags};
use femtoclaw_ledger::{
    AppendError, Context, ExecutionLog, Failure, Receipt,
    execution_log::{Ending, Imported, KEPT_BYTES, Rejection, Resolve},
    group::Command,
    redaction::{Field, Redaction},
};

use crate::ALLOCATED;
use crate::child::{child_command, child_path};
use crate::scene::{PART, WHOLE, begun, narrow};
use crate::shared::{WAIT, World, command, request};

/// What one caller hands over.
const BYTES: usize = 4 << 20;
const EACH: usize = 6;
const TEST: &str = "oversize::what_waits_costs_what_is_kept_of_it";

fn json(bytes: usize) -> Vec<u8> {
    format!("\"{}\"", "x".repeat(bytes - 2)).into_bytes()
}

type Answer = Pin<Box<dyn Future<Output = Result<(), AppendError>> + Send>>;

/// One command of each kind that is cut, not yet polled.
async fn each(world: &World, log: &ExecutionLog) -> Vec<(&'static str, Answer)> {
    let mut running = Vec::new();
    for _ in 0..4 {
        let begun = log.begin(request(&world.ledger, Context::new())).await;
        running.push(begun.unwrap().started().unwrap().detach());
    }
    let begun = log.begin(request(&world.ledger, Context::new())).await;
    let in_doubt = begun.unwrap().execution();
    let request = request(&world.ledger, Context::new());
    let ending = |number: usize| (log.clone(), running[number], Context::new());
    let (log, id, context) = ending(0);
    let mut all: Vec<(_, Answer)> = Vec::new();
    let complete = async move { log.complete(id, context, json(BYTES)).await.map(drop) };
    all.push(("complete", Box::pin(complete)));
    let (log, id, context) = ending(1);
    let failure = async move {
        let failure = Failure {
            code: "c".repeat(BYTES),
            message: "m".repeat(BYTES),
            result: json(BYTES),
        };
        log.fail(id, context, failure).await.map(drop)
    };
    all.push(("fail", Box::pin(failure)));
    let (log, id, context) = ending(2);
    let cancel = async move { log.cancel(id, context, "r".repeat(BYTES)).await.map(drop) };
    all.push(("cancel", Box::pin(cancel)));
    let (log, _, context) = ending(3);
    let resolve = async move {
        let resolve = Resolve {
            resolution: Resolution::Lost,
            reason: "r".repeat(BYTES),
            result: json(BYTES),
        };
        log.resolve(in_doubt, context, resolve).await.map(drop)
    };
    all.push(("resolve", Box::pin(resolve)));
    let (log, _, context) = ending(3);
    let reject = async move {
        let rejection = Rejection {
            context,
            execution: None,
            input: vec![0xFF; BYTES],
            problem: "no JSON".to_owned(),
        };
        log.reject(rejection).await.map(drop)
    };
    all.push(("reject", Box::pin(reject)));
    let ((log, _, _), mut asked) = (ending(3), request.clone());
    let begin = async move {
        asked.input = Some(vec![0xFF; BYTES]);
        log.begin(asked).await.map(|begun| {
            let _detached = begun.started().unwrap().detach();
        })
    };
    all.push(("begin", Box::pin(begin)));
    let ((log, _, _), mut asked) = (ending(3), request);
    let import = async move {
        asked.input = Some(vec![0xFF; BYTES]);
        let ending = Ending::Completed(json(BYTES));
        let request = asked;
        log.record(Imported { request, ending }).await.map(drop)
    };
    all.push(("import", Box::pin(import)));
    all
}

/// Each of them with the writer held: more than forty times as much as is allowed to be there.
async fn waiting() {
    let world = World::new(|options| options.limits.payload_bytes_max = KEPT_BYTES).await;
    let log = world.ledger.execution_log(&world.grant).unwrap();
    let mut all = Vec::new();
    for _ in 0..EACH {
        all.extend(each(&world, &log).await);
    }
    world.journal.hold();
    ALLOCATED.reset_peak_usage();
    let before = ALLOCATED.current_usage();
    for (kind, answer) in &mut all {
        let polled = std::future::poll_fn(|context| {
            std::task::Poll::Ready(answer.as_mut().poll(context).is_pending())
        });
        assert!(polled.await, "{kind} was answered with the writer held");
        // Its store decides before the next one comes.
        tokio::task::yield_now().await;
    }
    let grown = ALLOCATED.peak_usage() - before;
    // A caller's own at a time: three parts of a failure, and what validates and hashes them.
    let most = 4 * BYTES + all.len() * 8 * KEPT_BYTES;
    assert!(all.len() * BYTES > 4 * most, "it would show nothing");
    assert!(grown < most, "{grown} bytes, at most {most}");
    world.journal.release();
    for (kind, answer) in all {
        let answered = tokio::time::timeout(WAIT, answer).await;
        answered.expect("an answer").expect(kind);
    }
}

#[test]
fn what_waits_costs_what_is_kept_of_it() {
    if child_path().is_some() {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        return builder.enable_all().build().unwrap().block_on(waiting());
    }
    let output = child_command(TEST, Path::new("unused")).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
}

/// Takes whole JSON only.
struct Whole;

impl Redaction for Whole {
    fn redact(&self, field: Field, bytes: &mut Vec<u8>) -> Result<(), String> {
        let cut = field.name == "result" && bytes.last() != Some(&b'"');
        if cut { Err("cut".to_owned()) } else { Ok(()) }
    }
}

fn import(world: &World) -> Command {
    Command::Import(Imported {
        request: request(&world.ledger, command(7)),
        ending: Ending::Completed(json(2 << 20)),
    })
}

#[tokio::test]
async fn what_was_cut_comes_back_and_stands_for_the_whole() {
    let world = World::new(|options| {
        options.redaction = Some(Arc::new(Whole));
        options.wait_for_admission = false;
        options.limits.commit_records_max = WHOLE;
        options.limits.pending_records_max = WHOLE;
    })
    .await;
    let digest = import(&world).content_digest();
    world.journal.hold();
    let held = begun(&world, &world.grant, PART).await;
    let refused = world
        .ledger
        .commit(&world.grant, vec![import(&world)])
        .await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), "busy");
    world.journal.release();
    for answer in held {
        answer.await.unwrap();
    }
    let [Command::Cut(cut)] = &refused.commands[..] else {
        panic!("{:?}", refused.commands);
    };
    assert!(cut.command().size() < 2 * KEPT_BYTES);
    assert_eq!(refused.commands[0].content_digest(), digest);
    // Neither redacted nor read as JSON again.
    let cut = refused.commands;
    let committed = world.ledger.commit(&world.grant, cut).await;
    let first = committed.unwrap().unwrap().receipt;
    assert_whole(&world, first).await;
    // The whole is the same command.
    let again = world.ledger.commit(&world.grant, vec![import(&world)]);
    let again = again.await.unwrap().unwrap().receipt;
    assert!(again.duplicate);
    assert_eq!(again.first, first.first);
}

/// The record of its result has length and digest of the whole.
async fn assert_whole(world: &World, receipt: Receipt) {
    let reads = world.ledger.reader(&world.grant).unwrap();
    let records = reads.range(receipt.first, 8).await.unwrap();
    let completed = records.iter().find_map(|record| match record.event() {
        Ok(Event::ExecutionCompleted(event)) => Some((record.header.flags, event)),
        _ => None,
    });
    let (bits, event) = completed.expect("its result");
    let whole = json(2 << 20);
    assert_ne!(bits & flags::TRUNCATED, 0);
    assert_eq!(event.result, whole[..KEPT_BYTES]);
    assert_eq!(event.result_len, whole.len() as u64);
    assert_eq!(
        event.result_digest,
        femtoclaw_ledger::integrity::digest(&whole)
    );
}

/// What another opening has redacted and cut is not taken: nobody knows what it was.
#[tokio::test]
async fn what_another_opening_has_cut_is_refused() {
    let (first, second) = (narrow(false).await, narrow(false).await);
    first.journal.hold();
    let held = begun(&first, &first.grant, PART).await;
    let refused = first
        .ledger
        .commit(&first.grant, vec![import(&first)])
        .await;
    let cut = refused.unwrap_err().commands;
    let refused = second.ledger.commit(&second.grant, cut).await.unwrap_err();
    assert_eq!(refused.code(), "invalid", "{refused}");
    first.journal.release();
    drop(held);
}

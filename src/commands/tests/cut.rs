// SPDX-License-Identifier: Apache-2.0
//! Each part of a command that is too large to be kept whole is cut before the command waits; the whole stays known.

use super::*;
use crate::commands::measure::Measure;
use crate::config::KEPT_BYTES;
use crate::events::{Decision, LedgerId, Resolution};

const NAMED: ExecutionId = ExecutionId::from_bytes([7; 16]);
const OPENING: u64 = 5;

fn request(input: &[u8]) -> Request {
    Request {
        context: Context::new(),
        execution: Some(NAMED),
        input: Some(input.to_vec()),
        capability: "message".to_owned(),
        arguments: b"{}".to_vec(),
        decision: Decision::Authorized,
        reason: String::new(),
        basis: Basis {
            ledger: LedgerId::from_bytes([9; 16]),
            grounds: Grounds::default(),
        },
    }
}

fn finish(ending: Ending) -> Command {
    Command::Finish(Finish {
        context: Context::new(),
        execution: NAMED,
        ending,
    })
}

fn resolve(reason: &str, result: &[u8]) -> Command {
    Command::Resolve(ResolveInDoubt {
        context: Context::new(),
        execution: NAMED,
        resolve: Resolve {
            resolution: Resolution::Completed,
            reason: reason.to_owned(),
            result: result.to_vec(),
        },
    })
}

fn failed(code: &str, message: &str, result: &[u8]) -> Ending {
    Ending::Failed(Failure {
        code: code.to_owned(),
        message: message.to_owned(),
        result: result.to_vec(),
    })
}

/// Its inputs, results and texts.
type Parts = (Option<Vec<u8>>, Option<Vec<u8>>, Vec<String>);

fn of_ending(ending: &Ending) -> (Option<Vec<u8>>, Vec<String>) {
    match ending {
        Ending::Completed(result) => (Some(result.clone()), Vec::new()),
        Ending::Failed(it) => (
            Some(it.result.clone()),
            vec![it.code.clone(), it.message.clone()],
        ),
        Ending::Cancelled(reason) => (None, vec![reason.clone()]),
    }
}

fn parts(command: &Command) -> Parts {
    match command {
        Command::Authorize(it) | Command::Begin(it) => (it.input.clone(), None, Vec::new()),
        Command::Reject(it) => (Some(it.input.clone()), None, Vec::new()),
        Command::Finish(it) => {
            let (result, texts) = of_ending(&it.ending);
            (None, result, texts)
        }
        Command::Resolve(it) => (
            None,
            Some(it.resolve.result.clone()),
            vec![it.resolve.reason.clone()],
        ),
        Command::Import(it) => {
            let (result, texts) = of_ending(&it.ending);
            (it.request.input.clone(), result, texts)
        }
        other => panic!("{}", other.kind()),
    }
}

/// Each command with one part, or two, too large by one byte.
fn too_large(limits: &Limits) -> Vec<Command> {
    let input = vec![b'i'; KEPT_BYTES + 1];
    let result = vec![b'1'; limits.payload_bytes_max + 1];
    let text = "t".repeat(limits.text_bytes_max + 1);
    let name = "n".repeat(limits.name_bytes_max + 1);
    let imported = |input: &[u8], ending| {
        let request = request(input);
        Command::Import(Imported { request, ending })
    };
    vec![
        Command::Authorize(request(&input)),
        Command::Begin(request(&input)),
        Command::Reject(Rejection {
            context: Context::new(),
            execution: None,
            input: input.clone(),
            problem: "not JSON".to_owned(),
        }),
        finish(Ending::Completed(result.clone())),
        finish(failed("E", "why", &result)),
        finish(failed(&name, "why", b"1")),
        finish(failed("E", &text, b"1")),
        finish(Ending::Cancelled(text.clone())),
        resolve("why", &result),
        resolve(&text, b"1"),
        imported(&input, Ending::Completed(b"1".to_vec())),
        imported(b"i", Ending::Completed(result.clone())),
        imported(&input, Ending::Cancelled(text)),
    ]
}

#[test]
fn each_part_that_is_too_large_is_cut_and_known_by_its_length_and_digest() {
    let limits = Limits::default();
    for (number, command) in too_large(&limits).into_iter().enumerate() {
        let case = format!("{number}: {}", command.kind());
        let (digest, kind) = (command.content_digest(), command.kind());
        let (input, result, texts) = parts(&command);
        let cut = command.cut(&limits, OPENING);
        assert!(
            matches!(&cut, Command::Cut(cut) if cut.opening() == OPENING),
            "{case}"
        );
        // It stands for the whole.
        assert_eq!((cut.content_digest(), cut.kind()), (digest, kind), "{case}");
        let (kept, whole) = cut.parts();
        let (kept_input, kept_result, kept_texts) = parts(kept);
        let held =
            |whole: Option<Vec<u8>>, kept: Option<Vec<u8>>, measure: Option<Measure>, max| {
                let (whole, kept) = (whole.unwrap_or_default(), kept.unwrap_or_default());
                if whole.len() <= max {
                    assert!(whole == kept && measure.is_none(), "{case}");
                    return;
                }
                let (measure, expected) = (measure.unwrap(), Measure::of(&whole));
                assert_eq!(measure.len, expected.len, "{case}");
                assert_eq!(measure.digest, expected.digest, "{case}");
                assert!(kept == whole[..KEPT_BYTES], "{case}: {}", kept.len());
            };
        held(input, kept_input, whole.input, KEPT_BYTES);
        held(result, kept_result, whole.result, limits.payload_bytes_max);
        let long = |text: &String| text.len() > limits.name_bytes_max;
        assert_eq!(whole.text, texts.iter().any(long), "{case}");
        for (text, kept) in texts.iter().zip(kept_texts) {
            assert_eq!(kept.len(), text.len() - usize::from(long(text)), "{case}");
            assert!(text.starts_with(&kept), "{case}");
        }
    }
}

#[test]
fn what_fits_is_not_cut() {
    let limits = Limits::default();
    let (text, name) = (
        "t".repeat(limits.text_bytes_max),
        "n".repeat(limits.name_bytes_max),
    );
    let result = vec![b'1'; limits.payload_bytes_max];
    for command in [
        Command::Begin(request(&vec![b'i'; KEPT_BYTES])),
        finish(failed(&name, &text, &result)),
        resolve(&text, &result),
    ] {
        let kind = command.kind();
        let whole = parts(&command);
        let same = command.cut(&limits, OPENING);
        assert!(!matches!(same, Command::Cut(_)), "{kind}");
        assert!(parts(&same) == whole, "{kind}");
    }
}

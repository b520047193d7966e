// SPDX-License-Identifier: Apache-2.0
//! `femtoclaw-ledger inspect` and `salvage`: what they say, and how they end.

use std::fs;
use std::path::Path;
use std::process::Command;

use femtoclaw_ledger::events::EventType;
use femtoclaw_ledger::journal::{FjallJournal, FrameBuilder, Journal, JournalOptions};
use femtoclaw_ledger::{Ledger, Options};

use crate::fixtures::record;
use crate::scene::{Scene, find, flip, in_log, needle, state};

/// Exit code, standard output, standard error.
pub(crate) fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_femtoclaw-ledger"))
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn inspect(scene: &Scene) -> (i32, serde_json::Value) {
    let (code, json, _) = run(&["inspect", path(&scene.path), "--format", "json"]);
    (code, serde_json::from_str(&json).unwrap())
}

/// What others wrote comes to a terminal as what it is.
#[test]
fn nothing_that_deceives_reaches_a_terminal() {
    let scene = in_log();
    let hostile = "gpj\u{202e}exe\u{1b}[2J\u{2028}\u{200b}.creating";
    fs::write(scene.path.join(hostile), b"").unwrap();
    for format in ["table", "json"] {
        let (code, text, _) = run(&["inspect", path(&scene.path), "--format", format]);
        assert_eq!(code, 4, "{text:?}");
        let hidden = |char: char| femtoclaw_ledger::integrity::text::is_deceptive(char);
        let left = text.lines().flat_map(str::chars).find(|char| hidden(*char));
        assert_eq!(left, None, "{text:?}");
        let number = ["\\u{202e}", "\\u202e"].map(|number| text.contains(number));
        assert!(number.contains(&true), "{text:?}");
    }
    let (code, json) = inspect(&scene);
    let told = json["findings"][0]["path"].as_str().unwrap();
    assert!(code == 4 && told.ends_with(hostile), "{told:?}");
    let (_, _, told) = run(&["inspect", &format!("/nothing/{hostile}")]);
    assert!(told.contains("\\u{202e}exe\\u{1b}[2J"), "{told:?}");
}

/// A directory whose first frame was never written.
#[test]
fn inspect_says_that_there_are_no_records() {
    let scene = in_log();
    scene.empty();
    let (code, text, _) = run(&["inspect", path(&scene.path)]);
    for name in ["head", "verified", "anchored"] {
        let line = format!("{name:<12} no records");
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(
        code == 0 && text.contains("records      0\n"),
        "{code} {text}"
    );
    assert!(!text.contains("hash"), "{text}");
    let (code, json) = inspect(&scene);
    for name in ["head", "verified", "anchored"] {
        assert!(
            code == 0 && json[name].is_null() && json.get(name).is_some(),
            "{json}"
        );
    }
}

#[test]
fn inspect_tells_what_is_there_and_what_is_wrong() {
    let scene = in_log();
    let before = state(&scene.path);
    let (code, text, _) = run(&["inspect", path(&scene.path)]);
    assert_eq!(code, 0, "{text}");
    let head = scene.opened().head().count();
    for line in [
        format!("head         {head}"),
        format!("anchored     {head}"),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(text.contains("events       ExecutionStarted 40"), "{text}");
    let (code, json) = inspect(&scene);
    assert_eq!((code, &json["verified"]), (0, &head.into()));
    assert_eq!(json["unfinished"], 1);
    let running = scene.made.executions.last().unwrap().to_string();
    assert_eq!(json["in_doubt"][0], running.as_str());
    assert_eq!(json["stores"]["execution_log"].as_u64(), Some(40 * 2 + 39));
    assert!(state(&scene.path) == before);
    scene.tear();
    let (code, json) = inspect(&scene);
    assert_eq!(
        (code, &json["findings"][0]["kind"]),
        (4, &"torn_tail".into())
    );
    let log = &scene.logs()[0];
    flip(log, find(log, &needle(11)).unwrap());
    let (code, json) = inspect(&scene);
    assert_eq!((code, &json["unreadable"]), (3, &1.into()));
    assert_eq!(json["findings"][0]["damage"], true);
}

#[tokio::test]
async fn exit_codes_tell_why_nothing_was_read() {
    let scene = in_log();
    let nothing = scene.directory.path().join("nothing");
    assert_eq!(run(&["inspect", path(&nothing)]).0, 10);
    assert_eq!(run(&["inspect"]).0, 2);
    assert_eq!(run(&["inspect", path(&scene.path), "--log", "x"]).0, 2);
    let opened = Ledger::open(&scene.path, Options::default()).await.unwrap();
    let (code, _, error) = run(&["inspect", path(&scene.path)]);
    assert_eq!(code, 11);
    assert!(error.contains(&std::process::id().to_string()), "{error}");
    assert_eq!(
        run(&["salvage", path(&scene.path), path(&scene.to())]).0,
        11
    );
    drop(opened);
    let foreign = in_log();
    let identity = foreign.path.join("LEDGER");
    let text = fs::read_to_string(&identity).unwrap();
    for other in ["format 9", "format 2"] {
        fs::write(&identity, text.replace("format 3", other)).unwrap();
        assert_eq!(run(&["inspect", path(&foreign.path)]).0, 13, "{other}");
    }
}

#[test]
fn salvage_says_what_came_of_it() {
    let scene = in_log();
    let log = &scene.logs()[0];
    flip(log, find(log, &needle(11)).unwrap());
    let (from, to) = (path(&scene.path), scene.to());
    let (code, json, progress) = run(&["salvage", from, path(&to), "--format=json"]);
    assert_eq!(code, 4, "{progress}");
    assert!(progress.contains("copied") && progress.contains("reading back"));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let lost = json["first_lost"].as_u64().unwrap();
    assert_eq!(json["salvaged"], lost - 1);
    assert!(json["aside"].as_u64().unwrap() > 0);
    // The second one, and that of the close.
    assert_eq!(json["contradicts"].as_array().unwrap().len(), 2);
    assert_eq!(run(&["inspect", path(&to)]).0, 0);
    let (code, _, error) = run(&["salvage", from, path(&to)]);
    assert_eq!(code, 1);
    assert!(error.contains("exists"), "{error}");
    let whole = in_log();
    let (code, text, _) = run(&["salvage", path(&whole.path), path(&whole.to())]);
    assert_eq!(code, 0, "{text}");
}

/// Somebody put a record behind the close, whose every digest is right.
#[test]
fn inspect_tells_of_records_behind_a_close() {
    let scene = in_log();
    let journal = scene.path.join("journal");
    let journal = FjallJournal::open(&journal, &JournalOptions::default()).unwrap();
    let head = journal.head().unwrap();
    let ledger = journal.ledger().unwrap().unwrap();
    let mut frame = FrameBuilder::new(ledger, head.epoch, head);
    frame.push(&record(head.count() + 1), head.time_ns);
    journal.append(&frame.finish(), &head).unwrap();
    journal.close();
    drop(journal);
    let (code, json) = inspect(&scene);
    assert_eq!(
        (code, &json["after_close"]),
        (3, &(head.count() + 1).into())
    );
}

/// On a mount that nobody can write to, root neither.
#[test]
fn a_read_only_mount_is_enough() {
    let scene = in_log();
    let program = env!("CARGO_BIN_EXE_femtoclaw-ledger");
    let script = "mount --bind \"$1\" \"$1\" && mount -o remount,ro,bind \"$1\" || exit 99
        touch \"$1/more\" && exit 98
        exec \"$2\" inspect \"$1\"";
    let mut shell = Command::new("unshare");
    shell.args([
        "--mount",
        "sh",
        "-c",
        script,
        "sh",
        path(&scene.path),
        program,
    ]);
    let output = match shell.output() {
        Ok(output) if !matches!(output.status.code(), Some(99) | None) => output,
        _ => {
            eprintln!("SKIPPED: no mount can be made here");
            return;
        }
    };
    let text = String::from_utf8_lossy(&output.stdout);
    if output.status.code() == Some(1) && text.is_empty() {
        eprintln!("SKIPPED: {}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    assert_eq!(output.status.code(), Some(0), "{text}");
    let head = scene.opened().head().count();
    assert!(text.contains(&format!("head         {head}")), "{text}");
}

/// Newer software says that it is to be known: the program reads all of it, and writes nothing.
#[test]
fn an_event_of_newer_software_is_named_and_not_written_behind() {
    let scene = in_log();
    let at = scene.later(EventType(0x7777), 3).get();
    let before = state(&scene.path);
    let (code, json) = inspect(&scene);
    assert_eq!(
        (code, json["unknown_event"].as_u64()),
        (4, Some(at)),
        "{json}"
    );
    assert_eq!(json["events"]["0x7777"], 1, "{json}");
    let to = scene.to();
    let (code, _, told) = run(&["salvage", path(&scene.path), path(&to)]);
    assert_eq!(code, 13, "{told}");
    assert!(
        told.contains("0x7777") && told.contains("newer software"),
        "{told}"
    );
    assert!(!to.exists() && state(&scene.path) == before);
    // One that may be skipped is no matter.
    let scene = in_log();
    scene.later(EventType(0x8777), 3);
    let (code, json) = inspect(&scene);
    assert!(
        code == 0 && json.get("unknown_event").is_none(),
        "{code} {json}"
    );
}

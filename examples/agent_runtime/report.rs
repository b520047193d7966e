// SPDX-License-Identifier: Apache-2.0
//! What the user sees: data on standard output, as tables or as JSON lines.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use femtoclaw_ledger::events::{Decision, ExecutionId};
use femtoclaw_ledger::integrity::text::is_deceptive;
use serde::Serialize;
use serde_json::{Value, json};

/// How one request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Executed, with a result.
    Completed,
    /// Executed, and it failed.
    Failed,
    /// Not executed: one of the four denials.
    Denied,
    /// No request at all: the protocol does not accept it.
    Rejected,
    /// The ledger refused to record it, so it was not executed.
    Refused,
}

impl Ending {
    const ALL: [Self; 5] = [
        Self::Completed,
        Self::Failed,
        Self::Denied,
        Self::Rejected,
        Self::Refused,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Denied => "denied",
            Self::Rejected => "rejected",
            Self::Refused => "refused",
        }
    }
}

/// One request, handled.
#[derive(Debug)]
pub(crate) struct Handled {
    /// Its line in the input.
    pub(crate) line: u64,
    /// How it ended.
    pub(crate) ending: Ending,
    /// The decision, where there was one.
    pub(crate) decision: Option<Decision>,
    /// The capability, where there was one.
    pub(crate) capability: String,
    /// Its id in the ledger, where it got one.
    pub(crate) execution: Option<ExecutionId>,
    /// First and last record of it.
    pub(crate) records: Option<(u64, u64)>,
    /// From reading to the last acknowledgement.
    pub(crate) took: Duration,
    /// Reason, code or problem; may be empty.
    pub(crate) detail: String,
}

/// A capability in the registry.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Registered {
    /// Its name.
    pub(crate) capability: String,
    /// Its version.
    pub(crate) version: String,
    /// Whether it may be used.
    pub(crate) enabled: bool,
}

/// What opening the ledger found, before anything is done with it.
#[derive(Debug, Serialize)]
pub(crate) struct Recovered {
    /// The ledger's id.
    pub(crate) ledger: String,
    /// Its last record, this opening's own included.
    pub(crate) head: u64,
    /// That record's hash, hexadecimal.
    pub(crate) hash: String,
    /// This writer's epoch.
    pub(crate) epoch: u64,
    /// Executions that were started and never finished.
    pub(crate) in_doubt: Vec<String>,
    /// Version of the document `policy` (0: none).
    pub(crate) policy_version: u64,
    /// Its content.
    pub(crate) policy: Option<Value>,
    /// Number of registry changes.
    pub(crate) registry_version: u64,
    /// The registry.
    pub(crate) registry: Vec<Registered>,
}

/// Counts over all requests.
#[derive(Debug, Default, Clone)]
struct Counts {
    endings: BTreeMap<&'static str, u64>,
    decisions: BTreeMap<&'static str, u64>,
}

/// Writes the report; a closed pipe ends the writing, not the work.
#[derive(Debug)]
pub(crate) struct Report {
    json: bool,
    quiet: bool,
    counts: Mutex<Counts>,
}

/// The report's closing part.
#[derive(Debug)]
pub(crate) struct Summary {
    /// How long the requests took.
    pub(crate) took: Duration,
    /// Acknowledgements got.
    pub(crate) acks: u64,
    /// The last durable record.
    pub(crate) head: u64,
    /// Its hash, hexadecimal.
    pub(crate) hash: String,
    /// Executions still in doubt.
    pub(crate) in_doubt: usize,
}

fn print(text: &str) {
    let mut out = io::stdout().lock();
    // A reader that went away must not stop what is being recorded.
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

impl Report {
    /// A report of one of the two kinds.
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        let counts = Mutex::default();
        Self {
            json,
            quiet,
            counts,
        }
    }

    /// What was there at the start.
    pub(crate) fn recovered(&self, recovered: &Recovered) {
        if self.json {
            print(&format!("{}\n", json!({ "recovered": recovered })));
            return;
        }
        let Recovered {
            ledger,
            head,
            hash,
            epoch,
            ..
        } = recovered;
        let mut text =
            format!("ledger     {ledger}\nhead       {head} {hash}\nepoch      {epoch}\n");
        text += &format!("in doubt   {}\n", recovered.in_doubt.len());
        for execution in &recovered.in_doubt {
            text += &format!("           {execution}\n");
        }
        match &recovered.policy {
            Some(policy) => {
                text += &format!(
                    "policy     version {}: {policy}\n",
                    recovered.policy_version
                );
            }
            None => text += "policy     none yet\n",
        }
        text += &format!("registry   version {}\n", recovered.registry_version);
        for Registered {
            capability,
            version,
            enabled,
        } in &recovered.registry
        {
            let state = if *enabled { "enabled" } else { "disabled" };
            text += &format!("           {capability:<14} {version:<8} {state}\n");
        }
        print(&(text + "\n"));
    }

    /// A fact worth a line: a count and what it counts.
    pub(crate) fn fact(&self, name: &str, value: &Value) {
        if self.json {
            print(&format!("{}\n", json!({ name: value })));
        } else {
            print(&format!("{name:<10} {value}\n"));
        }
    }

    /// One request.
    pub(crate) fn handled(&self, handled: &Handled) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.endings.entry(handled.ending.name()).or_default() += 1;
        if let Some(decision) = handled.decision {
            *counts.decisions.entry(decision.name()).or_default() += 1;
        }
        drop(counts);
        if self.quiet {
            return;
        }
        let (ending, decision) = (handled.ending.name(), handled.decision.map(Decision::name));
        let (line, capability, detail) = (handled.line, &handled.capability, &handled.detail);
        let execution = handled.execution.map(|id| id.to_string());
        if self.json {
            let request = json!({
                "line": line, "ending": ending, "decision": decision, "capability": capability,
                "execution": execution, "first_seq": handled.records.map(|records| records.0),
                "last_seq": handled.records.map(|records| records.1),
                "took_us": micros(handled.took), "detail": detail,
            });
            print(&format!("{}\n", json!({ "request": request })));
            return;
        }
        let seqs = handled
            .records
            .map_or(String::new(), |(first, last)| format!("{first}..{last}"));
        print(&format!(
            "{line:>4}  {ending:<9}  {:<27}  {:<12}  {:<8}  seq {seqs:<11} {:>8.1} ms  {}\n",
            decision.unwrap_or("-"),
            printable(capability, 12),
            execution
                .as_deref()
                .and_then(|id| id.get(..8))
                .unwrap_or("-"),
            micros(handled.took) as f64 / 1_000.0,
            printable(detail, 72),
        ));
    }

    /// True where the ledger refused to record something.
    pub(crate) fn any_refused(&self) -> bool {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.endings.contains_key(Ending::Refused.name())
    }

    /// The closing part.
    pub(crate) fn summary(&self, summary: &Summary) {
        let counts = self
            .counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let requests: u64 = counts.endings.values().sum();
        let seconds = summary.took.as_secs_f64();
        if self.json {
            let value = json!({
                "requests": requests, "endings": counts.endings, "decisions": counts.decisions,
                "acknowledgements": summary.acks, "seconds": seconds, "head": summary.head,
                "hash": summary.hash, "in_doubt": summary.in_doubt,
            });
            print(&format!("{}\n", json!({ "summary": value })));
            return;
        }
        let per_second = requests as f64 / seconds.max(0.000_001);
        let mut text = format!("\nrequests   {requests} in {seconds:.3} s, {per_second:.0}/s\n");
        for ending in Ending::ALL {
            let count = counts.endings.get(ending.name()).copied().unwrap_or(0);
            text += &format!("  {:<28} {count:>8}\n", ending.name());
        }
        text += "decisions\n";
        for decision in Decision::ALL {
            let count = counts.decisions.get(decision.name()).copied().unwrap_or(0);
            text += &format!("  {:<28} {count:>8}\n", decision.name());
        }
        text += &format!("acknowledged commits {:>17}\n", summary.acks);
        text += &format!(
            "in doubt   {}\nhead       {} {}\n",
            summary.in_doubt, summary.head, summary.hash
        );
        print(&text);
    }
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

/// An agent chooses these words: nothing in them may move the cursor or fill the screen.
fn printable(text: &str, chars_max: usize) -> String {
    let clean = |char: char| if is_deceptive(char) { '\u{fffd}' } else { char };
    let mut out: String = text.chars().take(chars_max).map(clean).collect();
    if text.chars().nth(chars_max).is_some() {
        out.push('…');
    }
    out
}

/// Hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_agent_writes_cannot_act_on_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\n", 72), "a\u{fffd}[2Jb\u{fffd}");
        assert_eq!(printable("a\u{202e}b", 72), "a\u{fffd}b");
        assert_eq!(printable("abcdef", 3), "abc…");
        assert_eq!(printable("abc", 3), "abc");
        assert_eq!(hex(&[0, 0xAB]), "00ab");
    }
}

// SPDX-License-Identifier: Apache-2.0
//! What was found, for people and for programs.

use femtoclaw_ledger::integrity::policy::Trusted;
pub(crate) use femtoclaw_ledger::integrity::text::rfc3339 as time;
use femtoclaw_ledger::integrity::text::{is_deceptive, shown};
#[cfg(feature = "engine")]
use femtoclaw_ledger::{Seq, journal::Finding};

use crate::arguments::Format;
use crate::outcome::Problem;

/// Lines `name  value`, or one JSON object, in the order in which they were added.
pub(crate) struct Report {
    format: Format,
    fields: Vec<(&'static str, Value)>,
}

enum Value {
    Number(u64),
    /// A record's number; `None`: there are no records.
    #[cfg(feature = "engine")]
    Place(Option<Seq>),
    Text(String),
    List(Vec<String>),
    #[cfg(feature = "engine")]
    Counts(Vec<(String, u64)>),
    #[cfg(feature = "engine")]
    Findings(Vec<Finding>),
}

impl Report {
    pub(crate) fn new(format: Format) -> Self {
        let fields = Vec::new();
        Self { format, fields }
    }

    pub(crate) fn number(&mut self, name: &'static str, value: u64) {
        self.fields.push((name, Value::Number(value)));
    }

    #[cfg(feature = "engine")]
    pub(crate) fn place(&mut self, name: &'static str, seq: Option<Seq>) {
        self.fields.push((name, Value::Place(seq)));
    }

    pub(crate) fn text(&mut self, name: &'static str, value: impl ToString) {
        self.fields.push((name, Value::Text(value.to_string())));
    }

    pub(crate) fn list(&mut self, name: &'static str, values: impl Iterator<Item = String>) {
        self.fields.push((name, Value::List(values.collect())));
    }

    #[cfg(feature = "engine")]
    pub(crate) fn counts(
        &mut self,
        name: &'static str,
        counts: impl Iterator<Item = (String, u64)>,
    ) {
        self.fields.push((name, Value::Counts(counts.collect())));
    }

    #[cfg(feature = "engine")]
    pub(crate) fn findings(&mut self, name: &'static str, findings: &[Finding]) {
        self.fields.push((name, Value::Findings(findings.to_vec())));
    }

    pub(crate) fn trusted(&mut self, trusted: &Trusted) {
        self.text("origin", trusted.checkpoint.origin());
        self.number("size", trusted.checkpoint.size());
        self.text("root", trusted.checkpoint.root());
        self.text("log", &trusted.log);
        let witnesses = trusted.witnesses.iter().map(ToString::to_string);
        self.fields
            .push(("witnesses", Value::List(witnesses.collect())));
    }

    /// Why nothing is verified: as text, and as an object where that was asked for.
    pub(crate) fn refuse(mut self, problem: Problem) -> Problem {
        if self.format == Format::Table {
            return problem;
        }
        self.text("error", &problem.text);
        let data = self.finish();
        Problem { data, ..problem }
    }

    pub(crate) fn finish(self) -> String {
        if self.format == Format::Json {
            return self.finish_json();
        }
        let mut out = String::new();
        for (name, value) in self.fields {
            let values = match value {
                Value::Number(number) => vec![number.to_string()],
                #[cfg(feature = "engine")]
                Value::Place(seq) => {
                    vec![seq.map_or_else(|| "no records".to_owned(), |seq| seq.to_string())]
                }
                Value::Text(text) => vec![text],
                Value::List(list) => list,
                #[cfg(feature = "engine")]
                Value::Counts(counts) => {
                    let counts = counts.into_iter();
                    counts
                        .map(|(what, count)| format!("{what} {count}"))
                        .collect()
                }
                #[cfg(feature = "engine")]
                Value::Findings(findings) => findings.iter().map(ToString::to_string).collect(),
            };
            for value in values {
                // The printed text was written by others.
                out.push_str(&format!("{name:<12} {}\n", shown(&value)));
            }
        }
        out
    }

    fn finish_json(self) -> String {
        let quoted = |text: &String| serde_json::Value::from(text.as_str()).to_string();
        let fields = self.fields.iter().map(|(name, value)| {
            let value = match value {
                Value::Number(number) => number.to_string(),
                #[cfg(feature = "engine")]
                Value::Place(seq) => serde_json::json!(seq).to_string(),
                Value::Text(text) => quoted(text),
                Value::List(list) => {
                    let list: Vec<_> = list.iter().map(quoted).collect();
                    format!("[{}]", list.join(","))
                }
                #[cfg(feature = "engine")]
                Value::Counts(counts) => {
                    let counts = counts.iter();
                    let counts = counts.map(|(what, count)| format!("{}:{count}", quoted(what)));
                    format!("{{{}}}", counts.collect::<Vec<_>>().join(","))
                }
                #[cfg(feature = "engine")]
                Value::Findings(findings) => serde_json::json!(findings).to_string(),
            };
            format!("\"{name}\":{value}")
        });
        let fields: Vec<_> = fields.collect();
        format!("{{{}}}\n", plain(&fields.join(",")))
    }
}

/// The same JSON, with nothing in it that deceives on a terminal: such characters are in strings alone.
fn plain(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for char in json.chars() {
        if is_deceptive(char) {
            let mut units = [0; 2];
            for unit in char.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(char);
        }
    }
    out
}

//! What was found, for people and for programs.

use super::Problem;
use super::arguments::Arguments;
use crate::integrity::policy::Trusted;
use crate::journal::Finding;

/// Lines `name  value`, or one JSON object, in the order in which they were added.
pub(super) struct Report {
    json: bool,
    fields: Vec<(&'static str, Value)>,
}

enum Value {
    Number(u64),
    Text(String),
    List(Vec<String>),
    Counts(Vec<(String, u64)>),
    Findings(Vec<Finding>),
}

impl Report {
    pub(super) fn new(arguments: &Arguments) -> Result<Self, Problem> {
        let json = match arguments.one("format")? {
            None | Some("table") => false,
            Some("json") => true,
            Some(other) => return Err(Problem::usage(format!("no format {other:?}"))),
        };
        let fields = Vec::new();
        Ok(Self { json, fields })
    }

    pub(super) fn number(&mut self, name: &'static str, value: u64) {
        self.fields.push((name, Value::Number(value)));
    }

    pub(super) fn text(&mut self, name: &'static str, value: impl ToString) {
        self.fields.push((name, Value::Text(value.to_string())));
    }

    pub(super) fn list(&mut self, name: &'static str, values: impl Iterator<Item = String>) {
        self.fields.push((name, Value::List(values.collect())));
    }

    pub(super) fn counts(
        &mut self,
        name: &'static str,
        counts: impl Iterator<Item = (String, u64)>,
    ) {
        self.fields.push((name, Value::Counts(counts.collect())));
    }

    pub(super) fn findings(&mut self, name: &'static str, findings: &[Finding]) {
        self.fields.push((name, Value::Findings(findings.to_vec())));
    }

    pub(super) fn trusted(&mut self, trusted: &Trusted) {
        self.text("origin", trusted.checkpoint.origin());
        self.number("size", trusted.checkpoint.size());
        self.text("root", trusted.checkpoint.root());
        self.text("log", &trusted.log);
        let witnesses = trusted.witnesses.iter().map(|(key, time_s)| {
            let time = time(i128::from(*time_s) * 1_000_000_000);
            format!("{key} {time}")
        });
        self.fields
            .push(("witnesses", Value::List(witnesses.collect())));
    }

    pub(super) fn finish(self) -> String {
        if self.json {
            return self.finish_json();
        }
        let mut out = String::new();
        for (name, value) in self.fields {
            let values = match value {
                Value::Number(number) => vec![number.to_string()],
                Value::Text(text) => vec![text],
                Value::List(list) => list,
                Value::Counts(counts) => {
                    let counts = counts.into_iter();
                    counts
                        .map(|(what, count)| format!("{what} {count}"))
                        .collect()
                }
                Value::Findings(findings) => findings.iter().map(ToString::to_string).collect(),
            };
            for value in values {
                // What is printed was written by others: no control characters reach a terminal.
                let shown: String = value
                    .chars()
                    .map(|c| if c.is_control() { '\u{fffd}' } else { c })
                    .collect();
                out.push_str(&format!("{name:<12} {shown}\n"));
            }
        }
        out
    }

    fn finish_json(self) -> String {
        let quoted = |text: &String| serde_json::Value::from(text.as_str()).to_string();
        let fields = self.fields.iter().map(|(name, value)| {
            let value = match value {
                Value::Number(number) => number.to_string(),
                Value::Text(text) => quoted(text),
                Value::List(list) => {
                    let list: Vec<_> = list.iter().map(quoted).collect();
                    format!("[{}]", list.join(","))
                }
                Value::Counts(counts) => {
                    let counts = counts.iter();
                    let counts = counts.map(|(what, count)| format!("{}:{count}", quoted(what)));
                    format!("{{{}}}", counts.collect::<Vec<_>>().join(","))
                }
                Value::Findings(findings) => {
                    let findings: Vec<_> = findings.iter().map(finding).collect();
                    format!("[{}]", findings.join(","))
                }
            };
            format!("\"{name}\":{value}")
        });
        let fields: Vec<_> = fields.collect();
        format!("{{{}}}\n", fields.join(","))
    }
}

fn finding(finding: &Finding) -> String {
    let path = finding.path.as_ref().map(|path| path.to_string_lossy());
    let (first, last) = finding.records.unzip();
    serde_json::json!({
        "kind": finding.kind.code(),
        "damage": finding.kind.is_damage(),
        "path": path,
        "offset": finding.offset,
        "first": first,
        "last": last,
        "problem": finding.problem,
    })
    .to_string()
}

/// RFC 3339, in UTC, with nanoseconds where there are any.
pub(super) fn time(ns: i128) -> String {
    const DAY_S: i128 = 86_400;
    let (seconds, rest) = (ns.div_euclid(1_000_000_000), ns.rem_euclid(1_000_000_000));
    let (days, second) = (seconds.div_euclid(DAY_S), seconds.rem_euclid(DAY_S));
    // Days since 1 March of the year 0, so that the leap day ends a year.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (
        day - (153 * month + 2) / 5 + 1,
        if month < 10 { month + 3 } else { month - 9 },
    );
    let year = era * 400 + year + i128::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let fraction = if rest == 0 {
        String::new()
    } else {
        format!(".{rest:09}")
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn times_are_rfc_3339() {
        let seconds = |s: i128| time(s * 1_000_000_000);
        assert_eq!(seconds(0), "1970-01-01T00:00:00Z");
        assert_eq!(seconds(-1), "1969-12-31T23:59:59Z");
        assert_eq!(seconds(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(seconds(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(seconds(4_107_542_400), "2100-03-01T00:00:00Z");
        assert_eq!(
            time(1_767_225_600_000_000_001),
            "2026-01-01T00:00:00.000000001Z"
        );
    }
}

//! Words and options of a command line.

use std::ffi::OsString;

use super::Problem;

/// Options that take a value.
const WITH_VALUE: &[&str] = &[
    "entry", "export", "format", "log", "now", "policy", "quorum", "since", "witness",
];

/// Options that take none.
const FLAGS: &[&str] = &["disregard-anchor"];

#[derive(Debug, Default)]
pub(super) struct Arguments {
    words: Vec<String>,
    options: Vec<(String, String)>,
}

impl Arguments {
    pub(super) fn parse(raw: impl IntoIterator<Item = OsString>) -> Result<Self, Problem> {
        let mut raw = raw.into_iter().map(|argument| {
            let text = argument.into_string();
            text.map_err(|bad| Problem::usage(format!("not text: {}", bad.display())))
        });
        let mut parsed = Self::default();
        while let Some(argument) = raw.next() {
            let argument = argument?;
            let Some(option) = argument.strip_prefix("--") else {
                parsed.words.push(argument);
                continue;
            };
            if matches!(option, "help" | "version") {
                parsed.words = vec![option.to_owned()];
                return Ok(parsed);
            }
            let (name, value) = match option.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (option, None),
            };
            if FLAGS.contains(&name) && value.is_none() {
                parsed.options.push((name.to_owned(), String::new()));
                continue;
            }
            if !WITH_VALUE.contains(&name) {
                return Err(Problem::usage(format!("there is no option --{name}")));
            }
            let value = match value {
                Some(value) => value,
                None => raw
                    .next()
                    .ok_or_else(|| Problem::usage(format!("--{name} needs a value")))??,
            };
            parsed.options.push((name.to_owned(), value));
        }
        Ok(parsed)
    }

    pub(super) fn words(&self) -> Vec<&str> {
        self.words.iter().map(String::as_str).collect()
    }

    /// All values of an option, in order.
    pub(super) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let given = self.options.iter().filter(move |(given, _)| given == name);
        given.map(|(_, value)| value.as_str())
    }

    /// The value of an option that is given once at most.
    pub(super) fn one(&self, name: &str) -> Result<Option<&str>, Problem> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            _ => Err(Problem::usage(format!("--{name} is given more than once"))),
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, Problem> {
        let wrong = |_| Problem::usage(format!("--{name} needs a number"));
        self.one(name)?
            .map(|value| value.parse().map_err(wrong))
            .transpose()
    }

    /// No option but these may be given.
    pub(super) fn only(&self, names: &[&str]) -> Result<(), Problem> {
        match self
            .options
            .iter()
            .find(|(name, _)| !names.contains(&name.as_str()))
        {
            None => Ok(()),
            Some((name, _)) => Err(Problem::usage(format!("--{name} does not apply here"))),
        }
    }
}

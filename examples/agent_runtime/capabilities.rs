// SPDX-License-Identifier: Apache-2.0
//! What the agent can do for real: run a program, read a file, list a directory.

use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use crate::payment::PAYMENT;

/// A name, what it does, and its parameters as JSON: what the first run registers.
pub(crate) const REGISTERED: [(&str, &str, &str); 6] = [
    (
        "process.run",
        "runs an allow-listed program, without a shell",
        r#"{"program":"string","args":"array of strings, optional"}"#,
    ),
    (
        "fs.read",
        "reads a text file under the root",
        r#"{"path":"string"}"#,
    ),
    (
        "fs.list",
        "lists a directory under the root",
        r#"{"path":"string"}"#,
    ),
    (
        "fs.stat",
        "tells kind and size of a file under the root",
        r#"{"path":"string"}"#,
    ),
    (
        PAYMENT,
        "pays; only what a person has approved",
        r#"{"eur":"number","to":"string"}"#,
    ),
    (
        "system.info",
        "tells operating system and architecture",
        "{}",
    ),
];

/// Registered and left disabled by the first run.
pub(crate) const LEFT_DISABLED: &str = "system.info";

/// Arguments of one program.
const PROGRAM_ARGS_MAX: usize = 64;

/// A request whose arguments have been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    /// The built-in one: has no effect beyond being recorded.
    Message,
    /// `process.run`
    Run {
        /// Its name, as the policy lists it.
        program: String,
        /// Its arguments.
        args: Vec<String>,
    },
    /// `fs.read`
    Read {
        /// Relative to the root, without `..`.
        path: PathBuf,
    },
    /// `fs.list`
    List {
        /// Relative to the root, without `..`.
        path: PathBuf,
    },
    /// `fs.stat`
    Stat {
        /// Relative to the root, without `..`.
        path: PathBuf,
    },
    /// `system.info`
    SystemInfo,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MessageArguments {
    #[serde(rename = "content")]
    _content: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RunArguments {
    program: String,
    #[serde(default)]
    args: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PathArguments {
    path: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoArguments {}

impl Call {
    /// The argument check. Reads the recorded bytes, so that what is checked is what is recorded.
    ///
    /// # Errors
    /// What is wrong with the arguments.
    pub(crate) fn parse(capability: &str, arguments: &[u8]) -> Result<Self, String> {
        match capability {
            "message" => from_json(arguments).map(|MessageArguments { .. }| Self::Message),
            "process.run" => from_json(arguments).and_then(Self::run),
            "fs.read" => confined(arguments).map(|path| Self::Read { path }),
            "fs.list" => confined(arguments).map(|path| Self::List { path }),
            "fs.stat" => confined(arguments).map(|path| Self::Stat { path }),
            "system.info" => from_json(arguments).map(|NoArguments {}| Self::SystemInfo),
            _ => Err("this runtime does not implement the capability".to_owned()),
        }
    }

    fn run(RunArguments { program, args }: RunArguments) -> Result<Self, String> {
        if args.len() > PROGRAM_ARGS_MAX {
            return Err(format!("more than {PROGRAM_ARGS_MAX} arguments"));
        }
        if args.iter().any(|arg| arg.contains('\0')) {
            return Err("an argument with a NUL byte".to_owned());
        }
        Ok(Self::Run { program, args })
    }
}

fn from_json<'a, T: Deserialize<'a>>(arguments: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(arguments).map_err(|error| error.to_string())
}

/// A path that stays below the root by its spelling; links are the file capability's to refuse.
fn confined(arguments: &[u8]) -> Result<PathBuf, String> {
    let PathArguments { path } = from_json(arguments)?;
    let mut clean = PathBuf::new();
    for component in Path::new(&path).components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            _ => return Err(format!("path {path:?} leads out of the root")),
        }
    }
    if clean.as_os_str().is_empty() || path.contains('\0') {
        return Err(format!("path {path:?} names nothing under the root"));
    }
    Ok(clean)
}

// SPDX-License-Identifier: Apache-2.0
//! The capabilities' effects. Everything is bounded: time, output, number of entries.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use crate::capabilities::Call;
use crate::policy::Document;
use crate::protocol::shortened;

/// Entries of one listing.
const ENTRIES_MAX: usize = 1_000;

/// Where programs are looked for; `PATH` is not asked.
const PROGRAM_DIRS: [&str; 2] = ["/usr/bin", "/bin"];

/// An effect that did not come about, or not whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// A stable word.
    pub(crate) code: &'static str,
    /// For a person.
    pub(crate) message: String,
    /// What there is of a result, JSON; may be empty.
    pub(crate) result: Vec<u8>,
}

impl Failure {
    fn new(code: &'static str, message: impl ToString) -> Self {
        let (message, result) = (shortened(&message.to_string()), Vec::new());
        Self {
            code,
            message,
            result,
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::new("NOT_FOUND", error),
            io::ErrorKind::PermissionDenied => Self::new("PERMISSION_DENIED", error),
            _ => Self::new("IO", error),
        }
    }
}

/// Performs calls under one root directory.
#[derive(Debug, Clone)]
pub(crate) struct Effects {
    root: PathBuf,
    /// Every path is opened below this handle; a link or `..` that leads out is refused by the
    /// kernel, also when it is put there between check and use.
    files: Arc<Dir>,
}

impl Effects {
    /// Takes hold of the root.
    pub(crate) fn new(root: &Path) -> io::Result<Self> {
        let root = root.canonicalize()?;
        let files = Arc::new(Dir::open_ambient_dir(&root, ambient_authority())?);
        Ok(Self { root, files })
    }

    /// Performs an authorized call; the result is JSON.
    pub(crate) async fn perform(&self, call: Call, policy: &Document) -> Result<Vec<u8>, Failure> {
        let limit = policy.output_bytes_max;
        let value = match call {
            Call::Message => json!({"delivered": true}),
            Call::SystemInfo => {
                json!({"os": std::env::consts::OS, "arch": std::env::consts::ARCH})
            }
            Call::Run { program, args } => {
                let timeout = Duration::from_millis(policy.timeout_ms);
                return self.run(&program, &args, timeout, limit).await;
            }
            Call::Read { path } => self.file(move |files| read(files, &path, limit)).await?,
            Call::List { path } => self.file(move |files| list(files, &path)).await?,
            Call::Stat { path } => self.file(move |files| stat(files, &path)).await?,
        };
        Ok(value.to_string().into_bytes())
    }

    /// File operations block, so they run where that is allowed.
    async fn file(
        &self,
        operation: impl FnOnce(&Dir) -> Result<Value, Failure> + Send + 'static,
    ) -> Result<Value, Failure> {
        let files = Arc::clone(&self.files);
        let joined = tokio::task::spawn_blocking(move || operation(&files)).await;
        joined.unwrap_or_else(|error| Err(Failure::new("PANIC", error)))
    }

    async fn run(
        &self,
        program: &str,
        args: &[String],
        timeout: Duration,
        limit: u64,
    ) -> Result<Vec<u8>, Failure> {
        let in_dir = |dir: &&str| Path::new(dir).join(program).is_file();
        let dir = PROGRAM_DIRS.iter().find(|dir| in_dir(dir));
        let dir = dir.ok_or_else(|| Failure::new("NOT_FOUND", format!("no program {program}")))?;
        let child = Command::new(Path::new(dir).join(program))
            .args(args)
            .env_clear()
            .current_dir(&self.root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own: a timeout ends its children too, a Ctrl-C here ends none.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let group = child.id().and_then(|id| i32::try_from(id).ok());
        match tokio::time::timeout(timeout, outcome(child, limit)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                if let Some(group) = group.and_then(rustix::process::Pid::from_raw) {
                    // Fails only where the group is already gone.
                    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).ok();
                }
                Err(Failure::new("TIMEOUT", format!("killed after {timeout:?}")))
            }
        }
    }
}

async fn outcome(mut child: Child, limit: u64) -> Result<Vec<u8>, Failure> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (stdout, stderr, status) =
        tokio::try_join!(capped(stdout, limit), capped(stderr, limit), child.wait())?;
    let result = json!({
        "code": status.code(),
        "stdout": String::from_utf8_lossy(&stdout.0),
        "stderr": String::from_utf8_lossy(&stderr.0),
        "truncated": stdout.1 || stderr.1,
    });
    let result = result.to_string().into_bytes();
    if status.success() {
        return Ok(result);
    }
    Err(Failure {
        code: "EXIT",
        message: status.to_string(),
        result,
    })
}

/// The first `limit` bytes, and whether there were more; the rest is read and dropped, so that the
/// program does not block on a full pipe.
async fn capped(stream: Option<impl AsyncRead + Unpin>, limit: u64) -> io::Result<(Vec<u8>, bool)> {
    let mut kept = Vec::new();
    let Some(mut stream) = stream else {
        return Ok((kept, false));
    };
    (&mut stream).take(limit).read_to_end(&mut kept).await?;
    let rest = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    Ok((kept, rest > 0))
}

fn read(files: &Dir, path: &Path, limit: u64) -> Result<Value, Failure> {
    if !files.metadata(path)?.is_file() {
        return Err(Failure::new("NOT_A_FILE", path.display()));
    }
    let file = files.open(path)?;
    let size = file.metadata()?.len();
    let mut content = Vec::new();
    file.take(limit).read_to_end(&mut content)?;
    let truncated = size > content.len() as u64;
    let content = String::from_utf8_lossy(&content);
    Ok(json!({"size": size, "content": content, "truncated": truncated}))
}

fn list(files: &Dir, path: &Path) -> Result<Value, Failure> {
    let mut names = Vec::new();
    let mut entries = files.read_dir(path)?;
    for entry in entries.by_ref().take(ENTRIES_MAX) {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(json!({"entries": names, "truncated": entries.next().is_some()}))
}

fn stat(files: &Dir, path: &Path) -> Result<Value, Failure> {
    let metadata = files.metadata(path)?;
    let kind = if metadata.is_dir() {
        "directory"
    } else {
        "file"
    };
    Ok(json!({"kind": kind, "size": metadata.len()}))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn perform(root: &Path, call: Call) -> Result<Value, Failure> {
        let mut policy = Document::first();
        policy.timeout_ms = 400;
        policy.output_bytes_max = 8;
        let result = Effects::new(root).unwrap().perform(call, &policy).await?;
        Ok(serde_json::from_slice(&result).unwrap())
    }

    fn run(program: &str, args: &[&str]) -> Call {
        Call::Run {
            program: program.to_owned(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        }
    }

    #[tokio::test]
    async fn programs_are_bounded_in_time_and_output() {
        let root = tempfile::tempdir().unwrap();
        let result = perform(root.path(), run("echo", &["$HOME;", "ab"]))
            .await
            .unwrap();
        assert_eq!(result["stdout"], "$HOME; a");
        assert_eq!(result["truncated"], true);
        let failure = perform(root.path(), run("false", &[])).await.unwrap_err();
        assert_eq!(failure.code, "EXIT");
        assert!(!failure.result.is_empty());
        let failure = perform(root.path(), run("sleep", &["30"]))
            .await
            .unwrap_err();
        assert_eq!(failure.code, "TIMEOUT");
        let failure = perform(root.path(), run("no-such-program", &[]))
            .await
            .unwrap_err();
        assert_eq!(failure.code, "NOT_FOUND");
    }

    #[tokio::test]
    async fn files_outside_the_root_are_out_of_reach() {
        let root = tempfile::tempdir().unwrap();
        let inside = root.path().join("in");
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(root.path().join("secret"), "s").unwrap();
        std::fs::write(inside.join("a.txt"), "hello").unwrap();
        std::os::unix::fs::symlink("../secret", inside.join("link")).unwrap();
        let read = |path: &str| Call::Read { path: path.into() };
        let result = perform(&inside, read("a.txt")).await.unwrap();
        assert_eq!(
            (&result["content"], &result["truncated"]),
            (&json!("hello"), &json!(false))
        );
        assert!(perform(&inside, read("link")).await.is_err());
        assert!(perform(&inside, read("../secret")).await.is_err());
        assert_eq!(
            perform(&inside, read("none")).await.unwrap_err().code,
            "NOT_FOUND"
        );
        let listed = perform(&inside, Call::List { path: ".".into() })
            .await
            .unwrap();
        assert_eq!(listed["entries"], json!(["a.txt", "link"]));
    }
}

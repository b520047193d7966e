//! Where copies of checkpoints go: out of reach of whoever can change the ledger.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::database::{PRIVATE_FILE, create_private, replace, sync_parent};
use crate::integrity::checkpoint::Checkpoint;
use crate::integrity::merkle::TreeHash;
use crate::integrity::note::{NOTE_BYTES_MAX, Note};

/// Newest files of a directory that are looked at.
const LOOKED_AT: usize = 16;
/// A command that takes longer than this many steps is killed (30 s).
const COMMAND_STEPS: u32 = 1_500;
const COMMAND_STEP: Duration = Duration::from_millis(20);
const SUFFIX: &str = "checkpoint";

/// Keeps copies of checkpoints.
pub trait Destination: Send + Sync {
    /// A name for logs and records.
    fn name(&self) -> &str;

    /// Keeps a copy. When this returns, it is kept. Blocks.
    ///
    /// # Errors
    /// Whatever kept it from that; the ledger goes on, and says so.
    fn put(&self, checkpoint: &Note) -> io::Result<()>;

    /// Asks the witness behind it to cosign the checkpoint, which `prove` shows to extend an earlier
    /// size; gives it back with the cosignature. `None`, as by default, where there is no witness:
    /// then [`Destination::put`] keeps a copy. Blocks, and must give up in its own time.
    fn cosign(
        &self,
        checkpoint: &Note,
        prove: &dyn Fn(u64) -> io::Result<Vec<TreeHash>>,
    ) -> Option<io::Result<Note>> {
        let _ = (checkpoint, prove);
        None
    }

    /// The newest copies that it has, in any order; none where it cannot give any back. They are
    /// believed only with the ledger's signature. Blocks.
    ///
    /// # Errors
    /// Where it cannot be read; the ledger opens all the same, and warns.
    fn kept(&self) -> io::Result<Vec<Note>>;
}

/// A directory, best on another volume or machine: one file for each size, never overwritten, but
/// for cosignatures that are added to it.
#[derive(Debug, Clone)]
pub struct CheckpointDirectory {
    path: PathBuf,
    name: String,
}

impl CheckpointDirectory {
    /// Keeps copies in `path`, which is made where it is missing.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let name = path.display().to_string();
        // For ever the same one, wherever the process goes; where that is unknown, as it was given.
        let path = std::path::absolute(&path).unwrap_or(path);
        Self { path, name }
    }

    /// Newest first, by the size in the name.
    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == SUFFIX)
            {
                files.push(path);
            }
        }
        files.sort_unstable();
        files.reverse();
        Ok(files)
    }
}

impl Destination for CheckpointDirectory {
    fn name(&self) -> &str {
        &self.name
    }

    fn put(&self, checkpoint: &Note) -> io::Result<()> {
        let size = Checkpoint::parse(checkpoint.text())
            .map_err(io::Error::other)?
            .size();
        if !self.path.exists() {
            create_private(&self.path)?;
            sync_parent(&self.path)?;
        }
        let path = self.path.join(format!("{size:020}.{SUFFIX}"));
        let creating = path.with_extension("creating");
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(true);
        let mut file = options.mode(PRIVATE_FILE).open(&creating)?;
        file.write_all(checkpoint.to_string().as_bytes())?;
        file.sync_all()?;
        let linked = fs::hard_link(&creating, &path);
        fs::remove_file(&creating)?;
        match linked {
            // Two trees of one size would be two histories; the first one stands, and opening
            // looks at it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let mut kept = read(&path)?.ok_or(error)?;
                let before = kept.signatures().len();
                if !kept.merge(checkpoint) {
                    let problem = "another checkpoint of this size is kept there";
                    return Err(io::Error::new(io::ErrorKind::AlreadyExists, problem));
                }
                if kept.signatures().len() > before {
                    replace(&path, kept.to_string().as_bytes())?;
                }
                Ok(())
            }
            linked => linked.and_then(|()| sync_parent(&path)),
        }
    }

    fn kept(&self) -> io::Result<Vec<Note>> {
        let files = self.files()?;
        let notes = files.iter().take(LOOKED_AT).map(|path| read(path));
        Ok(notes
            .collect::<io::Result<Vec<_>>>()?
            .into_iter()
            .flatten()
            .collect())
    }
}

/// The note in a file; `None` where it holds none.
fn read(path: &Path) -> io::Result<Option<Note>> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path)?;
    file.take(NOTE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(Note::parse(&bytes).ok())
}

/// A program that takes a checkpoint on its standard input and ends with 0 once it is kept: sends
/// it to another machine, to a witness, to a printer.
#[derive(Debug, Clone)]
pub struct CheckpointCommand {
    program: PathBuf,
    arguments: Vec<String>,
    name: String,
}

impl CheckpointCommand {
    /// Runs `program` with these arguments, without a shell.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>, arguments: Vec<String>) -> Self {
        let program = program.into();
        let name = program.display().to_string();
        // A bare name is looked for in PATH; a path is for ever the same one.
        let program = match program.components().count() {
            1 => program,
            _ => std::path::absolute(&program).unwrap_or(program),
        };
        Self {
            program,
            arguments,
            name,
        }
    }
}

impl Destination for CheckpointCommand {
    fn name(&self) -> &str {
        &self.name
    }

    fn put(&self, checkpoint: &Note) -> io::Result<()> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdin(Stdio::piped());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let written = match child.stdin.take() {
            Some(mut input) => input.write_all(checkpoint.to_string().as_bytes()),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        };
        let mut waited = 0;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if waited >= COMMAND_STEPS {
                child.kill()?;
                child.wait()?;
                return Err(io::Error::new(io::ErrorKind::TimedOut, "it took too long"));
            }
            waited += 1;
            std::thread::sleep(COMMAND_STEP);
        };
        if !status.success() {
            return Err(io::Error::other(format!("it ended with {status}")));
        }
        written
    }

    fn kept(&self) -> io::Result<Vec<Note>> {
        Ok(Vec::new())
    }
}

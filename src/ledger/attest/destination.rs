// SPDX-License-Identifier: Apache-2.0
//! Where copies of checkpoints go: out of reach of whoever can change the ledger.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::database::{create_private, creating, files, replace, sync_parent};
use crate::integrity::checkpoint::Checkpoint;
use crate::integrity::digest;
use crate::integrity::key::VerifierKey;
use crate::integrity::merkle::TreeHash;
use crate::integrity::note::{NOTE_BYTES_MAX, Note};

/// Genuine checkpoints of a directory that are given back: the newest, and as many that are disputed.
const KEPT_MAX: usize = 64;
/// Files of a directory that are read at most, and bytes of them, to find those.
const FILES_READ_MAX: usize = 16_384;
const BYTES_READ_MAX: u64 = 64 << 20;
/// A command that takes longer than this many steps is killed (30 s).
const COMMAND_STEPS: u32 = 1_500;
const COMMAND_STEP: Duration = Duration::from_millis(20);
const SUFFIX: &str = ".checkpoint";
/// Of checkpoints that contradict another one.
const DISPUTED: &str = ".disputed";
/// Of a size in a name.
const DIGITS: usize = 20;

/// What others put into a destination is so much that this ledger's newest checkpoint may be behind it.
/// Take it away.
///
/// Example: [`CheckpointDirectory`](crate::checkpoint::CheckpointDirectory).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{files} files of {bytes} bytes were read, and there is more: take away what is no checkpoint of this ledger"
)]
pub struct TooMuchJunk {
    /// Files that were read.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl TooMuchJunk {
    /// What an error of a destination says, where it is this.
    pub(in crate::ledger) fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref().and_then(|inner| inner.downcast_ref())
    }
}

/// Keeps copies of checkpoints.
///
/// Example: `tests/witnesses/late.rs`.
pub trait Destination: Send + Sync {
    /// A name for logs and records.
    fn name(&self) -> &str;

    /// Keeps a copy. When this returns, it is kept. Blocks.
    ///
    /// # Errors
    /// The reason why it could not; the ledger goes on, and says so.
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

    /// Keeps a checkpoint of this ledger that contradicts another one that is kept here, so that
    /// [`Destination::kept`] gives it back however old it is: whoever holds the other history learns of
    /// it. By default, a copy as any other. Blocks.
    ///
    /// # Errors
    /// As [`Destination::put`].
    fn dispute(&self, checkpoint: &Note) -> io::Result<()> {
        self.put(checkpoint)
    }

    /// The newest copies that it has and that one of `keys` signed, in any order, and those that are
    /// disputed; none where it cannot give any back. What others put there must not hide them. They
    /// are believed only with the ledger's signature. Blocks.
    ///
    /// # Errors
    /// Where it cannot be read; the ledger opens all the same, and warns. [`TooMuchJunk`] in the error
    /// where the newest cannot be told; the ledger does not open.
    fn kept(&self, keys: &[VerifierKey]) -> io::Result<Vec<Note>>;
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

    /// The names that matter, of however many there are: the highest sizes, and what is disputed.
    fn names(&self) -> io::Result<CheckpointNames> {
        let mut names = CheckpointNames::default();
        let entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(names),
            entries => entries?,
        };
        for entry in entries {
            let name = entry?.file_name();
            let Some(name) = name.to_str() else { continue };
            if let Some(size) = name.strip_suffix(SUFFIX).and_then(stated) {
                names.sizes.insert(size);
                if names.sizes.len() > FILES_READ_MAX {
                    names.sizes.pop_first();
                    names.more = true;
                }
            } else if let Some(stem) = name.strip_suffix(DISPUTED) {
                let size = stem.split_once('-').and_then(|(size, _)| stated(size));
                names
                    .disputed
                    .extend(size.map(|size| (size, name.to_owned())));
                if names.disputed.len() > FILES_READ_MAX {
                    names.disputed.pop_first();
                    names.more = true;
                }
            }
        }
        Ok(names)
    }
}

/// A size as it stands in a name.
fn stated(text: &str) -> Option<u64> {
    let is_exact = text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    is_exact.then(|| text.parse().ok()).flatten()
}

#[derive(Default)]
struct CheckpointNames {
    sizes: BTreeSet<u64>,
    disputed: BTreeSet<(u64, String)>,
    /// There are lower ones.
    more: bool,
}

/// What may be read of a directory in one look.
#[derive(Default)]
struct DirectoryLook {
    files: u64,
    bytes: u64,
    full: bool,
}

impl DirectoryLook {
    /// The note in a file, if one of these keys signed it over the size in its name.
    fn genuine(&mut self, path: &Path, stated: u64, keys: &[VerifierKey]) -> Option<Note> {
        if self.files as usize >= FILES_READ_MAX || self.bytes >= BYTES_READ_MAX {
            self.full = true;
            return None;
        }
        self.files += 1;
        let note = match read(path) {
            Ok((note, bytes)) => {
                self.bytes += bytes;
                note?
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "what is kept there cannot be read");
                return None;
            }
        };
        let checkpoint = Checkpoint::parse(note.text()).ok()?;
        let signed = |key: &VerifierKey| {
            key.name() == checkpoint.origin() && matches!(note.signed_by(key), Ok(Some(_)))
        };
        (checkpoint.size() == stated && keys.iter().any(signed)).then_some(note)
    }
}

impl Destination for CheckpointDirectory {
    fn name(&self) -> &str {
        &self.name
    }

    fn put(&self, checkpoint: &Note) -> io::Result<()> {
        let path = self.place(checkpoint, |size| format!("{size:0DIGITS$}{SUFFIX}"))?;
        let new = creating(&path);
        let mut file = files::create(&new)?;
        file.write_all(checkpoint.to_string().as_bytes())?;
        file.sync_all()?;
        let linked = fs::hard_link(&new, &path);
        fs::remove_file(&new)?;
        match linked {
            // Two trees of one size would be two histories; the first one stands, and opening
            // looks at it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let mut kept = read(&path)?.0.ok_or(error)?;
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

    fn dispute(&self, checkpoint: &Note) -> io::Result<()> {
        let [a, b, c, d, ..] = digest(checkpoint.text().as_bytes());
        let short = u32::from_be_bytes([a, b, c, d]);
        let name = |size| format!("{size:0DIGITS$}-{short:08x}{DISPUTED}");
        let path = self.place(checkpoint, name)?;
        replace(&path, checkpoint.to_string().as_bytes())
    }

    fn kept(&self, keys: &[VerifierKey]) -> io::Result<Vec<Note>> {
        let names = self.names()?;
        let (mut look, mut notes) = (DirectoryLook::default(), Vec::new());
        let disputed = names.disputed.iter().rev();
        let disputed = disputed.map(|(size, name)| (*size, self.path.join(name)));
        notes.extend(
            disputed
                .filter_map(|(size, path)| look.genuine(&path, size, keys))
                .take(KEPT_MAX),
        );
        let before = notes.len();
        let sizes = names.sizes.iter().rev();
        let sizes = sizes.map(|size| (*size, self.path.join(format!("{size:0DIGITS$}{SUFFIX}"))));
        notes.extend(
            sizes
                .filter_map(|(size, path)| look.genuine(&path, size, keys))
                .take(KEPT_MAX),
        );
        // What is genuine ends the look: behind junk alone it may still come.
        if notes.len() == before && (look.full || names.more) {
            let (files, bytes) = (look.files, look.bytes);
            return Err(io::Error::other(TooMuchJunk { files, bytes }));
        }
        Ok(notes)
    }
}

impl CheckpointDirectory {
    /// Where a checkpoint of its size goes; makes the directory where it is missing.
    fn place(&self, checkpoint: &Note, name: impl FnOnce(u64) -> String) -> io::Result<PathBuf> {
        let parsed = Checkpoint::parse(checkpoint.text()).map_err(io::Error::other)?;
        if !self.path.exists() {
            create_private(&self.path)?;
            sync_parent(&self.path)?;
        }
        Ok(self.path.join(name(parsed.size())))
    }
}

/// The note in a file, `None` where it holds none, and how many bytes were read.
fn read(path: &Path) -> io::Result<(Option<Note>, u64)> {
    let mut bytes = Vec::new();
    let file = files::open(path)?;
    if file.metadata()?.len() > NOTE_BYTES_MAX as u64 {
        return Ok((None, 0));
    }
    file.take(NOTE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok((Note::parse(&bytes).ok(), bytes.len() as u64))
}

/// A program that takes a checkpoint on its standard input and ends with 0 once it is kept: sends
/// it to another machine, to a witness, to a printer.
///
/// Example: `tests/checkpoints.rs`.
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

    fn kept(&self, _keys: &[VerifierKey]) -> io::Result<Vec<Note>> {
        Ok(Vec::new())
    }
}

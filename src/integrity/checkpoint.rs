// SPDX-License-Identifier: Apache-2.0
//! Checkpoints (C2SP `tlog-checkpoint`): which tree a log had, in a note that it signed.
//!
//! # Example
//!
//! ```
//! use femtoclaw_ledger::integrity::checkpoint::Checkpoint;
//! use femtoclaw_ledger::integrity::key::{Algorithm, Signer};
//! use femtoclaw_ledger::integrity::merkle::leaf_hash;
//! use femtoclaw_ledger::integrity::secret::SigningKey;
//!
//! let key = SigningKey::from_seed("ledger.example/a", Algorithm::Ed25519, &[7; 32])?;
//! let checkpoint = Checkpoint::new("ledger.example/a", 1, leaf_hash(b"a record's header"))?;
//! let note = checkpoint.sign(&key)?;
//!
//! assert_eq!(note.signed_by(key.key())?, Some(0));
//! let read = Checkpoint::parse(note.text())?;
//! assert_eq!((read.origin(), read.size(), read.root()), ("ledger.example/a", 1, checkpoint.root()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::key::{SignError, Signer};
use super::merkle::{SIZE_MAX, TreeHash, TreeHead, empty_root};
use super::note::{Note, NoteError};
use super::text::decimal;

/// The longest origin, in bytes.
///
/// Example: [`Checkpoint::new`](crate::integrity::checkpoint::Checkpoint::new).
pub const ORIGIN_MAX: usize = 255;

/// The text is no checkpoint.
///
/// Example: [`Checkpoint::new`](crate::integrity::checkpoint::Checkpoint::new).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointTextError {
    /// The origin is empty, too long, or has a character that deceives.
    #[error(
        "a checkpoint's origin must have 1 to {ORIGIN_MAX} bytes and no control or invisible character"
    )]
    Origin,
    /// The size is no decimal number, has leading zeroes, or is above 2^63 - 1.
    #[error("the tree size of the checkpoint is not a number from 0 to {SIZE_MAX}")]
    Size,
    /// The root is not base64 of 32 bytes, or not that of the empty tree where the size is 0.
    #[error("the root of the checkpoint is not a hash that a tree of its size can have")]
    Root,
    /// A line is missing, an extension line is empty, or the last line is not ended.
    #[error("the checkpoint has not the lines origin, size, root")]
    Lines,
}

/// Which log, how many records, and the root over them.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: TreeHash,
    extensions: Vec<String>,
}

impl Checkpoint {
    /// What a log says of itself.
    ///
    /// # Errors
    /// [`CheckpointTextError`] where it cannot be said in a checkpoint.
    pub fn new(origin: &str, size: u64, root: TreeHash) -> Result<Self, CheckpointTextError> {
        if origin.is_empty()
            || origin.len() > ORIGIN_MAX
            || origin.chars().any(super::text::is_deceptive)
        {
            return Err(CheckpointTextError::Origin);
        }
        if size > SIZE_MAX {
            return Err(CheckpointTextError::Size);
        }
        if size == 0 && root != empty_root() {
            return Err(CheckpointTextError::Root);
        }
        Ok(Self {
            origin: origin.to_owned(),
            size,
            root,
            extensions: Vec::new(),
        })
    }

    /// Reads the text of a note; exactly this text is written again by [`Checkpoint::text`].
    ///
    /// # Errors
    /// [`CheckpointTextError`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, CheckpointTextError> {
        let lines = text.strip_suffix('\n').ok_or(CheckpointTextError::Lines)?;
        let mut lines = lines.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointTextError::Lines);
        };
        let size = decimal(size).ok_or(CheckpointTextError::Size)?;
        let root = TreeHash::from_base64(root).ok_or(CheckpointTextError::Root)?;
        let mut read = Self::new(origin, size, root)?;
        read.extensions = lines.map(str::to_owned).collect();
        if read.extensions.iter().any(String::is_empty) {
            return Err(CheckpointTextError::Lines);
        }
        Ok(read)
    }

    /// Identity of the log.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Number of records, and so the sequence number of the last one.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root over them.
    #[must_use]
    pub const fn root(&self) -> &TreeHash {
        &self.root
    }

    /// Both.
    #[must_use]
    pub const fn tree_head(&self) -> TreeHead {
        TreeHead {
            size: self.size,
            root: self.root,
        }
    }

    /// Further lines: signed, and without meaning here. This software writes none.
    #[must_use]
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }

    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}\n{}\n{}\n", self.origin, self.size, self.root);
        for line in &self.extensions {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// The note that the log signs.
    ///
    /// # Errors
    /// [`SignError`] where the signer fails.
    pub fn sign(&self, signer: &dyn Signer) -> Result<Note, SignError> {
        let unusable = |error: NoteError| SignError::Signer {
            name: signer.key().name().to_owned(),
            source: Box::new(error),
        };
        let mut note = Note::new(self.text()).map_err(unusable)?;
        note.sign(signer)?;
        Ok(note)
    }
}

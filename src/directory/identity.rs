// SPDX-License-Identifier: Apache-2.0
//! The file `LEDGER`: which ledger a directory is, in lines that a person can read.

use std::cmp::Ordering;
use std::path::Path;

use base16ct::HexDisplay;

use crate::database::files;
use crate::error::OpenError;
use crate::events::LedgerId;
use crate::integrity;

/// Format of the directory as a whole that this software writes, and the only one that it reads.
///
/// Example: `tests/journal/directory.rs`.
pub const DIRECTORY_FORMAT: u32 = 3;

const FIRST_LINE: &str = "femtoclaw-ledger";
/// Larger than any identity file; what is larger is not one.
const BYTES_MAX: u64 = 4096;

/// Which ledger a directory is.
///
/// Example: [`directory`](crate::directory).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Identity {
    /// Format of the directory.
    pub format: u32,
    /// The ledger.
    pub ledger: LedgerId,
    /// When it was created, in nanoseconds since 1970.
    #[serde(
        rename = "created",
        serialize_with = "crate::events::readable::time::serialize"
    )]
    pub created_ns: i64,
}

impl Identity {
    /// The file's content.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = format!(
            "{FIRST_LINE}\nformat {}\nledger {}\ncreated {}\n",
            self.format, self.ledger, self.created_ns
        );
        let digest = integrity::digest(text.as_bytes());
        text.push_str(&format!("checksum {:x}\n", HexDisplay(&digest)));
        text
    }

    /// Reads the file; `None` where there is none.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, OpenError> {
        let bytes = match files::read(path, BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) if files::is_odd(&error) => return Err(foreign(path, &error.to_string())),
            Err(error) => return Err(OpenError::io(path, error)),
        };
        Self::decode(path, &String::from_utf8_lossy(&bytes)).map(Some)
    }

    fn decode(path: &Path, text: &str) -> Result<Self, OpenError> {
        let mut lines = text.lines();
        if lines.next() != Some(FIRST_LINE) {
            let problem = format!("it does not begin with the line {FIRST_LINE:?}");
            return Err(foreign(path, &problem));
        }
        let format: u32 = field(lines.next(), "format").ok_or_else(|| damaged(path))?;
        // Before all else: another format may have other lines.
        let (found, supported) = (format, DIRECTORY_FORMAT);
        match found.cmp(&supported) {
            Ordering::Greater => return Err(OpenError::FormatTooNew { found, supported }),
            Ordering::Less => return Err(OpenError::FormatTooOld { found, supported }),
            Ordering::Equal => {}
        }
        let identity = Self {
            format,
            ledger: field(lines.next(), "ledger").ok_or_else(|| damaged(path))?,
            created_ns: field(lines.next(), "created").ok_or_else(|| damaged(path))?,
        };
        // The checksum line is part of what is compared: one wrong byte anywhere shows.
        if identity.encode() != text {
            return Err(damaged(path));
        }
        Ok(identity)
    }
}

fn field<T: std::str::FromStr>(line: Option<&str>, name: &str) -> Option<T> {
    line?.strip_prefix(name)?.strip_prefix(' ')?.parse().ok()
}

fn foreign(path: &Path, problem: &str) -> OpenError {
    OpenError::NotALedger {
        path: path.to_owned(),
        problem: problem.to_owned(),
    }
}

fn damaged(path: &Path) -> OpenError {
    OpenError::Damaged {
        path: path.to_owned(),
        offset: None,
        problem: "its lines do not match its checksum".into(),
    }
}

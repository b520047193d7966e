// SPDX-License-Identifier: Apache-2.0
//! Writes a bundle: one spelling, the same bytes each time.

use std::fmt::{self, Display, Write};

use base64ct::{Base64, Encoding};
use sha2::{Digest, Sha256};

use super::{Bundle, Content, FIRST_LINE, Item, Naming, Opening};
use crate::integrity::merkle::TreeHash;

/// SHA-256 of all lines before the line `checksum`.
pub(super) fn checksum(lines: &[u8]) -> TreeHash {
    TreeHash::from_bytes(Sha256::digest(lines).into())
}

impl Bundle {
    /// Everything before the line `checksum`.
    pub(super) fn lines(&self) -> String {
        let mut lines = String::new();
        // Writing to a string does not fail.
        let _ = self.write_lines(&mut lines);
        lines
    }

    fn write_lines(&self, lines: &mut String) -> fmt::Result {
        writeln!(lines, "{FIRST_LINE}")?;
        writeln!(lines, "ledger {}", self.ledger)?;
        write_opening(&self.opening, lines)?;
        writeln!(lines, "execution {}", self.execution)?;
        writeln!(lines, "stream {}", self.stream)?;
        for key in &self.keys {
            writeln!(lines, "key {key}")?;
        }
        for naming in &self.names {
            write_naming(naming, lines)?;
        }
        self.items
            .iter()
            .try_for_each(|item| write_item(item, lines))
    }
}

fn write_opening(opening: &Opening, lines: &mut String) -> fmt::Result {
    let header = Base64::encode_string(&opening.header.encode());
    writeln!(lines, "opened {}\nheader {header}", opening.header.seq)?;
    write_path(&opening.path, lines)
}

fn write_naming(naming: &Naming, lines: &mut String) -> fmt::Result {
    let header = Base64::encode_string(&naming.header.encode());
    writeln!(lines, "named {}\nheader {header}", naming.header.seq)?;
    write_content(&naming.content, lines)?;
    write_path(&naming.path, lines)
}

fn write_content(content: &Content, lines: &mut String) -> fmt::Result {
    let salt = Base64::encode_string(&content.salt);
    let payload = Base64::encode_string(&content.payload);
    writeln!(lines, "salt {salt}\npayload {payload}")
}

fn write_path(path: &[TreeHash], lines: &mut String) -> fmt::Result {
    path.iter()
        .try_for_each(|hash| writeln!(lines, "hash {hash}"))
}

fn write_item(item: &Item, lines: &mut String) -> fmt::Result {
    let header = Base64::encode_string(&item.entry());
    writeln!(lines, "record {}\nheader {header}", item.header.seq)?;
    match &item.content {
        None => lines.write_str("withheld\n")?,
        Some(content) => write_content(content, lines)?,
    }
    write_path(&item.path, lines)
}

/// The bundle's file.
impl Display for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.lines();
        let checksum = self.checksum.unwrap_or_else(|| checksum(lines.as_bytes()));
        write!(f, "{lines}checksum {checksum}\n\n{}", self.checkpoint)
    }
}

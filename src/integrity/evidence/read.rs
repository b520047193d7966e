// SPDX-License-Identifier: Apache-2.0
//! Reads a bundle: one spelling only, bounded, nothing unknown.

use base64ct::{Base64, Encoding};

use super::bundle::is_payload_len;
use super::{
    BUNDLE_BYTES_MAX, Bundle, BundlePart, Closing, Content, FIRST_LINE, Item, KEYS_MAX, Naming,
    Opening, RECORDS_MAX, Stream,
};
use crate::events::{ExecutionId, HEADER_LEN, LedgerId, RecordHeader, SALT_LEN, Seq};
use crate::integrity::key::VerifierKey;
use crate::integrity::merkle::TreeHash;
use crate::integrity::note::{Note, NoteError};
use crate::integrity::proof::PATH_MAX;
use crate::integrity::text::decimal;

/// The bytes are no bundle.
///
/// Example: [`Bundle::parse`](crate::integrity::evidence::Bundle::parse).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleParseError {
    /// More than [`BUNDLE_BYTES_MAX`] bytes.
    #[error("a bundle has at most {BUNDLE_BYTES_MAX} bytes")]
    TooLarge,
    /// Another format, or another version.
    #[error("the first line is not {FIRST_LINE:?}")]
    Version,
    /// A line is missing, unknown, not in its place, or not in its one spelling.
    #[error("line {line} is malformed: {part} expected")]
    Line {
        /// Which line, from 1.
        line: usize,
        /// What must be there.
        part: BundlePart,
    },
    /// The note at the end is none.
    #[error("the checkpoint is not a signed note")]
    Note(#[source] NoteError),
}

impl BundleParseError {
    /// The part that is wrong; `None` where it is the whole.
    #[must_use]
    pub const fn part(&self) -> Option<BundlePart> {
        match self {
            Self::TooLarge => None,
            Self::Version => Some(BundlePart::Version),
            Self::Line { part, .. } => Some(*part),
            Self::Note(_) => Some(BundlePart::Checkpoint),
        }
    }
}

/// Lines, one after the other.
struct Lines<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Lines<'a> {
    /// The rest of the next line where it begins with this word; it stays where it does not.
    fn take(&mut self, word: &str) -> Option<&'a str> {
        let (line, rest) = self.rest.split_once('\n')?;
        let value = line.strip_prefix(word)?;
        self.rest = rest;
        self.line += 1;
        Some(value)
    }

    /// Takes the next line where it is this word and nothing else; it stays where it is not.
    fn is(&mut self, word: &str) -> bool {
        let line = self.rest.split_once('\n');
        let Some((_, rest)) = line.filter(|(line, _)| *line == word) else {
            return false;
        };
        self.rest = rest;
        self.line += 1;
        true
    }

    /// The next line, which must begin with this word and have a value.
    fn value<T>(
        &mut self,
        word: &str,
        part: BundlePart,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, BundleParseError> {
        let line = self.line;
        let value = self.take(word).and_then(read);
        value.ok_or(BundleParseError::Line { line, part })
    }
}

impl Bundle {
    /// Reads a bundle; exactly these bytes are written again by `to_string`. Memory stays below
    /// three times the bytes.
    ///
    /// # Errors
    /// [`BundleParseError`] says what is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleParseError> {
        if bytes.len() > BUNDLE_BYTES_MAX {
            return Err(BundleParseError::TooLarge);
        }
        let (head, is_text, note) = split(bytes);
        let mut lines = Lines {
            rest: head,
            line: 1,
        };
        if !lines.is(FIRST_LINE) {
            return Err(BundleParseError::Version);
        }
        let ledger = lines.value("ledger ", BundlePart::Ledger, read_id::<LedgerId>)?;
        let opening = read_opening(&mut lines)?;
        // What is neither a hash nor the next line stands behind the opening's proof.
        let part = match lines.rest.starts_with("execution ") {
            true => BundlePart::Execution,
            false => BundlePart::Proof(opening.header.seq),
        };
        let execution = lines.value("execution ", part, read_id::<ExecutionId>)?;
        let stream = lines.value("stream ", BundlePart::Stream, read_stream)?;
        let keys = read_keys(&mut lines)?;
        let names = read_names(&mut lines)?;
        // What is neither a hash nor a record stands behind the proof of the last name.
        let part = match names.last() {
            Some(naming) if !lines.rest.starts_with("record ") => {
                BundlePart::Proof(naming.header.seq)
            }
            _ => BundlePart::Record(1),
        };
        let items = read_items(&mut lines, part)?;
        // What is neither a hash, a record nor the checksum stands behind the last record's proof.
        let part = match items.last() {
            Some(item) if !lines.rest.starts_with("checksum ") => {
                BundlePart::Proof(item.header.seq)
            }
            _ => BundlePart::Checksum,
        };
        let checksum = lines.value("checksum ", part, TreeHash::from_base64)?;
        if !lines.rest.is_empty() || !is_text {
            let (line, part) = (lines.line, BundlePart::Checksum);
            return Err(BundleParseError::Line { line, part });
        }
        let note = note.ok_or(BundleParseError::Note(NoteError::Form))?;
        let checkpoint = Note::parse(note).map_err(BundleParseError::Note)?;
        Ok(Self {
            ledger,
            opening,
            execution,
            stream,
            keys,
            names,
            items,
            checksum: Some(checksum),
            checkpoint,
        })
    }
}

/// The lines up to the first empty one, whether all of them are text, and the note behind them. Bytes
/// that are no text end the lines, so that the line they are in is the one that is refused.
fn split(bytes: &[u8]) -> (&str, bool, Option<&[u8]>) {
    let at = bytes.windows(2).position(|pair| pair == b"\n\n");
    let (head, note) = match at.and_then(|at| bytes.split_at_checked(at + 1)) {
        Some((head, rest)) => (head, rest.get(1..)),
        None => (bytes, None),
    };
    let text = match head.utf8_chunks().next() {
        Some(chunk) => chunk.valid(),
        None => "",
    };
    (text, text.len() == head.len(), note)
}

/// An id in lower-case digits.
fn read_id<T: std::str::FromStr + ToString>(text: &str) -> Option<T> {
    let id = text.parse::<T>().ok();
    id.filter(|id| id.to_string() == text)
}

fn read_stream(text: &str) -> Option<Stream> {
    let words: Vec<_> = text.splitn(4, ' ').collect();
    match words.as_slice() {
        ["open", records] => decimal(records).map(|records| Stream::Open { records }),
        ["complete", records, closing] => Some(Stream::Complete {
            records: decimal(records)?,
            closed_by: Closing::from_name(closing)?,
        }),
        _ => None,
    }
}

fn read_keys(lines: &mut Lines<'_>) -> Result<Vec<VerifierKey>, BundleParseError> {
    let mut keys = Vec::new();
    while keys.is_empty() || lines.rest.starts_with("key ") {
        let (line, part) = (lines.line, BundlePart::Key(keys.len() + 1));
        if keys.len() >= KEYS_MAX {
            return Err(BundleParseError::Line { line, part });
        }
        keys.push(lines.value("key ", part, |text| VerifierKey::parse(text).ok())?);
    }
    Ok(keys)
}

fn read_names(lines: &mut Lines<'_>) -> Result<Vec<Naming>, BundleParseError> {
    let mut names = Vec::new();
    while lines.rest.starts_with("named ") {
        let (line, part) = (lines.line, BundlePart::Named(names.len() + 1));
        if names.len() >= RECORDS_MAX {
            return Err(BundleParseError::Line { line, part });
        }
        let header = read_header(lines, "named ", part)?;
        names.push(Naming {
            content: read_content(lines, header.seq)?,
            path: read_path(lines, header.seq)?,
            header,
        });
    }
    Ok(names)
}

/// `first` is what is missing where there is no record.
fn read_items(lines: &mut Lines<'_>, first: BundlePart) -> Result<Vec<Item>, BundleParseError> {
    let mut items = Vec::new();
    while items.is_empty() || lines.rest.starts_with("record ") {
        let part = match items.len() {
            0 => first,
            before => BundlePart::Record(before + 1),
        };
        let line = lines.line;
        if items.len() >= RECORDS_MAX {
            return Err(BundleParseError::Line { line, part });
        }
        items.push(read_item(lines, part)?);
    }
    Ok(items)
}

fn read_opening(lines: &mut Lines<'_>) -> Result<Opening, BundleParseError> {
    let header = read_header(lines, "opened ", BundlePart::Opened)?;
    let path = read_path(lines, header.seq)?;
    Ok(Opening { header, path })
}

/// A line with a sequence number, and the header of that record.
fn read_header(
    lines: &mut Lines<'_>,
    word: &str,
    part: BundlePart,
) -> Result<RecordHeader, BundleParseError> {
    let number = |text: &str| decimal(text).and_then(Seq::new);
    let seq = lines.value(word, part, number)?;
    let header = |text: &str| {
        let bytes = fixed::<HEADER_LEN>(text)?;
        let header = RecordHeader::decode(&bytes).ok()?;
        (header.seq == seq).then_some(header)
    };
    lines.value("header ", BundlePart::Header(seq), header)
}

fn read_path(lines: &mut Lines<'_>, seq: Seq) -> Result<Vec<TreeHash>, BundleParseError> {
    let mut path = Vec::new();
    while lines.rest.starts_with("hash ") {
        let (line, part) = (lines.line, BundlePart::Proof(seq));
        if path.len() >= PATH_MAX {
            return Err(BundleParseError::Line { line, part });
        }
        path.push(lines.value("hash ", part, TreeHash::from_base64)?);
    }
    Ok(path)
}

fn read_content(lines: &mut Lines<'_>, seq: Seq) -> Result<Content, BundleParseError> {
    let part = BundlePart::Payload(seq);
    let salt = lines.value("salt ", part, fixed::<SALT_LEN>)?;
    let payload = lines.value("payload ", part, read_payload)?;
    Ok(Content { salt, payload })
}

fn read_item(lines: &mut Lines<'_>, part: BundlePart) -> Result<Item, BundleParseError> {
    let header = read_header(lines, "record ", part)?;
    let seq = header.seq;
    let content = if lines.is("withheld") {
        None
    } else {
        Some(read_content(lines, seq)?)
    };
    let path = read_path(lines, seq)?;
    Ok(Item {
        header,
        content,
        path,
    })
}

fn fixed<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let decoded = Base64::decode(text, &mut bytes).ok()?;
    (decoded.len() == N).then_some(bytes)
}

fn read_payload(text: &str) -> Option<Vec<u8>> {
    // Refused before anything is allocated for it.
    if !is_payload_len(text.len() / 4 * 3) {
        return None;
    }
    Base64::decode_vec(text).ok()
}

// SPDX-License-Identifier: Apache-2.0
//! Signed notes (C2SP `signed-note`): a text, an empty line, signature lines.
//!
//! # Example
//!
//! ```
//! use femtoclaw_ledger::integrity::key::{Algorithm, Signer};
//! use femtoclaw_ledger::integrity::note::{Note, NoteError};
//! use femtoclaw_ledger::integrity::secret::SigningKey;
//!
//! let key = SigningKey::from_seed("ledger.example/a", Algorithm::Ed25519, &[7; 32])?;
//! let mut note = Note::new("it is so\n".into())?;
//! note.sign(&key)?;
//!
//! let sent = note.to_string();
//! let read = Note::parse(sent.as_bytes())?;
//! assert!(read.signed_by(key.key())?.is_some());
//!
//! let changed = Note::parse(sent.replace("so", "no").as_bytes())?;
//! assert!(matches!(changed.signed_by(key.key()), Err(NoteError::FalseSignature { .. })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::key::{self, Algorithm, SignError, Signer, VerifierKey};
use base64ct::{Base64, Encoding};
use std::fmt;

/// The largest note that is read, in bytes.
///
/// Example: [`Note::parse`](crate::integrity::note::Note::parse).
pub const NOTE_BYTES_MAX: usize = 1_000_000;
/// The most signatures that a note may have.
///
/// Example: [`Note::parse`](crate::integrity::note::Note::parse).
pub const SIGNATURES_MAX: usize = 100;

const DASH: &str = "\u{2014} ";

/// The bytes are no signed note, or a signature in it is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// More than [`NOTE_BYTES_MAX`] bytes or [`SIGNATURES_MAX`] signatures.
    #[error(
        "the note is too large: {NOTE_BYTES_MAX} bytes and {SIGNATURES_MAX} signatures are the most"
    )]
    TooLarge,
    /// Not UTF-8, or with a control character other than the line feed.
    #[error("the note is not plain text")]
    NotText,
    /// The text does not end with a line feed, or no signature lines follow an empty line.
    #[error("the note has no signed text followed by an empty line and signatures")]
    Form,
    /// Signatures of another text cannot be taken over.
    #[error("the note has another text")]
    OtherText,
    /// A signature line that is not `— name base64`; counted from 1.
    #[error("signature line {0} is malformed")]
    SignatureLine(usize),
    /// A known key's signature does not fit the text: somebody changed one of them.
    #[error("invalid signature by {name}+{id:08x}")]
    FalseSignature {
        /// The key's name.
        name: String,
        /// The key's id.
        id: u32,
    },
}

/// A line below a note: who claims to have signed, and with what.
///
/// Example: [`integrity::witness`](crate::integrity::witness).
#[derive(Clone, PartialEq, Eq, serde::Serialize)]
pub struct NoteSignature {
    name: String,
    id: u32,
    #[serde(serialize_with = "crate::events::readable::hex::slice")]
    bytes: Vec<u8>,
}

crate::events::readable::debug_as_read!(NoteSignature);

impl NoteSignature {
    /// Name of the key that is said to have signed.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Id of the key that is said to have signed.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }

    fn parse(line: &str) -> Option<Self> {
        let (name, signature) = line.strip_prefix(DASH)?.split_once(' ')?;
        let bytes = Base64::decode_vec(signature).ok()?;
        let (id, rest) = bytes.split_first_chunk::<4>()?;
        (key::is_key_name(name) && !rest.is_empty()).then(|| Self {
            name: name.to_owned(),
            id: u32::from_be_bytes(*id),
            bytes: rest.to_owned(),
        })
    }

    fn is_by(&self, key: &VerifierKey) -> bool {
        self.name == key.name() && self.id == key.id()
    }

    /// The time that a cosignature states; 0 for a plain signature. `None` if it is invalid.
    fn check(&self, text: &str, key: &VerifierKey) -> Option<u64> {
        match key.algorithm() {
            Algorithm::Ed25519 => {
                let signature = self.bytes.as_slice().try_into().ok()?;
                key.accepts(text.as_bytes(), signature).then_some(0)
            }
            Algorithm::CosignatureV1 => {
                let (time, signature) = self.bytes.split_first_chunk::<8>()?;
                let time_s = u64::from_be_bytes(*time);
                let signature = signature.try_into().ok()?;
                let stated = i64::try_from(time_s).is_ok();
                (stated && key.accepts(&cosigned(time_s, text), signature)).then_some(time_s)
            }
        }
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.id.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.bytes);
        writeln!(f, "{DASH}{} {}", self.name, Base64::encode_string(&bytes))
    }
}

/// What a witness signs.
fn cosigned(time_s: u64, text: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {time_s}\n{text}").into_bytes()
}

/// A text with signatures. Reading one says nothing about who wrote it: see [`Note::signed_by`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl Note {
    /// A text that nobody has signed yet.
    ///
    /// # Errors
    /// [`NoteError`] where it cannot be the text of a note.
    pub fn new(text: String) -> Result<Self, NoteError> {
        check_text(&text)?;
        let signatures = Vec::new();
        Ok(Self { text, signatures })
    }

    /// Reads a signed note; exactly these bytes are written again by `to_string`.
    ///
    /// # Errors
    /// [`NoteError`] says what is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLarge);
        }
        let all = std::str::from_utf8(bytes).map_err(|_| NoteError::NotText)?;
        // The text ends at the last empty line.
        let at = all.rfind("\n\n").ok_or(NoteError::Form)?;
        let (text, rest) = all.split_at(at + 1);
        check_text(text)?;
        let lines = rest
            .strip_prefix('\n')
            .and_then(|rest| rest.strip_suffix('\n'));
        let lines = lines.ok_or(NoteError::Form)?;
        let mut signatures = Vec::new();
        for (index, line) in lines.split('\n').enumerate() {
            if index >= SIGNATURES_MAX {
                return Err(NoteError::TooLarge);
            }
            let signature = NoteSignature::parse(line);
            signatures.push(signature.ok_or(NoteError::SignatureLine(index + 1))?);
        }
        let text = text.to_owned();
        Ok(Self { text, signatures })
    }

    /// The text, with its last line feed. It means nothing until a signature of a trusted key has
    /// been checked.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, checked or not.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Whether this key signed: `None` where no signature names it, else the time in seconds since
    /// 1970 that a cosignature states (the latest of several; 0 for a plain signature).
    ///
    /// # Errors
    /// [`NoteError::FalseSignature`] where one that names the key is not by it.
    pub fn signed_by(&self, key: &VerifierKey) -> Result<Option<u64>, NoteError> {
        let mut signed = None;
        for signature in self.signatures.iter().filter(|line| line.is_by(key)) {
            let Some(time_s) = signature.check(&self.text, key) else {
                return Err(NoteError::FalseSignature {
                    name: key.name().to_owned(),
                    id: key.id(),
                });
            };
            signed = signed.max(Some(time_s));
        }
        Ok(signed)
    }

    /// Adds the log's signature; an earlier one of the same key gives way.
    ///
    /// # Errors
    /// [`SignError`]; the note is as it was.
    pub fn sign(&mut self, signer: &dyn Signer) -> Result<(), SignError> {
        let bytes = key::signature(signer, Algorithm::Ed25519, self.text.as_bytes())?;
        self.put(signer.key(), bytes.to_vec());
        Ok(())
    }

    /// Adds a witness's cosignature, made at `time_s` (seconds since 1970); an earlier one of the
    /// same key gives way.
    ///
    /// # Errors
    /// [`SignError`]; the note is as it was.
    pub fn cosign(&mut self, signer: &dyn Signer, time_s: u32) -> Result<(), SignError> {
        let time_s = u64::from(time_s);
        let message = cosigned(time_s, &self.text);
        let signature = key::signature(signer, Algorithm::CosignatureV1, &message)?;
        let mut bytes = time_s.to_be_bytes().to_vec();
        bytes.extend_from_slice(&signature);
        self.put(signer.key(), bytes);
        Ok(())
    }

    /// Takes over signatures that another copy of the same note has; those of keys that signed
    /// this copy already stay as they are. False, and nothing taken, where the text is another or
    /// there would be more than [`SIGNATURES_MAX`].
    pub fn merge(&mut self, other: &Self) -> bool {
        let new = |line: &&NoteSignature| {
            let same = |have: &NoteSignature| have.name == line.name && have.id == line.id;
            !self.signatures.iter().any(same)
        };
        let added: Vec<_> = other.signatures.iter().filter(new).cloned().collect();
        if self.text != other.text || self.signatures.len() + added.len() > SIGNATURES_MAX {
            return false;
        }
        self.signatures.extend(added);
        true
    }

    /// Takes over what these keys signed in another copy of the same note, and nothing that others
    /// did. Of two cosignatures of one key the later one stays. Gives the number of signatures that
    /// are new or later.
    ///
    /// # Errors
    /// `FalseSignature` if one of them is invalid, `OtherText` where the other note says something
    /// else, `TooLarge` where there would be more than [`SIGNATURES_MAX`]. The note is as it was.
    pub fn take_over(&mut self, other: &Self, keys: &[VerifierKey]) -> Result<u32, NoteError> {
        if self.text != other.text {
            return Err(NoteError::OtherText);
        }
        let (mut merged, mut taken) = (self.clone(), 0);
        for key in keys {
            if other.signed_by(key)? <= self.signed_by(key)? {
                continue;
            }
            let lines = other.signatures.iter().filter(|line| line.is_by(key));
            let time = |line: &&NoteSignature| line.check(&other.text, key);
            if let Some(latest) = lines.max_by_key(time) {
                merged.put(key, latest.bytes.clone());
                taken += 1;
            }
        }
        if merged.signatures.len() > SIGNATURES_MAX {
            return Err(NoteError::TooLarge);
        }
        *self = merged;
        Ok(taken)
    }

    fn put(&mut self, key: &VerifierKey, bytes: Vec<u8>) {
        self.signatures.retain(|line| !line.is_by(key));
        self.signatures.push(NoteSignature {
            name: key.name().to_owned(),
            id: key.id(),
            bytes,
        });
    }
}

/// The text, an empty line, and one line for each signature.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        let mut lines = self.signatures.iter();
        lines.try_for_each(|line| line.fmt(f))
    }
}

fn check_text(text: &str) -> Result<(), NoteError> {
    if text.len() > NOTE_BYTES_MAX {
        return Err(NoteError::TooLarge);
    }
    if text.bytes().any(|byte| byte < b' ' && byte != b'\n') {
        return Err(NoteError::NotText);
    }
    if !text.ends_with('\n') {
        return Err(NoteError::Form);
    }
    Ok(())
}

crate::events::readable::words::spoken!(Note);

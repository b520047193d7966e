// SPDX-License-Identifier: Apache-2.0
//! Whose checkpoints count (C2SP `tlog-policy`): which logs, and which witnesses must have cosigned.
//!
//! # Example
//!
//! ```
//! use femtoclaw_ledger::integrity::policy::{Policy, TrustError};
//! # use femtoclaw_ledger::integrity::key::{Algorithm, Signer};
//! # use femtoclaw_ledger::integrity::{checkpoint::Checkpoint, merkle::leaf_hash, secret::SigningKey};
//! # let log = SigningKey::from_seed("ledger.example/a", Algorithm::Ed25519, &[1; 32])?;
//! # let witness = SigningKey::from_seed("witness.example", Algorithm::CosignatureV1, &[2; 32])?;
//! # let mut note = Checkpoint::new("ledger.example/a", 1, leaf_hash(b"a header"))?.sign(&log)?;
//! # let (log, witness_key) = (log.key(), witness.key());
//! // As a file of the checker's own has it: this log, and this witness must have seen it.
//! let text = format!("log {log}\nwitness one {witness_key}\nquorum one\n");
//! let policy = Policy::parse(text.as_bytes())?;
//! assert_eq!(policy.check(&note, None), Err(TrustError::NoQuorum(0)));
//!
//! note.cosign(&witness, 1_700_000_000)?;
//! let trusted = policy.check(&note, Some(1_700_000_060))?;
//! assert_eq!((trusted.checkpoint.size(), trusted.witnesses[0].time_s), (1, 1_700_000_000));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::checkpoint::{Checkpoint, CheckpointTextError};
use super::key::{Algorithm, KeyError, VerifierKey};
use super::note::{Note, NoteError};
use super::text::rfc3339;
use std::collections::HashMap;

/// The largest policy that is read, in bytes.
///
/// Example: [`Policy::parse`](crate::integrity::policy::Policy::parse).
pub const POLICY_BYTES_MAX: usize = 65_536;

/// The text is no policy. Lines are counted from 1.
///
/// Example: [`Policy::parse`](crate::integrity::policy::Policy::parse).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// More than [`POLICY_BYTES_MAX`] bytes.
    #[error("the policy has more than {POLICY_BYTES_MAX} bytes")]
    TooLarge,
    /// A line has a form that no policy knows, or the last one is not ended.
    #[error("line {0} of the policy is malformed")]
    Line(usize),
    /// A key is malformed.
    #[error("line {0} of the policy has no usable key")]
    Key(usize, #[source] KeyError),
    /// A log's key that signs cosignatures, or a witness's that does not.
    #[error("line {0} of the policy has a key of the wrong kind")]
    Kind(usize),
    /// The same key twice: one signer would count as two, or a log as its own witness.
    #[error("line {0} of the policy names a key that another line has")]
    DuplicateKey(usize),
    /// A name is given twice, is `none`, is not given before, or is a member twice.
    #[error("line {0} of the policy uses a name that it must not")]
    Name(usize),
    /// A group that can never be complete, or always is.
    #[error("line {0} of the policy asks for a number of members that the group cannot have")]
    Threshold(usize),
    /// There is no line `quorum`, or a second one.
    #[error("the policy must have exactly one quorum")]
    Quorum,
    /// There is no line `log`: every checkpoint would be somebody's.
    #[error("the policy names no log")]
    NoLog,
}

/// A checkpoint is not to be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The bytes are no note, or a signature of a known key is invalid.
    #[error("the note is not to be trusted")]
    Note(#[from] NoteError),
    /// The note's text is no checkpoint.
    #[error("the signed text is not a checkpoint")]
    Checkpoint(#[from] CheckpointTextError),
    /// It is of a log that the policy does not name.
    #[error("the checkpoint is of the log {0:?}, which the policy does not name")]
    OtherLog(String),
    /// The log has not signed it with a key that the policy names.
    #[error("the log {0:?} has not signed the checkpoint")]
    Unsigned(String),
    /// Too few witnesses have cosigned it.
    #[error("the cosignatures of {0} witnesses are not the quorum that the policy demands")]
    NoQuorum(usize),
}

/// What a policy accepted, and because of whom.
///
/// Example: [`Policy::check`](crate::integrity::policy::Policy::check).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Trusted {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// The key of the log that signed it.
    pub log: VerifierKey,
    /// The witnesses that cosigned it.
    pub witnesses: Vec<Cosigned>,
}

/// A witness that cosigned a checkpoint.
///
/// Example: [`Policy::check`](crate::integrity::policy::Policy::check).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// Its key.
    pub key: VerifierKey,
    /// The time that it states, in seconds since 1970.
    pub time_s: u64,
}

/// The key and the time.
impl std::fmt::Display for Cosigned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let time = rfc3339(i128::from(self.time_s) * 1_000_000_000);
        write!(f, "{} {time}", self.key)
    }
}

crate::events::readable::words::spoken!(Cosigned);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    Witness(usize),
    Group(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    threshold: usize,
    members: Vec<Member>,
}

/// Which logs are trusted, and which witnesses must have cosigned their checkpoints.
///
/// Several keys of one name are one log whose key was changed: what an old key signed stays
/// verifiable as long as the policy names the old key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<VerifierKey>,
    witnesses: Vec<VerifierKey>,
    groups: Vec<Group>,
    quorum: Option<Member>,
}

impl Policy {
    /// Trusts what one of these logs signed and at least `threshold` of these witnesses cosigned.
    ///
    /// # Errors
    /// [`PolicyError`]; the line it names is the place in the list, logs first.
    pub fn new(
        logs: &[VerifierKey],
        witnesses: &[VerifierKey],
        threshold: usize,
    ) -> Result<Self, PolicyError> {
        let mut policy = Self::default();
        for (index, key) in logs.iter().enumerate() {
            policy.add_log(key.clone(), index + 1)?;
        }
        for (index, key) in witnesses.iter().enumerate() {
            policy.add_witness(key.clone(), logs.len() + index + 1)?;
        }
        if threshold > witnesses.len() {
            return Err(PolicyError::Threshold(logs.len() + witnesses.len()));
        }
        if threshold > 0 {
            let members = (0..witnesses.len()).map(Member::Witness).collect();
            policy.groups.push(Group { threshold, members });
            policy.quorum = Some(Member::Group(0));
        }
        policy.complete()
    }

    /// Reads a policy file.
    ///
    /// # Errors
    /// [`PolicyError`] says what is wrong with it, and where.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        if bytes.len() > POLICY_BYTES_MAX {
            return Err(PolicyError::TooLarge);
        }
        let mut reader = PolicyReader::default();
        let mut rest = bytes;
        let mut number = 0;
        while !rest.is_empty() {
            number += 1;
            let mut parts = rest.splitn(2, |byte| *byte == b'\n');
            let (Some(line), Some(after)) = (parts.next(), parts.next()) else {
                return Err(PolicyError::Line(number));
            };
            reader.line(line, number)?;
            rest = after;
        }
        if !reader.has_quorum {
            return Err(PolicyError::Quorum);
        }
        reader.policy.complete()
    }

    fn complete(self) -> Result<Self, PolicyError> {
        if self.logs.is_empty() {
            return Err(PolicyError::NoLog);
        }
        Ok(self)
    }

    fn add_log(&mut self, key: VerifierKey, line: usize) -> Result<(), PolicyError> {
        self.check_new(&key, Algorithm::Ed25519, line)?;
        self.logs.push(key);
        Ok(())
    }

    fn add_witness(&mut self, key: VerifierKey, line: usize) -> Result<(), PolicyError> {
        self.check_new(&key, Algorithm::CosignatureV1, line)?;
        self.witnesses.push(key);
        Ok(())
    }

    fn check_new(
        &self,
        key: &VerifierKey,
        kind: Algorithm,
        line: usize,
    ) -> Result<(), PolicyError> {
        if key.algorithm() != kind {
            return Err(PolicyError::Kind(line));
        }
        let mut known = self.logs.iter().chain(&self.witnesses);
        if known.any(|have| have.public() == key.public()) {
            return Err(PolicyError::DuplicateKey(line));
        }
        Ok(())
    }

    /// Keys of the logs.
    #[must_use]
    pub fn logs(&self) -> &[VerifierKey] {
        &self.logs
    }

    /// Checks a note: that it is a checkpoint, signed by one of the logs, and cosigned by enough
    /// witnesses. A cosignature of a time after `now_s` (seconds since 1970) does not count, where
    /// it is given; how old the checkpoint may be is for the caller to say.
    ///
    /// # Errors
    /// [`TrustError`] says what is missing. One invalid signature of a key that the policy names is
    /// enough: the note was changed.
    pub fn check(&self, note: &Note, now_s: Option<u64>) -> Result<Trusted, TrustError> {
        let checkpoint = Checkpoint::parse(note.text())?;
        let origin = checkpoint.origin();
        if !self.logs.iter().any(|key| key.name() == origin) {
            return Err(TrustError::OtherLog(origin.to_owned()));
        }
        let mut log = None;
        for key in &self.logs {
            if note.signed_by(key)?.is_some() && key.name() == origin {
                log = log.or(Some(key));
            }
        }
        let log = log.ok_or_else(|| TrustError::Unsigned(origin.to_owned()))?;
        let (mut cosigned, mut witnesses) = (Vec::new(), Vec::new());
        for key in &self.witnesses {
            let time_s = note.signed_by(key)?;
            let time_s = time_s.filter(|time_s| now_s.is_none_or(|now_s| *time_s <= now_s));
            cosigned.push(time_s.is_some());
            let cosigned = |time_s| Cosigned {
                key: key.clone(),
                time_s,
            };
            witnesses.extend(time_s.map(cosigned));
        }
        if !self.is_quorum(&cosigned) {
            return Err(TrustError::NoQuorum(witnesses.len()));
        }
        let log = log.clone();
        Ok(Trusted {
            checkpoint,
            log,
            witnesses,
        })
    }

    fn is_quorum(&self, cosigned: &[bool]) -> bool {
        let mut complete: Vec<bool> = Vec::new();
        let holds = |member: &Member, complete: &[bool]| match member {
            Member::Witness(index) => cosigned.get(*index).copied().unwrap_or(false),
            Member::Group(index) => complete.get(*index).copied().unwrap_or(false),
        };
        // A group has only members that stand before it.
        for group in &self.groups {
            let count = group
                .members
                .iter()
                .filter(|member| holds(member, &complete));
            let count = count.count();
            complete.push(count >= group.threshold);
        }
        self.quorum.is_none_or(|member| holds(&member, &complete))
    }
}

/// Names are bytes, and mean something within the file only.
#[derive(Default)]
struct PolicyReader<'a> {
    policy: Policy,
    names: HashMap<&'a [u8], Member>,
    used: Vec<Member>,
    has_quorum: bool,
}

impl<'a> PolicyReader<'a> {
    fn line(&mut self, line: &'a [u8], number: usize) -> Result<(), PolicyError> {
        let malformed = PolicyError::Line(number);
        if line
            .iter()
            .any(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f)
        {
            return Err(malformed);
        }
        let words = line.split(|byte| matches!(byte, b' ' | b'\t'));
        let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
        match words.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with(b"#") => Ok(()),
            [b"log", key] | [b"log", key, _] => {
                let key = parse_key(key, number)?;
                self.policy.add_log(key, number)
            }
            [b"witness", name, key] | [b"witness", name, key, _] => {
                let key = parse_key(key, number)?;
                let member = Member::Witness(self.policy.witnesses.len());
                self.define(name, member, number)?;
                self.policy.add_witness(key, number)
            }
            [b"group", name, threshold, members @ ..] => {
                self.group(name, threshold, members, number)
            }
            [b"quorum", name] => {
                if std::mem::replace(&mut self.has_quorum, true) {
                    return Err(PolicyError::Quorum);
                }
                if *name != b"none" {
                    let member = self.names.get(name).copied();
                    self.policy.quorum = Some(member.ok_or(PolicyError::Name(number))?);
                }
                Ok(())
            }
            _ => Err(malformed),
        }
    }

    fn define(&mut self, name: &'a [u8], member: Member, number: usize) -> Result<(), PolicyError> {
        if name == b"none" || self.names.insert(name, member).is_some() {
            return Err(PolicyError::Name(number));
        }
        Ok(())
    }

    fn group(
        &mut self,
        name: &'a [u8],
        threshold: &[u8],
        names: &[&'a [u8]],
        number: usize,
    ) -> Result<(), PolicyError> {
        let mut members = Vec::new();
        for name in names {
            let member = self.names.get(name).copied();
            let member = member.ok_or(PolicyError::Name(number))?;
            if self.used.contains(&member) {
                return Err(PolicyError::Name(number));
            }
            self.used.push(member);
            members.push(member);
        }
        let threshold = match threshold {
            b"all" => Some(members.len()),
            b"any" => Some(1),
            digits => std::str::from_utf8(digits)
                .ok()
                .and_then(super::text::decimal)
                .and_then(|threshold| usize::try_from(threshold).ok()),
        };
        let threshold = threshold.filter(|wanted| (1..=members.len()).contains(wanted));
        let threshold = threshold.ok_or(PolicyError::Threshold(number))?;
        let group = Member::Group(self.policy.groups.len());
        self.define(name, group, number)?;
        self.policy.groups.push(Group { threshold, members });
        Ok(())
    }
}

fn parse_key(word: &[u8], number: usize) -> Result<VerifierKey, PolicyError> {
    let text = std::str::from_utf8(word).map_err(|_| PolicyError::Line(number))?;
    VerifierKey::parse(text).map_err(|error| PolicyError::Key(number, error))
}

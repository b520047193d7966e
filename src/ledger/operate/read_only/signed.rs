// SPDX-License-Identifier: Apache-2.0
//! Whether the checkpoints that a ledger's records tell of are signed by those whom somebody trusts, and
//! are of these records.

use std::collections::BTreeMap;

use crate::error::ReadError;
use crate::events::{Event, EventType, Record, Seq};
use crate::integrity::checkpoint::Checkpoint;
use crate::integrity::merkle::{Frontier, TreeHash, leaf_hash};
use crate::integrity::note::Note;
use crate::integrity::policy::{Policy, TrustError};

use super::ReadOnly;

/// Refusals that are kept; the rest is counted.
const REFUSED_MAX: usize = 1_000;

/// What became of the recorded checkpoints.
///
/// Example: [`read_only`](crate::read_only).
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct SignedCheckpoints {
    /// How many are signed as the policy demands, and of these records.
    pub holding: u64,
    /// Records that the largest of those covers; 0: there is none.
    pub covered: u64,
    /// The others, by the number of records that they cover; at most 1,000 of them.
    pub refused: Vec<RefusedCheckpoint>,
    /// Refusals beyond those.
    pub refused_more: u64,
}

/// A recorded checkpoint that is not what a checkpoint must be.
///
/// Example: [`read_only`](crate::read_only).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize)]
#[error("record {seq}: checkpoint at {size} records: {problem}")]
#[non_exhaustive]
pub struct RefusedCheckpoint {
    /// The record that tells of it.
    pub seq: Seq,
    /// Records that it says it covers.
    pub size: u64,
    /// Why.
    pub problem: CheckpointProblem,
}

/// Why a recorded checkpoint is refused.
///
/// Example: [`read_only`](crate::read_only).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointProblem {
    /// The record's payload tells of no checkpoint.
    #[error("the record cannot be read")]
    Unreadable,
    /// The record names another tree than the note in it.
    #[error("its record names another tree")]
    Disagrees,
    /// The policy does not trust it.
    #[error("{0}")]
    Untrusted(TrustError),
    /// The records that it covers are other ones.
    #[error("the records up to there have another root")]
    OtherRoot,
    /// Records that it covers are damaged or missing.
    #[error("records up to there are damaged or missing, so its root cannot be compared")]
    NotCompared,
}

impl CheckpointProblem {
    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Disagrees => "disagrees",
            Self::Untrusted(_) => "untrusted",
            Self::OtherRoot => "other_root",
            Self::NotCompared => "not_compared",
        }
    }
}

/// A checkpoint that was read, before it is held against the tree.
struct UncheckedCheckpoint {
    seq: Seq,
    root: TreeHash,
    problem: Option<CheckpointProblem>,
}

impl ReadOnly {
    /// Checks every checkpoint that the records tell of: that its note is signed, and cosigned, as
    /// `policy` demands, and that the records up to there have its root. Cosignatures that were recorded
    /// later count; those of a time after `now_s` (seconds since 1970) do not, where it is given.
    ///
    /// Reads all of the journal twice, and holds some 150 bytes for each checkpoint. Keys come from the
    /// caller: what the records say of keys (`SigningKeyChanged`) is no reason to trust one.
    ///
    /// # Errors
    /// The medium does not answer. Damage is no error: a checkpoint that rests on damaged records
    /// is refused.
    pub fn signed_checkpoints(
        &self,
        policy: &Policy,
        now_s: Option<u64>,
    ) -> Result<SignedCheckpoints, ReadError> {
        let mut result = SignedCheckpoints::default();
        let told = self.told(policy, now_s, &mut result)?;
        self.compare(told, &mut result)?;
        Ok(result)
    }

    /// By size, and in the order of their records.
    fn told(
        &self,
        policy: &Policy,
        now_s: Option<u64>,
        result: &mut SignedCheckpoints,
    ) -> Result<BTreeMap<u64, Vec<UncheckedCheckpoint>>, ReadError> {
        let mut all: BTreeMap<u64, Vec<UncheckedCheckpoint>> = BTreeMap::new();
        for record in self.range(Seq::FIRST) {
            let record = match record {
                Ok(record) => record,
                Err(ReadError::Damaged { .. }) => continue,
                Err(error) => return Err(error),
            };
            let kind = record.header.event_type;
            let signed = kind == EventType::CheckpointSigned;
            if !signed && kind != EventType::CheckpointCosigned {
                continue;
            }
            let (size, told) = tell(&record, policy, now_s);
            let Some(told) = told else {
                result.refuse(record.header.seq, size, CheckpointProblem::Unreadable);
                continue;
            };
            let same = all.entry(size).or_default();
            // The same checkpoint with more signatures: it is as good as the best note of it.
            match same.iter_mut().find(|earlier| earlier.root == told.root) {
                Some(earlier) if !signed && told.problem.is_none() => earlier.problem = None,
                Some(_) if !signed => {}
                _ => same.push(told),
            }
        }
        Ok(all)
    }

    /// Holds them against a tree over the headers.
    fn compare(
        &self,
        told: BTreeMap<u64, Vec<UncheckedCheckpoint>>,
        result: &mut SignedCheckpoints,
    ) -> Result<(), ReadError> {
        let (mut tree, mut told) = (Frontier::default(), told.into_iter().peekable());
        let mut records = self.range(Seq::FIRST);
        while let Some((size, same)) = told.next_if(|(size, _)| *size <= tree.size()) {
            result.compare(size, same, Some(tree.root()));
        }
        while told.peek().is_some() {
            match records.next() {
                Some(Ok(record)) => {
                    if tree.append(leaf_hash(&record.header.encode())).is_err() {
                        break;
                    }
                }
                None | Some(Err(ReadError::Damaged { .. })) => break,
                Some(Err(error)) => return Err(error),
            }
            while let Some((size, same)) = told.next_if(|(size, _)| *size <= tree.size()) {
                result.compare(size, same, Some(tree.root()));
            }
        }
        told.for_each(|(size, same)| result.compare(size, same, None));
        Ok(())
    }
}

/// Size and root as the note has them, and what is wrong with it; without a root where it has none.
fn tell(
    record: &Record,
    policy: &Policy,
    now_s: Option<u64>,
) -> (u64, Option<UncheckedCheckpoint>) {
    let (size, root, note) = match record.event() {
        Ok(Event::CheckpointSigned(it)) => (it.size, it.root, it.note),
        Ok(Event::CheckpointCosigned(it)) => (it.size, it.root, it.note),
        _ => return (0, None),
    };
    let Ok(note) = Note::parse(&note) else {
        return (size, None);
    };
    let Ok(checkpoint) = Checkpoint::parse(note.text()) else {
        return (size, None);
    };
    let problem = if (checkpoint.size(), checkpoint.root().as_bytes()) == (size, &root) {
        let trusted = policy.check(&note, now_s);
        trusted.err().map(CheckpointProblem::Untrusted)
    } else {
        Some(CheckpointProblem::Disagrees)
    };
    let told = UncheckedCheckpoint {
        seq: record.header.seq,
        root: TreeHash::from_bytes(root),
        problem,
    };
    (size, Some(told))
}

impl SignedCheckpoints {
    fn compare(&mut self, size: u64, same: Vec<UncheckedCheckpoint>, root: Option<TreeHash>) {
        for UncheckedCheckpoint {
            seq,
            root: said,
            problem,
        } in same
        {
            let problem = problem.or_else(|| match root {
                Some(root) if root == said => None,
                Some(_) => Some(CheckpointProblem::OtherRoot),
                None => Some(CheckpointProblem::NotCompared),
            });
            match problem {
                Some(problem) => self.refuse(seq, size, problem),
                None => {
                    self.holding += 1;
                    self.covered = self.covered.max(size);
                }
            }
        }
    }

    fn refuse(&mut self, seq: Seq, size: u64, problem: CheckpointProblem) {
        if self.refused.len() < REFUSED_MAX {
            self.refused.push(RefusedCheckpoint { seq, size, problem });
        } else {
            self.refused_more += 1;
        }
    }
}

impl serde::Serialize for CheckpointProblem {
    /// Its code, and what it says.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut problem = serializer.serialize_struct("CheckpointProblem", 2)?;
        problem.serialize_field("code", self.code())?;
        problem.serialize_field("text", &self.to_string())?;
        problem.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(root: u8, problem: Option<CheckpointProblem>) -> UncheckedCheckpoint {
        let root = leaf_hash(&[root]);
        UncheckedCheckpoint {
            seq: Seq::FIRST,
            root,
            problem,
        }
    }

    #[test]
    fn a_root_that_is_not_the_records_is_refused_whoever_signed_it() {
        let mut result = SignedCheckpoints::default();
        let same = vec![told(1, None), told(2, None)];
        result.compare(5, same, Some(leaf_hash(&[1])));
        assert_eq!((result.holding, result.covered), (1, 5));
        assert_eq!(result.refused[0].problem, CheckpointProblem::OtherRoot);
        // A problem of the note comes first; the good root makes nothing of it.
        let disagrees = vec![told(1, Some(CheckpointProblem::Disagrees))];
        result.compare(9, disagrees, Some(leaf_hash(&[1])));
        assert_eq!((result.holding, result.covered), (1, 5));
        assert_eq!(result.refused[1].problem, CheckpointProblem::Disagrees);
    }

    #[test]
    fn refusals_beyond_those_kept_are_counted() {
        let mut result = SignedCheckpoints::default();
        let many = (0..REFUSED_MAX + 3).map(|_| told(1, None)).collect();
        result.compare(1, many, None);
        assert_eq!(result.refused.len(), REFUSED_MAX);
        assert_eq!(result.refused_more, 3);
    }
}

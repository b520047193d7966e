// SPDX-License-Identifier: Apache-2.0
//! Checks a bundle: every byte of it is held against something, and what does not fit is named.

use std::collections::BTreeMap;

use super::bundle::stream_of;
use super::stream::agrees;
use super::write::checksum;
use super::{ApprovalProblem, Bundle, BundlePart, Item, Opening, Stream, StreamError, approvals};
use crate::events::{ComponentId, Content, ExecutionId, LedgerId, RecordHeader, Seq};
use crate::integrity::Chain;
use crate::integrity::checkpoint::{Checkpoint, CheckpointTextError};
use crate::integrity::key::VerifierKey;
use crate::integrity::merkle::{self, ProofError, TreeHash};
use crate::integrity::note::NoteError;
use crate::integrity::policy::{Policy, TrustError, Trusted};

/// Why a part is not what it claims to be.
///
/// Example: [`Bundle::verify`](crate::integrity::evidence::Bundle::verify).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleProblem {
    /// The checker's policy does not trust the checkpoint.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The note is no checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointTextError),
    /// A stated key's signature is false.
    #[error(transparent)]
    Signature(#[from] NoteError),
    /// Stated keys and signatures are not the same, in the same order.
    #[error("it is not the key of the signature at its place")]
    NotSigned,
    /// What should name the ledger is in the tree, and no opening of one.
    #[error("record {0} is not the opening of a ledger that it names")]
    NotOpened(Seq),
    /// The evidence is of another ledger than is stated.
    #[error("record {seq}, which opened the ledger, names {recorded} instead of {stated}")]
    OtherLedger {
        /// The record that names it.
        seq: Seq,
        /// What the line `ledger` says.
        stated: LedgerId,
        /// What the record says.
        recorded: LedgerId,
    },
    /// What should name a component is in the tree, and no grant that can be read.
    #[error("it is not the record of a grant")]
    NoGrant,
    /// A component is named that has caused no record here.
    #[error("it names component {0}, which has no record here")]
    NamesNobody(ComponentId),
    /// A component is named by two records.
    #[error("component {0} is named already")]
    NamedTwice(ComponentId),
    /// A component is named by a grant that came after it had acted.
    #[error(
        "it grants component {component} its rights after record {first}, which that component caused"
    )]
    NamedLate {
        /// Whom it names.
        component: ComponentId,
        /// The component's first record here.
        first: Seq,
    },
    /// Records that name components do not stand in their order.
    #[error("it stands behind a later one")]
    NameOrder,
    /// A record is in the tree, and of another execution.
    #[error("record {seq} is of execution {execution}")]
    OtherExecution {
        /// Which record.
        seq: Seq,
        /// Whose it is.
        execution: ExecutionId,
    },
    /// The payload is not the one that the header commits to.
    #[error("salt and payload are not what the header commits to")]
    Commitment,
    /// Header and payload tell different things.
    #[error("header and payload do not tell the same")]
    Disagreement,
    /// The header is not in the tree at its place: it was changed, or a hash of its proof.
    #[error("header and hashes do not lead to the signed root")]
    Proof(#[from] ProofError),
    /// The records are no execution's stream.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// What is said of completeness is not what the records show.
    #[error("the records show {found:?}")]
    Statement {
        /// As the records are.
        found: Stream,
    },
    /// The decision does not rest on what persons said, or they were not to say it.
    #[error(transparent)]
    Approval(#[from] ApprovalProblem),
    /// Everything else fits, so the checksum itself was changed.
    #[error("it does not fit, and everything else does")]
    Checksum,
    /// The page is not the one that is made from the bundle.
    #[error("byte {0} is not that of the page which this bundle gives")]
    Page(usize),
    /// The page was made by other software, which this one cannot repeat.
    #[error("it was not made by this version of the software (page {0}): make it anew")]
    PageVersion(u32),
}

/// A bundle is refused: which part, and why.
///
/// Example: [`Bundle::verify`](crate::integrity::evidence::Bundle::verify).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{part}")]
pub struct BundleVerifyError {
    /// Which part.
    pub part: BundlePart,
    /// Why.
    #[source]
    pub problem: BundleProblem,
}

impl BundleVerifyError {
    pub(super) fn new(part: BundlePart, problem: impl Into<BundleProblem>) -> Self {
        let problem = problem.into();
        Self { part, problem }
    }
}

/// What a bundle shows.
///
/// Example: [`Bundle::verify`](crate::integrity::evidence::Bundle::verify).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct VerifiedBundle {
    /// Whether these are all records of the execution, by the ledger's own numbering.
    #[serde(flatten)]
    pub stream: Stream,
    /// Records of others that name the execution; there may be more.
    pub mentions: usize,
    /// Payloads that were withheld.
    pub withheld: usize,
    /// Components that caused records, by the names that the ledger granted them their rights under; those without
    /// one are in [`Bundle::unnamed`].
    pub names: BTreeMap<ComponentId, String>,
    /// The checkpoint, and who of those that the policy trusts signed it.
    #[serde(flatten)]
    pub trusted: Trusted,
}

impl Bundle {
    /// Checks everything: that the checkpoint is signed as `policy` demands, that every record is in its
    /// tree, that payloads are those that were committed to, that components are named by grants, that the records are a gapless stream of
    /// the execution and what is said of it is so. Cosignatures of a time after `now_s` (seconds since 1970)
    /// do not count, where it is given.
    ///
    /// What it shows: the log stated, to those whom the policy trusts, these records at these
    /// places. Not that they are true, and not that the ledger's writer kept its own numbering: see
    /// [`Stream`] and [`super::scan()`].
    ///
    /// # Errors
    /// [`BundleVerifyError`] names the first part that is wrong.
    pub fn verify(
        &self,
        policy: &Policy,
        now_s: Option<u64>,
    ) -> Result<VerifiedBundle, BundleVerifyError> {
        let trusted = policy.check(&self.checkpoint, now_s);
        let trusted =
            trusted.map_err(|error| BundleVerifyError::new(BundlePart::Checkpoint, error))?;
        verify_self(self)?;
        Ok(VerifiedBundle {
            stream: self.stream,
            mentions: self.mentions().count(),
            withheld: self.withheld(),
            names: self.names(),
            trusted,
        })
    }
}

/// Everything that does not rest on whom the checker trusts.
pub(super) fn verify_self(bundle: &Bundle) -> Result<(), BundleVerifyError> {
    let note = &bundle.checkpoint;
    let wrong = |error| BundleVerifyError::new(BundlePart::Checkpoint, error);
    let checkpoint = Checkpoint::parse(note.text()).map_err(wrong)?;
    check_keys(bundle)?;
    check_opening(bundle, &checkpoint)?;
    let chain = Chain::default();
    check_names(bundle, &checkpoint, &chain)?;
    for (number, item) in bundle.items.iter().enumerate() {
        check_item(item, &checkpoint, &chain)?;
        let RecordHeader { seq, execution, .. } = item.header;
        if execution != bundle.execution {
            // Where the first one is of another already, the line is what is wrong.
            let part = if number == 0 {
                BundlePart::Execution
            } else {
                BundlePart::Header(seq)
            };
            let problem = BundleProblem::OtherExecution { seq, execution };
            return Err(BundleVerifyError::new(part, problem));
        }
    }
    let found = stream_of(bundle.execution, &bundle.items);
    let found = found.map_err(|error| BundleVerifyError::new(BundlePart::Stream, error))?;
    if found != bundle.stream {
        let problem = BundleProblem::Statement { found };
        return Err(BundleVerifyError::new(BundlePart::Stream, problem));
    }
    approvals::check(bundle).map_err(|(seq, problem)| {
        let part = BundlePart::Payload(seq);
        BundleVerifyError::new(part, problem)
    })?;
    let said = bundle.checksum;
    if said.is_some_and(|said| said != checksum(bundle.lines().as_bytes())) {
        return Err(BundleVerifyError::new(
            BundlePart::Checksum,
            BundleProblem::Checksum,
        ));
    }
    Ok(())
}

/// Every signature is of the key that is stated at its place, and no key or signature is left over: so a
/// changed byte of either is found, whomever the checker trusts.
fn check_keys(bundle: &Bundle) -> Result<(), BundleVerifyError> {
    let (keys, lines) = (&bundle.keys, bundle.checkpoint.signatures());
    for number in 0..keys.len().max(lines.len()) {
        let part = BundlePart::Key(number + 1);
        let (Some(key), Some(line)) = (keys.get(number), lines.get(number)) else {
            return Err(BundleVerifyError::new(part, BundleProblem::NotSigned));
        };
        check_signature(bundle, key, (line.name(), line.id()), part)?;
    }
    Ok(())
}

fn check_signature(
    bundle: &Bundle,
    key: &VerifierKey,
    signer: (&str, u32),
    part: BundlePart,
) -> Result<(), BundleVerifyError> {
    if signer != (key.name(), key.id()) {
        return Err(BundleVerifyError::new(part, BundleProblem::NotSigned));
    }
    match bundle.checkpoint.signed_by(key) {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(BundleVerifyError::new(part, BundleProblem::NotSigned)),
        Err(error) => Err(BundleVerifyError::new(BundlePart::Checkpoint, error)),
    }
}

/// The ledger is the one that its own first words name.
fn check_opening(bundle: &Bundle, checkpoint: &Checkpoint) -> Result<(), BundleVerifyError> {
    let Opening { header, path } = &bundle.opening;
    let (seq, stated) = (header.seq, bundle.ledger);
    check_header(header, path, checkpoint)?;
    match Opening::ledger(header) {
        Some(recorded) if recorded == stated => Ok(()),
        Some(recorded) => {
            let problem = BundleProblem::OtherLedger {
                seq,
                stated,
                recorded,
            };
            Err(BundleVerifyError::new(BundlePart::Ledger, problem))
        }
        None => Err(BundleVerifyError::new(
            BundlePart::Opened,
            BundleProblem::NotOpened(seq),
        )),
    }
}

/// Every record that names somebody is in the tree and a grant, stands before the records of the
/// component, and no component has two. A component without one is allowed: see [`Bundle::unnamed`].
fn check_names(
    bundle: &Bundle,
    checkpoint: &Checkpoint,
    chain: &Chain,
) -> Result<(), BundleVerifyError> {
    let components = bundle.components();
    let (mut named, mut last) = (BTreeMap::new(), None);
    for naming in &bundle.names {
        let seq = naming.header.seq;
        let wrong = |problem: BundleProblem| BundleVerifyError::new(BundlePart::Name(seq), problem);
        check_header(&naming.header, &naming.path, checkpoint)?;
        check_content(&naming.header, &naming.content, chain)?;
        let named_by = naming.named();
        let named_by = named_by.ok_or_else(|| wrong(BundleProblem::NoGrant))?;
        let component = named_by.component;
        let first = components.get(&component);
        let first = *first.ok_or_else(|| wrong(BundleProblem::NamesNobody(component)))?;
        if seq >= first {
            return Err(wrong(BundleProblem::NamedLate { component, first }));
        }
        if named.insert(component, seq).is_some() {
            return Err(wrong(BundleProblem::NamedTwice(component)));
        }
        if last.is_some_and(|last| last >= seq) {
            return Err(wrong(BundleProblem::NameOrder));
        }
        last = Some(seq);
    }
    Ok(())
}

/// The header is in the checkpoint's tree, at its place.
fn check_header(
    header: &RecordHeader,
    path: &[TreeHash],
    checkpoint: &Checkpoint,
) -> Result<(), BundleVerifyError> {
    let leaf = merkle::leaf_hash(&header.encode());
    let (index, size) = (header.seq.get() - 1, checkpoint.size());
    merkle::verify_inclusion(&leaf, index, size, path, checkpoint.root())
        .map_err(|error| BundleVerifyError::new(BundlePart::Proof(header.seq), error))
}

fn check_item(
    item: &Item,
    checkpoint: &Checkpoint,
    chain: &Chain,
) -> Result<(), BundleVerifyError> {
    check_header(&item.header, &item.path, checkpoint)?;
    match &item.content {
        Some(content) => check_content(&item.header, content, chain),
        None => Ok(()),
    }
}

/// Salt and payload are those that the header commits to, and tell what it tells.
fn check_content(
    header: &RecordHeader,
    content: &Content,
    chain: &Chain,
) -> Result<(), BundleVerifyError> {
    let part = BundlePart::Payload(header.seq);
    let committed = chain.payload_commitment(&content.salt, &content.payload);
    if committed != header.payload_commitment
        || usize::try_from(header.payload_len) != Ok(content.payload.len())
    {
        return Err(BundleVerifyError::new(part, BundleProblem::Commitment));
    }
    // What does not decode tells nothing; it is what the ledger wrote.
    match header.event(&content.payload) {
        Ok(event) if !agrees(header, &event) => {
            Err(BundleVerifyError::new(part, BundleProblem::Disagreement))
        }
        _ => Ok(()),
    }
}

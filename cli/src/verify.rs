// SPDX-License-Identifier: Apache-2.0
//! `verify`: with public keys alone, without a ledger.

use femtoclaw_ledger::events::{HEADER_LEN, RecordHeader};
use femtoclaw_ledger::integrity::export::{CHECKPOINT_PATH, ExportError, verify_export};
use femtoclaw_ledger::integrity::merkle::{ProveError, consistency, verify_consistency};
use femtoclaw_ledger::integrity::note::{NOTE_BYTES_MAX, Note};
use femtoclaw_ledger::integrity::policy::{POLICY_BYTES_MAX, Policy, Trusted};
use femtoclaw_ledger::integrity::proof::{EXTRA_BYTES_MAX, TlogProof};

use crate::arguments::{TrustArguments, Verify};
use crate::bundle;
use crate::files::{self, ExportDirectory};
use crate::outcome::{Exit, Problem};
use crate::report::{Report, time};

pub(crate) fn run(what: &Verify) -> Result<String, Problem> {
    let (name, trust, output) = match what {
        Verify::Checkpoint { trust, output, .. } => ("checkpoint", trust, output),
        Verify::Proof { trust, output, .. } => ("proof", trust, output),
        Verify::Export { trust, output, .. } => ("export", trust, output),
        Verify::Bundle { trust, output, .. } => ("bundle", trust, output),
    };
    if let Verify::Bundle { path, .. } = what
        && !trust.is_given()
    {
        return Err(bundle::untrusted(path));
    }
    let trust = Trust::of(trust)?;
    let mut report = Report::new(output.format);
    report.text("verified", name);
    match what {
        Verify::Checkpoint { file, .. } => {
            let bytes = files::read(file, NOTE_BYTES_MAX)?;
            report.trusted(&trust.check(file, &bytes)?);
        }
        Verify::Proof { file, entry, .. } => proof(file, entry, &trust, &mut report)?,
        Verify::Export {
            directory, since, ..
        } => export(directory, since.as_deref(), &trust, &mut report)?,
        Verify::Bundle { path, export, .. } => {
            bundle::verify(path, export.as_deref(), &trust, output.format, &mut report)?;
        }
    }
    Ok(report.finish())
}

/// Whom the caller trusts.
pub(crate) struct Trust {
    pub(crate) policy: Policy,
    pub(crate) now_s: Option<u64>,
}

impl Trust {
    pub(crate) fn of(arguments: &TrustArguments) -> Result<Self, Problem> {
        let policy = match &arguments.policy {
            Some(path) => {
                let bytes = files::read(path, POLICY_BYTES_MAX)?;
                Policy::parse(&bytes).map_err(|error| Problem::of(Exit::Usage, path, &error))?
            }
            None => {
                let quorum = arguments.quorum.unwrap_or(0);
                let quorum = usize::try_from(quorum).unwrap_or(usize::MAX);
                let policy = Policy::new(&arguments.log, &arguments.witness, quorum);
                policy.map_err(|error| {
                    Problem::of(Exit::Usage, "--log, --witness, --quorum", &error)
                })?
            }
        };
        let now_s = arguments.now;
        Ok(Self { policy, now_s })
    }

    pub(crate) fn check(&self, path: &str, bytes: &[u8]) -> Result<Trusted, Problem> {
        let note =
            Note::parse(bytes).map_err(|error| Problem::of(Exit::Integrity, path, &error))?;
        let trusted = self.policy.check(&note, self.now_s);
        trusted.map_err(|error| Problem::of(Exit::Integrity, path, &error))
    }
}

fn proof(path: &str, entry_path: &str, trust: &Trust, report: &mut Report) -> Result<(), Problem> {
    let bytes = files::read(path, NOTE_BYTES_MAX + 2 * EXTRA_BYTES_MAX)?;
    let entry = files::read(entry_path, HEADER_LEN)?;
    let wrong =
        |path: &str, error: &dyn std::error::Error| Problem::of(Exit::Integrity, path, error);
    let proof = TlogProof::parse(&bytes).map_err(|error| wrong(path, &error))?;
    let header = RecordHeader::decode(&entry).map_err(|error| wrong(entry_path, &error))?;
    let trusted = proof.verify(&entry, &trust.policy, trust.now_s);
    let trusted = trusted.map_err(|error| wrong(path, &error))?;
    if header.seq.get() - 1 != proof.index {
        let problem = format!(
            "{path}: the log holds the header of record {} at place {}",
            header.seq.get(),
            proof.index
        );
        return Err(Problem::new(Exit::Integrity, problem));
    }
    report.number("record", header.seq.get());
    report.text("time", time(header.time_ns.into()));
    report.trusted(&trusted);
    Ok(())
}

fn export(
    path: &str,
    since: Option<&str>,
    trust: &Trust,
    report: &mut Report,
) -> Result<(), Problem> {
    let source = ExportDirectory::new(path);
    let signed = format!("{path}/{CHECKPOINT_PATH}");
    let trusted = trust.check(&signed, &files::read(&signed, NOTE_BYTES_MAX)?)?;
    let verified = verify_export(&source, &trusted.checkpoint, |_, _| {});
    let verified = verified.map_err(|error| {
        let exit = unless_unread(error.source_error());
        Problem::of(exit, path, &error as &ExportError<_>)
    })?;
    report.trusted(&trusted);
    report.number("records", verified.records);
    report.text("first", time(verified.first_ns.into()));
    report.text("last", time(verified.last_ns.into()));
    if let Some(earlier_path) = since {
        let earlier = trust.check(earlier_path, &files::read(earlier_path, NOTE_BYTES_MAX)?)?;
        extends(&source, &earlier, &trusted).map_err(|text| {
            Problem::new(
                Exit::Integrity,
                format!("{path} since {earlier_path}: {text}"),
            )
        })?;
        report.number("extends", earlier.checkpoint.size());
    }
    Ok(())
}

/// What is missing cannot be what was signed; what cannot be read was not checked.
pub(crate) fn unless_unread(error: Option<&std::io::Error>) -> Exit {
    use std::io::ErrorKind::{FileTooLarge, NotFound};
    match error.map(std::io::Error::kind) {
        None | Some(NotFound | FileTooLarge) => Exit::Integrity,
        Some(_) => Exit::Failure,
    }
}

fn extends(source: &ExportDirectory, old: &Trusted, new: &Trusted) -> Result<(), String> {
    let (old, new) = (&old.checkpoint, &new.checkpoint);
    if old.origin() != new.origin() {
        return Err(format!("{:?} is another log", old.origin()));
    }
    let proof = consistency(source, old.size(), new.size());
    let proof = proof.map_err(|error: ProveError<_>| error.to_string())?;
    verify_consistency(old.size(), old.root(), new.size(), new.root(), &proof)
        .map_err(|error| error.to_string())
}

//! `verify`: with public keys alone, without a ledger.

use super::arguments::Arguments;
use super::files::{self, ExportDirectory};
use super::report::{Report, time};
use super::{Exit, Problem, bundle};
use crate::events::{HEADER_LEN, RecordHeader};
use crate::integrity::export::{CHECKPOINT_PATH, ExportError, verify_export};
use crate::integrity::key::VerifierKey;
use crate::integrity::merkle::{ProveError, consistency, verify_consistency};
use crate::integrity::note::{NOTE_BYTES_MAX, Note};
use crate::integrity::policy::{POLICY_BYTES_MAX, Policy, Trusted};
use crate::integrity::proof::{EXTRA_BYTES_MAX, TlogProof};

pub(super) const TRUST: [&str; 6] = ["format", "log", "now", "policy", "quorum", "witness"];

pub(super) fn run(what: &str, path: &str, arguments: &Arguments) -> Result<String, Problem> {
    let own: &[&str] = match what {
        "checkpoint" => &[],
        "proof" => &["entry"],
        "export" => &["since"],
        "bundle" => &["export"],
        _ => return Err(Problem::usage(format!("cannot verify {what:?}"))),
    };
    arguments.only(&[&TRUST, own].concat())?;
    if what == "bundle" && !Trust::is_given(arguments) {
        return Err(bundle::untrusted(path));
    }
    let trust = Trust::of(arguments)?;
    let mut report = Report::new(arguments)?;
    report.text("verified", what);
    match what {
        "checkpoint" => {
            let bytes = files::read(path, NOTE_BYTES_MAX)?;
            report.trusted(&trust.check(path, &bytes)?);
        }
        "proof" => proof(path, arguments, &trust, &mut report)?,
        "bundle" => bundle::verify(path, arguments, &trust, &mut report)?,
        _ => export(path, arguments, &trust, &mut report)?,
    }
    Ok(report.finish())
}

/// Whom the caller trusts.
pub(super) struct Trust {
    pub(super) policy: Policy,
    pub(super) now_s: Option<u64>,
}

impl Trust {
    pub(super) fn is_given(arguments: &Arguments) -> bool {
        let names = ["policy", "log"].into_iter();
        names.map(|name| arguments.all(name).count()).sum::<usize>() > 0
    }

    pub(super) fn of(arguments: &Arguments) -> Result<Self, Problem> {
        let now_s = arguments.number("now")?;
        let keys = |name: &str| -> Result<Vec<_>, Problem> {
            let parse = |text| {
                VerifierKey::parse(text).map_err(|error| Problem::of(Exit::Usage, text, &error))
            };
            arguments.all(name).map(parse).collect()
        };
        let (logs, witnesses) = (keys("log")?, keys("witness")?);
        let quorum = arguments.number("quorum")?;
        let policy = match arguments.one("policy")? {
            Some(path) if logs.is_empty() && witnesses.is_empty() && quorum.is_none() => {
                let bytes = files::read(path, POLICY_BYTES_MAX)?;
                Policy::parse(&bytes).map_err(|error| Problem::of(Exit::Usage, path, &error))?
            }
            Some(_) => {
                let problem = "--policy says everything; give no --log, --witness or --quorum";
                return Err(Problem::usage(problem));
            }
            None if !witnesses.is_empty() && quorum.is_none() => {
                return Err(Problem::usage(
                    "--witness needs --quorum: how many must have signed",
                ));
            }
            None => {
                let quorum = usize::try_from(quorum.unwrap_or(0)).unwrap_or(usize::MAX);
                Policy::new(&logs, &witnesses, quorum).map_err(|error| {
                    Problem::of(Exit::Usage, "--log, --witness, --quorum", &error)
                })?
            }
        };
        Ok(Self { policy, now_s })
    }

    pub(super) fn check(&self, path: &str, bytes: &[u8]) -> Result<Trusted, Problem> {
        let note =
            Note::parse(bytes).map_err(|error| Problem::of(Exit::Integrity, path, &error))?;
        let trusted = self.policy.check(&note, self.now_s);
        trusted.map_err(|error| Problem::of(Exit::Integrity, path, &error))
    }
}

fn proof(
    path: &str,
    arguments: &Arguments,
    trust: &Trust,
    report: &mut Report,
) -> Result<(), Problem> {
    let entry_path = arguments.one("entry")?;
    let entry_path = entry_path.ok_or_else(|| Problem::usage("a proof needs --entry FILE"))?;
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
    arguments: &Arguments,
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
    if let Some(earlier_path) = arguments.one("since")? {
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
pub(super) fn unless_unread(error: Option<&std::io::Error>) -> Exit {
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

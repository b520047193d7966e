// SPDX-License-Identifier: Apache-2.0
//! `inspect`: what a ledger holds and what is wrong with it, also where it does not open.

use femtoclaw_ledger::{
    Head, Ledger, OpenError, Seq,
    events::EventType,
    journal::{Finding, FindingKind},
    read_only::{ReadOnly, ReadOnlyOptions, Summary},
};

use crate::arguments::{Format, TrustArguments};
use crate::outcome::{Exit, Problem};
use crate::report::{Report, time};
use crate::verify::Trust;

/// Executions that are named; the rest is counted.
const NAMED_MAX: usize = 100;

pub(crate) fn run(
    path: &str,
    trust: &TrustArguments,
    format: Format,
) -> Result<(Exit, String), Problem> {
    let trust = match trust.is_given() {
        true => Some(Trust::of(trust)?),
        false => None,
    };
    let mut report = Report::new(format);
    let opened = Ledger::open_read_only(path, ReadOnlyOptions::default());
    let ledger = opened.map_err(|error| refused(path, &error))?;
    // All of the journal was read and verified by now; a further walk can take `ledger.journal()`.
    let summary = ledger.summary();
    let summary = summary.map_err(|error| Problem::of(Exit::Failure, path, &error))?;
    if let Some(id) = ledger.id() {
        report.text("ledger", id);
    }
    if let Some(identity) = ledger.identity() {
        report.text("created", time(identity.created_ns.into()));
    }
    head(&mut report, ["head", "head_hash"], ledger.head());
    head(
        &mut report,
        ["verified", "verified_hash"],
        ledger.verified(),
    );
    if let Some(claim) = ledger.anchored() {
        report.place("anchored", claim.seq);
    }
    report.number("records", summary.records);
    report.number("frames", summary.frames);
    report.number("unreadable", summary.unreadable);
    if let Some(times) = &summary.times_ns {
        report.text("first", time((*times.start()).into()));
        report.text("last", time((*times.end()).into()));
    }
    let epochs = summary.epochs.iter();
    report.counts(
        "epochs",
        epochs.map(|(epoch, count)| (epoch.to_string(), *count)),
    );
    let stores = summary.stores.iter();
    report.counts(
        "stores",
        stores.map(|(store, count)| (store.to_string(), *count)),
    );
    let events = summary.events.iter();
    let named = |kind: EventType| match kind.name() {
        "Opaque" => format!("{:#06x}", kind.0),
        name => name.to_owned(),
    };
    report.counts("events", events.map(|(kind, count)| (named(*kind), *count)));
    executions(&mut report, &summary);
    let mut exit = findings(&mut report, &ledger);
    if let Some(seq) = summary.after_close {
        report.number("after_close", seq.get());
        exit = Exit::Integrity;
    }
    exit = unknown(&mut report, summary.unknown_event, exit);
    if let Some(trust) = trust
        && !checkpoints(&mut report, &ledger, &trust, path)?
    {
        exit = Exit::Integrity;
    }
    Ok((exit, report.finish()))
}

/// Executions that have not ended.
fn executions(report: &mut Report, summary: &Summary) {
    for (count, list, all) in [
        ("unfinished", "in_doubt", &summary.unfinished),
        ("awaiting", "asked_about", &summary.awaiting),
        ("approved", "not_started", &summary.approved),
    ] {
        report.number(count, all.len() as u64);
        report.list(list, all.iter().take(NAMED_MAX).map(ToString::to_string));
    }
}

/// All of it can be read, and nobody writes to it with this program's software.
fn unknown(report: &mut Report, event: Option<Seq>, exit: Exit) -> Exit {
    match (event, exit) {
        (None, exit) => exit,
        (Some(seq), exit) => {
            report.number("unknown_event", seq.get());
            match exit {
                Exit::Ok => Exit::Warnings,
                exit => exit,
            }
        }
    }
}

fn head(report: &mut Report, [seq, hash]: [&'static str; 2], head: Head) {
    report.place(seq, head.seq);
    if head.seq.is_some() {
        report.text(hash, base16ct::lower::encode_string(&head.hash));
    }
}

fn findings(report: &mut Report, ledger: &ReadOnly) -> Exit {
    report.findings("findings", ledger.findings());
    let more = ledger.findings_more();
    if more > 0 {
        report.number("more", more);
    }
    match ledger.findings() {
        _ if ledger.is_damaged() => Exit::Integrity,
        // Nothing is known to be wrong, and not everything could be looked at.
        found if found.iter().any(is_unread) => Exit::Failure,
        [] => Exit::Ok,
        _ => Exit::Warnings,
    }
}

fn is_unread(finding: &Finding) -> bool {
    finding.kind == FindingKind::Unreadable
}

/// What the recorded checkpoints are worth to somebody with this trust: false where one is refused.
fn checkpoints(
    report: &mut Report,
    ledger: &ReadOnly,
    trust: &Trust,
    path: &str,
) -> Result<bool, Problem> {
    let signed = ledger.signed_checkpoints(&trust.policy, trust.now_s);
    let signed = signed.map_err(|error| Problem::of(Exit::Failure, path, &error))?;
    report.number("checkpoints", signed.holding);
    report.number("covered", signed.covered);
    report.list("refused", signed.refused.iter().map(ToString::to_string));
    if signed.refused_more > 0 {
        report.number("refused_more", signed.refused_more);
    }
    Ok(signed.refused.is_empty())
}

/// Why a ledger does not open, and the exit code that says so.
pub(crate) fn refused(path: &str, error: &OpenError) -> Problem {
    let exit = match error {
        OpenError::NotALedger { .. } | OpenError::NotADirectory { .. } => Exit::NoStore,
        OpenError::Locked { .. } => Exit::Locked,
        OpenError::FormatTooNew { .. }
        | OpenError::FormatTooOld { .. }
        | OpenError::UnknownEvent { .. } => Exit::OtherFormat,
        _ => Exit::Failure,
    };
    Problem::of(exit, path, error)
}

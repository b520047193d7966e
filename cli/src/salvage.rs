// SPDX-License-Identifier: Apache-2.0
//! `salvage`: what verifies of a damaged ledger, into a new one.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use femtoclaw_ledger::{
    Ledger,
    error::SalvageError,
    salvage::{SalvageOptions, SalvageProgress, Salvaged},
};

use crate::arguments::Format;
use crate::inspect::refused;
use crate::outcome::{Exit, Problem};
use crate::report::Report;

pub(crate) fn run(
    from: &str,
    to: &str,
    disregard_anchor: bool,
    format: Format,
) -> Result<(Exit, String), Problem> {
    let mut report = Report::new(format);
    let shown = AtomicU64::new(0);
    let options = SalvageOptions {
        disregard_anchor,
        progress: Some(Box::new(move |progress| tell(progress, &shown))),
        ..SalvageOptions::default()
    };
    let salvaged = Ledger::salvage(from, to, &options);
    let salvaged = salvaged.map_err(|error| match &error {
        SalvageError::Source(error) => refused(from, error),
        SalvageError::Nothing { .. }
        | SalvageError::OtherHistory { .. }
        | SalvageError::NotVerified(_) => Problem::of(Exit::Integrity, from, &error),
        _ => Problem::of(Exit::Failure, to, &error),
    })?;
    Ok((fill(&mut report, &salvaged), report.finish()))
}

/// One line in a hundredth of the way.
fn tell(progress: SalvageProgress, shown: &AtomicU64) {
    let line = match progress {
        SalvageProgress::Read => "the source is read".to_owned(),
        SalvageProgress::Copying { done, total } => {
            let percent = done.saturating_mul(100) / total.max(1);
            if shown.swap(percent, Ordering::Relaxed) == percent {
                return;
            }
            format!("copied {done} of {total} records")
        }
        SalvageProgress::SettingAside { done, total } if done == total => {
            format!("set {total} frames aside")
        }
        SalvageProgress::Checking => "reading back".to_owned(),
        SalvageProgress::Naming => "making it durable".to_owned(),
        // Parts of a step that says so when it is done, and steps of a newer library.
        _ => return,
    };
    // Nobody who does not look at it is kept from the ledger.
    drop(writeln!(std::io::stderr(), "{line}"));
}

fn fill(report: &mut Report, salvaged: &Salvaged) -> Exit {
    report.text("ledger", salvaged.ledger);
    report.place("salvaged", salvaged.through.seq);
    report.text(
        "hash",
        base16ct::lower::encode_string(&salvaged.through.hash),
    );
    report.number("frames", salvaged.frames);
    if let Some(seq) = salvaged.first_lost {
        report.number("first_lost", seq);
        report.text("because", &salvaged.because);
    }
    report.number("aside", salvaged.aside);
    if let Some(anchored) = salvaged.anchored {
        report.number("anchored", anchored.get());
    }
    report.place("head", salvaged.head.seq);
    report.number("epoch", salvaged.head.epoch);
    let held = |holds: bool| {
        let checkpoints = salvaged.checkpoints.iter();
        let sizes = checkpoints.filter(move |checkpoint| checkpoint.holds == holds);
        sizes.map(|checkpoint| checkpoint.size.to_string())
    };
    report.list("checkpoints", held(true));
    report.list("contradicts", held(false));
    report.findings("findings", &salvaged.findings);
    match salvaged.is_complete() && salvaged.aside == 0 {
        true => Exit::Ok,
        false => Exit::Warnings,
    }
}

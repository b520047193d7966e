// SPDX-License-Identifier: Apache-2.0
//! `verify bundle` and `page`: evidence of one execution.

use std::path::Path;

use femtoclaw_ledger::integrity::evidence::{
    BUNDLE_BYTES_MAX, BUNDLE_FILE, Bundle, BundlePart, BundleProblem as Unfit, BundleVerifyError,
    PAGE_FILE, Stream, scan,
};
use femtoclaw_ledger::integrity::export::CHECKPOINT_PATH;
use femtoclaw_ledger::integrity::note::NOTE_BYTES_MAX;
use femtoclaw_ledger::integrity::text::shown;

use crate::arguments::Format;
use crate::files::{self, ExportDirectory};
use crate::outcome::{Exit, Problem};
use crate::report::{Report, time};
use crate::verify::{Trust, unless_unread};

/// No page is larger: see `docs/FORMAT.md`.
const PAGE_BYTES_MAX: usize = 64 << 20;

/// The files of a bundle: itself, and its page where there is one.
struct BundleFiles {
    bundle: String,
    page: Option<String>,
}

impl BundleFiles {
    fn of(path: &str) -> Result<Self, Problem> {
        if path == "-" || !Path::new(path).is_dir() {
            let bundle = path.to_owned();
            return Ok(Self { bundle, page: None });
        }
        let unread = |error: &std::io::Error| Problem::of(Exit::Failure, path, error);
        let mut page = None;
        for entry in std::fs::read_dir(path).map_err(|error| unread(&error))? {
            let name = entry.map_err(|error| unread(&error))?.file_name();
            if name == PAGE_FILE {
                page = Some(format!("{path}/{PAGE_FILE}"));
            } else if is_of_the_system(&name) {
                eprintln!(
                    "{path}: {} is of no bundle, and is passed over: nothing was checked of it",
                    shown(&name.to_string_lossy())
                );
            } else if name != BUNDLE_FILE {
                // A reader of the directory would take it for a part of what was verified.
                let problem = format!("{path}: {} belongs to no bundle", name.display());
                return Err(Problem::new(Exit::Integrity, problem));
            }
        }
        let bundle = format!("{path}/{BUNDLE_FILE}");
        Ok(Self { bundle, page })
    }
}

/// Files that file managers leave wherever they look: no damage, and no part of the evidence.
fn is_of_the_system(name: &std::ffi::OsStr) -> bool {
    let name = name.to_string_lossy();
    ["thumbs.db", "desktop.ini", ".ds_store"].contains(&&*name.to_lowercase())
        || name.starts_with("._")
}

fn read(path: &str) -> Result<Bundle, (Problem, Option<BundlePart>)> {
    let bytes = files::read(path, BUNDLE_BYTES_MAX).map_err(|problem| (problem, None))?;
    Bundle::parse(&bytes).map_err(|error| {
        let part = error.part();
        (Problem::of(Exit::Integrity, path, &error), part)
    })
}

/// The page that a bundle gives.
pub(crate) fn page(path: &str) -> Result<String, Problem> {
    let files = BundleFiles::of(path)?;
    let bundle = read(&files.bundle).map_err(|(problem, _)| problem)?;
    Ok(bundle.page())
}

/// Nobody said whom to trust.
pub(crate) fn untrusted(path: &str) -> Problem {
    let bundle =
        BundleFiles::of(path).and_then(|files| read(&files.bundle).map_err(|(problem, _)| problem));
    let bundle = match bundle {
        Ok(bundle) => bundle,
        Err(problem) => return problem,
    };
    let keys: Vec<_> = bundle.keys().iter().map(ToString::to_string).collect();
    Problem::usage(format!(
        "give --log KEY or --policy FILE. The bundle says that it was signed by {}. That alone proves nothing: whoever \
         makes up a history makes up a key as well. Compare with what the log's operator or a witness published.",
        keys.join(", ")
    ))
}

pub(crate) fn verify(
    path: &str,
    export: Option<&str>,
    trust: &Trust,
    format: Format,
    report: &mut Report,
) -> Result<(), Problem> {
    let files = BundleFiles::of(path)?;
    let refused = |(problem, part)| refusal(format, problem, part);
    let bundle = read(&files.bundle).map_err(refused)?;
    let wrong = |path: &str, error: &BundleVerifyError| {
        let exit = match error.problem {
            // Other software made it, which this one cannot repeat: nothing was found wrong.
            Unfit::PageVersion(_) => Exit::Failure,
            _ => Exit::Integrity,
        };
        let problem = Problem::of(exit, path, error);
        refusal(format, problem, Some(error.part))
    };
    let verified = bundle.verify(&trust.policy, trust.now_s);
    let verified = verified.map_err(|error| wrong(&files.bundle, &error))?;
    report.text("summary", bundle.summary());
    report.text("execution", bundle.execution());
    report.text("ledger", bundle.ledger());
    report.number("named_by", bundle.opening().header.seq.get());
    stream(report, verified.stream);
    report.number("mentions", verified.mentions as u64);
    report.number("withheld", verified.withheld as u64);
    let names = verified.names.iter();
    let names = names.map(|(component, name)| format!("{component} {name}"));
    report.list("components", names);
    report.list("unnamed", bundle.unnamed().iter().map(ToString::to_string));
    let times = bundle.items().iter().map(|item| item.header.time_ns.into());
    let times: Vec<i128> = times.collect();
    if let (Some(first), Some(last)) = (times.first(), times.last()) {
        report.text("first", time(*first));
        report.text("last", time(*last));
    }
    report.trusted(&verified.trusted);
    if let Some(page) = &files.page {
        let bytes = files::read(page, PAGE_BYTES_MAX)?;
        let checked = bundle.verify_page(&bytes);
        checked.map_err(|error| wrong(page, &error))?;
        report.text("page", "is the bundle's");
    }
    match export {
        Some(export) => scanned(&bundle, export, trust, report),
        None => Ok(()),
    }
}

fn stream(report: &mut Report, stream: Stream) {
    report.number("records", stream.records());
    match stream {
        Stream::Complete { closed_by, .. } => {
            report.text("stream", "complete");
            report.text("closed_by", closed_by.name());
            report.text(
                "shows",
                "gapless to its end: no other, if the ledger kept its numbering",
            );
        }
        Stream::Open { .. } => {
            report.text("stream", "open");
            report.text(
                "shows",
                "gapless, and nothing ends it: later records may exist",
            );
        }
    }
}

fn scanned(
    bundle: &Bundle,
    export: &str,
    trust: &Trust,
    report: &mut Report,
) -> Result<(), Problem> {
    let source = ExportDirectory::new(export);
    let signed = format!("{export}/{CHECKPOINT_PATH}");
    let trusted = trust.check(&signed, &files::read(&signed, NOTE_BYTES_MAX)?)?;
    let found = scan(bundle, &source, &trusted.checkpoint).map_err(|error| {
        let exit = unless_unread(error.source_error());
        Problem::of(exit, export, &error)
    })?;
    report.number("scanned", found.records);
    report.text(
        "scan",
        format!("{}, and no other record of it", found.stream),
    );
    report.number("scan_mentions", found.mentions);
    Ok(())
}

fn refusal(format: Format, problem: Problem, part: Option<BundlePart>) -> Problem {
    let mut report = Report::new(format);
    report.text("refused", "bundle");
    if let Some(part) = part {
        report.text("part", part.name());
        if let Some(seq) = part.record() {
            report.number("record", seq.get());
        }
    }
    report.refuse(problem)
}

// SPDX-License-Identifier: Apache-2.0
//! The page for a person: one HTML file without scripts and without anything from elsewhere.
//!
//! It is made from the bundle alone, the same bytes each time, so that whoever has the bundle can make
//! it again and compare. A change of how it looks is a new [`PAGE_VERSION`]; a test holds the bytes.

mod components;
mod people;
mod steps;
mod text;

use std::fmt::Write;

use super::write::checksum;
use super::{Bundle, BundlePart, BundleProblem, BundleVerifyError, Closing, Item, Stream};
use crate::events::{Decision, Event, EventType, Outcome, StreamId, SubjectId};
use crate::integrity::text::rfc3339;
use components::Names;
use people::PagePersons;
use text::{MENTIONS_SHOWN, Sheet};

/// Version of the page: which bytes a bundle gives.
///
/// Example: [`Bundle`](crate::integrity::evidence::Bundle).
pub const PAGE_VERSION: u32 = 5;

const STYLE: &str = include_str!("style.css");
const GENERATOR: &str = "<meta name=\"generator\" content=\"femtoclaw-ledger evidence page ";

impl Bundle {
    /// The whole in one line, for whoever reads nothing else: what was asked and for whom, who decided or allowed it, how it
    /// ended, where it stands.
    /// It is made from the bundle, so it is worth what [`Bundle::verify`] says. A component is its number, and its name
    /// where the bundle has it ([`Bundle::names`]).
    #[must_use]
    pub fn summary(&self) -> String {
        let (capability, _) = asked(&self.items);
        let asked = capability.map_or_else(String::new, |name| format!("{name}: "));
        let names = Names::of(self);
        let persons = PagePersons::of(self);
        let told = persons.told(&names).or_else(|| {
            let behalf = persons.behalf();
            let behalf = behalf.map_or_else(String::new, |who| format!(" on behalf of {who}"));
            decider(&self.items, &names).map(|who| format!("{who}{behalf}"))
        });
        let decided = told.map_or_else(String::new, |told| format!("{told}; "));
        let (own, others) = (self.stream.records(), self.mentions().count());
        let mut lines = self.checkpoint.text().lines();
        let (log, size) = (
            lines.next().unwrap_or_default(),
            lines.next().unwrap_or_default(),
        );
        let end = ending(&persons, self.stream);
        let mut text = format!("{asked}{decided}{end}. {own} records");
        if others > 0 {
            let _ = write!(text, " and {others} by others about it");
        }
        if self.withheld() > 0 {
            let _ = write!(text, ", {} without their payloads", self.withheld());
        }
        let _ = write!(text, ", under the checkpoint of {log} at record {size}.");
        text
    }

    /// The page of this bundle. It says what the bundle says and checks nothing: see
    /// [`Bundle::verify`].
    #[must_use]
    pub fn page(&self) -> String {
        let (mut sheet, names) = (Sheet::new(), Names::of(self));
        head(self, &mut sheet);
        sheet.html.push_str("<p class=\"summary\">");
        sheet.text(&self.summary());
        sheet.html.push_str("</p>\n");
        summary(self, &names, &mut sheet);
        shows(self, &mut sheet);
        sheet.html.push_str("<h2>What happened</h2>\n<ol>\n");
        let execution = StreamId::from_bytes(*self.execution.as_bytes());
        let own = self
            .items
            .iter()
            .filter(|item| item.header.stream == execution);
        let subject = PagePersons::of(self).subject;
        own.for_each(|item| steps::step(item, &names, subject, &mut sheet));
        sheet.html.push_str("</ol>\n");
        mentions(self, &names, &mut sheet);
        components::table(self, &mut sheet);
        proof(self, &mut sheet);
        check(self, &mut sheet);
        sheet.html.push_str("</body>\n</html>\n");
        sheet.html
    }

    /// Checks that a page is the one that this bundle gives.
    ///
    /// # Errors
    /// [`BundleVerifyError`] with [`BundlePart::Page`]: the first byte that differs, or that the page is of another version.
    pub fn verify_page(&self, page: &[u8]) -> Result<(), BundleVerifyError> {
        let made = self.page();
        let made = made.as_bytes();
        if page == made {
            return Ok(());
        }
        let same = made.iter().zip(page).take_while(|(a, b)| a == b).count();
        let problem = match version_of(page) {
            Some(version) if version != PAGE_VERSION => BundleProblem::PageVersion(version),
            _ => BundleProblem::Page(same),
        };
        Err(BundleVerifyError::new(BundlePart::Page, problem))
    }
}

/// The version that a page claims, where it begins as every page does.
fn version_of(page: &[u8]) -> Option<u32> {
    let start = page
        .get(..page.len().min(512))?
        .utf8_chunks()
        .next()?
        .valid();
    let (_, rest) = start.split_once(GENERATOR)?;
    rest.split_once('"')?.0.parse().ok()
}

fn head(bundle: &Bundle, sheet: &mut Sheet) {
    // The policy lets nothing run and nothing be fetched, should an escape ever be missing.
    let _ = write!(
        sheet.html,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         {GENERATOR}{PAGE_VERSION}\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Evidence: execution {id}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <h1>Evidence of one execution</h1>\n<p><code>{id}</code></p>\n",
        id = bundle.execution,
    );
}

/// What was asked and how it came out, where that was not withheld.
fn asked(items: &[Item]) -> (Option<String>, Option<&'static str>) {
    let events = items.iter().filter_map(|item| {
        let (header, content) = (&item.header, item.content.as_ref()?);
        header.event(&content.payload).ok()
    });
    let (mut capability, mut decision) = (None, None);
    for event in events {
        match event {
            Event::ApprovalRequested(e) => capability = Some(e.capability),
            Event::AuthorizationDecided(e) if decision.is_none() => {
                capability = Some(e.capability);
                decision = Decision::from_code(e.decision).map(Decision::name);
            }
            _ => {}
        }
    }
    (capability, decision)
}

/// Who decided, as the header of the decision tells, also where its payload was withheld.
fn decider(items: &[Item], names: &Names) -> Option<String> {
    let mut headers = items.iter().map(|item| &item.header);
    let decided = headers.find(|header| header.event_type == EventType::AuthorizationDecided)?;
    let how = match decided.outcome {
        Outcome::Success => "authorized",
        _ => "denied",
    };
    Some(format!("{how} by {}", names.called(decided.component)))
}

fn ending(persons: &PagePersons, stream: Stream) -> &'static str {
    if let Some(told) = people::ending(persons, stream) {
        return told;
    }
    match stream {
        Stream::Open { .. } => "had not ended when the checkpoint was signed",
        Stream::Complete { closed_by, .. } => match closed_by {
            Closing::Completed => "completed",
            Closing::Failed => "failed",
            Closing::Cancelled => "cancelled",
            Closing::Resolved => "was in doubt, and resolved by a statement",
            Closing::Abandoned => "authorized and never started",
            Closing::Denied => "denied by the gate; nothing was executed",
            Closing::Rejected => "refused by the protocol; nothing was executed",
        },
    }
}

fn row(sheet: &mut Sheet, name: &str, value: &str) {
    let _ = write!(sheet.html, "<dt>{name}</dt><dd>");
    sheet.text(value);
    sheet.html.push_str("</dd>\n");
}

fn summary(bundle: &Bundle, names: &Names, sheet: &mut Sheet) {
    sheet.html.push_str("<dl>\n");
    let (capability, decision) = asked(&bundle.items);
    if let Some(capability) = capability {
        row(sheet, "capability", &capability);
    }
    if let Some(decision) = decision {
        row(sheet, "decision", decision);
    }
    let persons = PagePersons::of(bundle);
    persons_rows(&persons, sheet);
    if let Some(decided) = decider(&bundle.items, names) {
        row(sheet, "decided", &decided);
    }
    row(sheet, "how it ended", ending(&persons, bundle.stream));
    let time = |item: &Item| rfc3339(item.header.time_ns.into());
    if let (Some(first), Some(last)) = (bundle.items.first(), bundle.items.last()) {
        row(sheet, "first record", &time(first));
        row(sheet, "last record", &time(last));
    }
    let mut lines = bundle.checkpoint.text().lines();
    row(sheet, "log", lines.next().unwrap_or_default());
    row(
        sheet,
        "checkpoint at record",
        lines.next().unwrap_or_default(),
    );
    row(sheet, "ledger", &bundle.ledger.to_string());
    sheet.html.push_str("</dl>\n");
}

/// Whom it was done for and whom it is about, who was asked and what they said.
fn persons_rows(persons: &PagePersons, sheet: &mut Sheet) {
    if let Some(who) = persons.behalf() {
        row(sheet, "on behalf of", &who);
    }
    if persons.subject != SubjectId::NIL {
        row(sheet, "about (pseudonym)", &persons.subject.to_string());
    }
    let Some(asked) = &persons.asked else {
        return;
    };
    let (name, who) = asked.said();
    row(sheet, name, &who);
    if let Some(request) = &asked.request {
        row(sheet, "by the rule", &request.rule);
        row(sheet, "allowed until", &rfc3339(request.until_ns.into()));
    }
}

fn shows(bundle: &Bundle, sheet: &mut Sheet) {
    let records = bundle.stream.records();
    let complete = match bundle.stream {
        Stream::Complete { .. } => format!(
            "These {records} records are versions 1 to {records} of the execution, without a gap, and the last of \
             them end it: by the ledger's own rules there are no others."
        ),
        Stream::Open { .. } => format!(
            "These {records} records are versions 1 to {records} of the execution, without a gap. Nothing in them \
             ends it: later ones may exist."
        ),
    };
    let _ = write!(
        sheet.html,
        "<h2>What this is evidence of</h2>\n<div class=\"claim\">\n<p><b>This page proves nothing by itself.</b> The bundle \
         beside it does, once it is checked with a public key that you have from elsewhere (below).</p>\n<ul>\n\
         <li>Checked, it shows that the log stated every record below, unchanged, at its place, before the \
         checkpoint was signed.</li>\n<li>{complete}</li>\n\
         <li>It does not show that the ledger kept its own numbering: whoever wants to exclude a record that breaks \
         the rules reads every header up to the checkpoint (<code>--export</code>).</li>\n\
         <li>It does not show that what was recorded is true, and its times are the ledger's own clock.</li>\n"
    );
    let persons = PagePersons::of(bundle);
    if persons.is_anybody_named() {
        sheet.html.push_str(
            "<li>It shows what the ledger was told of persons: on whose behalf it was done, who was asked, who answered \
             and how they were authenticated. That it was these persons rests on whoever authenticated them and handed \
             their answers in.</li>\n",
        );
    }
    if persons.subject != SubjectId::NIL {
        sheet.html.push_str(
            "<li>Whom it is about is a pseudonym here. Only who has that person's id and the ledger's key for it can \
             tell that they belong together.</li>\n",
        );
    }
    components::claims(bundle, sheet);
    if bundle.withheld() > 0 {
        let _ = writeln!(
            sheet.html,
            "<li>The payloads of {} records were withheld. The records are there; what they say is not.</li>",
            bundle.withheld()
        );
    }
    sheet.html.push_str("</ul>\n</div>\n");
}

fn mentions(bundle: &Bundle, names: &Names, sheet: &mut Sheet) {
    let count = bundle.mentions().count();
    if count == 0 {
        return;
    }
    let _ = write!(
        sheet.html,
        "<h2>What others recorded about it</h2>\n<p>{count} records that name the execution and are not part of \
         it. They are proven to be in the ledger; that there are no more is not.</p>\n<ol>\n"
    );
    let shown = bundle.mentions().take(MENTIONS_SHOWN);
    let subject = PagePersons::of(bundle).subject;
    shown.for_each(|item| steps::step(item, names, subject, sheet));
    sheet.html.push_str("</ol>\n");
    if count > MENTIONS_SHOWN {
        let left = count - MENTIONS_SHOWN;
        let _ = writeln!(
            sheet.html,
            "<p class=\"note\">{left} more are in the bundle.</p>"
        );
    }
}

fn proof(bundle: &Bundle, sheet: &mut Sheet) {
    sheet.html.push_str(
        "<h2>Proof</h2>\n<p>Each record's header is a leaf of one Merkle tree (RFC 6962, SHA-256). Its proof leads to \
         the root in this checkpoint, which is signed:</p>\n",
    );
    sheet.block(bundle.checkpoint.to_string().as_bytes());
    sheet
        .html
        .push_str("<p>Signed, it is said, by:</p>\n<ul>\n");
    for key in &bundle.keys {
        sheet.html.push_str("<li><code>");
        sheet.text(&key.to_string());
        sheet.html.push_str("</code></li>\n");
    }
    sheet.html.push_str(
        "</ul>\n<table>\n<tr><th>record</th><th>version</th><th>event</th><th>hashes to the root</th>\
         <th>payload</th></tr>\n",
    );
    for item in bundle.items.iter().take(MENTIONS_SHOWN) {
        let header = &item.header;
        let payload = match &item.content {
            Some(content) => format!("{} bytes", content.payload.len()),
            None => "withheld".to_owned(),
        };
        let version = match header.stream_version {
            0 => "–".to_owned(),
            version => version.to_string(),
        };
        let _ = writeln!(
            sheet.html,
            "<tr><td>{}</td><td>{version}</td><td>{}</td><td>{}</td><td>{payload}</td></tr>",
            header.seq,
            header.event_type,
            item.path.len(),
        );
    }
    sheet.html.push_str("</table>\n");
}

fn check(bundle: &Bundle, sheet: &mut Sheet) {
    let lines = bundle.lines();
    let _ = write!(
        sheet.html,
        "<h2>How to check it</h2>\n<p>On any machine, without the ledger and without a network, with the log's public \
         key from a source that you trust – not from this page:</p>\n\
         <pre>\nfemtoclaw-ledger verify bundle FILE --log KEY</pre>\n\
         <p>One changed byte of the bundle is refused, and the refusal names the record and the part. Given the \
         directory in which this page stands, the program also makes the page again and compares it. Without this \
         software: the bundle is a text file, described byte by byte in docs/FORMAT.md; its last part is a C2SP \
         signed note.</p>\n\
         <p class=\"note\">Made from the bundle with the checksum <code>{}</code>.</p>\n",
        checksum(lines.as_bytes()),
    );
}

// SPDX-License-Identifier: Apache-2.0
//! Who the components are: numbers, and the names that records of grants give them.

use crate::integrity::evidence::ComponentName;
use std::collections::BTreeMap;
use std::fmt::Write;

use super::super::Bundle;
use super::text::{MENTIONS_SHOWN, Sheet};
use crate::events::ComponentId;
use crate::integrity::text::rfc3339;

/// Of a name so many characters stand in a line.
const NAME_CHARS: usize = 200;

/// Names by component, cut to what a line holds.
pub(super) struct Names(BTreeMap<ComponentId, String>);

impl Names {
    pub(super) fn of(bundle: &Bundle) -> Self {
        let mut names = bundle.names();
        names.values_mut().for_each(cut);
        Self(names)
    }

    /// As [`Names::called`], in a page.
    pub(super) fn show(&self, component: ComponentId, sheet: &mut Sheet) {
        let _ = write!(sheet.html, "component {component}");
        if let Some(name) = self.0.get(&component) {
            sheet.html.push_str(" (");
            sheet.text(name);
            sheet.html.push(')');
        }
    }

    /// A component as it stands in a line: the number first, which no name can imitate.
    pub(super) fn called(&self, component: ComponentId) -> String {
        match self.0.get(&component) {
            Some(name) => format!("component {component} ({name})"),
            // What nobody asks for, such as that nobody answered in time.
            None if component == ComponentId::LEDGER => "the ledger".to_owned(),
            None => format!("component {component}"),
        }
    }
}

fn cut(name: &mut String) {
    if let Some((at, _)) = name.char_indices().nth(NAME_CHARS) {
        name.truncate(at);
        name.push('…');
    }
}

/// What is shown of names, and what is not.
pub(super) fn claims(bundle: &Bundle, sheet: &mut Sheet) {
    if !bundle.names.is_empty() {
        sheet.html.push_str(
            "<li>It shows under which name the ledger granted each component its rights (<i>Components</i>, below). It \
             does not show that a program was what its name says.</li>\n",
        );
    }
    let unnamed = bundle.unnamed();
    if unnamed.is_empty() {
        return;
    }
    let shown = unnamed.iter().take(MENTIONS_SHOWN);
    let numbers: Vec<_> = shown.map(ToString::to_string).collect();
    let more = unnamed.len() - numbers.len();
    let _ = write!(
        sheet.html,
        "<li>It does not show which programs these components were: {}",
        numbers.join(", ")
    );
    if more > 0 {
        let _ = write!(sheet.html, " and {more} more");
    }
    sheet
        .html
        .push_str(". The records of their grants are no part of this bundle.</li>\n");
}

/// Each name, with the record that gives it.
pub(super) fn table(bundle: &Bundle, sheet: &mut Sheet) {
    if bundle.names.is_empty() {
        return;
    }
    sheet.html.push_str(
        "<h2>Components</h2>\n<table>\n<tr><th>component</th><th>name</th><th>granted by record</th><th>at</th></tr>\n",
    );
    for naming in bundle.names.iter().take(MENTIONS_SHOWN) {
        let Some(ComponentName {
            component,
            mut name,
        }) = naming.named()
        else {
            continue;
        };
        cut(&mut name);
        let _ = write!(sheet.html, "<tr><td>{component}</td><td>");
        sheet.text(&name);
        let _ = writeln!(
            sheet.html,
            "</td><td>{}</td><td>{}</td></tr>",
            naming.header.seq,
            rfc3339(naming.header.time_ns.into())
        );
    }
    sheet.html.push_str("</table>\n");
    if let Some(left @ 1..) = bundle.names.len().checked_sub(MENTIONS_SHOWN) {
        let _ = writeln!(
            sheet.html,
            "<p class=\"note\">{left} more are in the bundle.</p>"
        );
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Openings of a long history.

use std::fmt::Write;

use super::{head, row};
use crate::history::{History, Opened};
use crate::show;

pub(super) fn write_histories(text: &mut String, histories: &[History]) {
    text.push_str("## A long history\n\n");
    if histories.is_empty() {
        return text.push_str("Openings were not measured.\n\n");
    }
    text.push_str(
        "*Cold*: the ledger's files were taken out of the page cache. *Serving*: `open` returned; *first command*: it was \
         acknowledged; each opening is one of a fresh process. Records are a seventh observations of one component, the rest \
         cycles of another; the search asks for the first's component and for starts of executions.\n",
    );
    for history in histories {
        let _ = writeln!(
            text,
            "\n### {} records\n",
            show::count(history.plan.records as f64)
        );
        head(
            text,
            &[
                "",
                "records",
                "serving",
                "first command",
                "views at the head",
                "lag at opening",
                "records/s",
                "peak MiB",
            ],
        );
        for case in &history.cases {
            case.runs
                .iter()
                .for_each(|opened| row(text, &fields(&case.name, opened)));
        }
        for queried in &history.queries {
            let times = [queried.first_ns, queried.median_ns, queried.max_ns]
                .map(|it| show::duration(it as f64));
            let [first, median, max] = times;
            let records = show::count(queried.records as f64);
            let _ = writeln!(
                text,
                "\nTwo terms without a common hit, {records} records: first {first} (cold), median {median}, max {max}."
            );
        }
        for filled in &history.fills {
            let _ = writeln!(
                text,
                "\nFilled with {} records at {} a second, closed in {:.2} s; {} on the disk.",
                show::count(filled.added as f64),
                show::count(filled.added as f64 / filled.seconds),
                filled.close_seconds,
                show::bytes(filled.disk_bytes as f64)
            );
        }
    }
    text.push('\n');
}

fn fields(case: &str, opened: &Opened) -> [String; 8] {
    let [serving, command, views] = [
        opened.open_seconds,
        opened.command_seconds,
        opened.views_seconds,
    ]
    .map(|it| format!("{it:.3} s"));
    let replay = opened.views_seconds - opened.open_seconds;
    [
        case.to_owned(),
        show::count(opened.records as f64),
        serving,
        command,
        views,
        show::count(opened.lag as f64),
        // Of a short tail the rate says nothing.
        if opened.lag > 10_000 {
            show::count(opened.lag as f64 / replay)
        } else {
            String::new()
        },
        (opened.peak_kib >> 10).to_string(),
    ]
}

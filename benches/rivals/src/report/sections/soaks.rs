// SPDX-License-Identifier: Apache-2.0
//! Load for minutes.

use std::fmt::Write;

use super::{charts, head, row};
use crate::report::curves::Drawn;
use crate::show;
use crate::soak::Soak;

pub(in crate::report) fn soak_title(soak: &Soak) -> String {
    let system = soak.plan.system.title();
    match (soak.plan.share, soak.rate) {
        (Some(share), Some(rate)) => {
            format!(
                "{system}, open at {:.0} % of the capacity ({}/s)",
                share * 100.0,
                show::count(rate)
            )
        }
        (None, Some(rate)) => format!("{system}, open at {}/s", show::count(rate)),
        _ => format!(
            "{system}, {} callers",
            show::count(soak.plan.callers as f64)
        ),
    }
}

pub(super) fn write_soaks(text: &mut String, soaks: &[Soak], drawn: &Drawn, beside: &str) {
    text.push_str("## Soaks\n\n");
    if soaks.is_empty() {
        return text.push_str("Soaks were not measured.\n\n");
    }
    for soak in soaks {
        let _ = writeln!(text, "### {}\n", soak_title(soak));
        let slowest = soak
            .seconds
            .iter()
            .map(|it| it.acknowledged)
            .min()
            .unwrap_or(0);
        let facts = [
            ("seconds", soak.seconds.len().to_string()),
            (
                "commands a second, acknowledged / sustained",
                format!(
                    "{} / {}",
                    show::count(soak.acknowledged),
                    show::count(soak.sustained)
                ),
            ),
            ("slowest second", show::count(slowest as f64)),
            ("last minute ÷ first", show::ratio(soak.drift)),
            ("refused", soak.refused.values().sum::<u64>().to_string()),
            (
                "p50, p99, p99.9, max",
                [soak.p50_ns, soak.p99_ns, soak.p999_ns, soak.max_ns]
                    .map(|it| show::duration(it as f64))
                    .join(", "),
            ),
            (
                "commands over 100 ms",
                format!("{} of {}", soak.slow, show::count(soak.commands as f64)),
            ),
            (
                "lag, records; time to catch up",
                format!(
                    "≤ {}; {:.2} s",
                    show::count(soak.lag_max as f64),
                    soak.caught_up_seconds
                ),
            ),
            (
                "processor a command",
                format!("{:.1} µs", soak.processor_us),
            ),
            (
                "written, more on the disk",
                format!(
                    "{}, {}",
                    show::bytes(soak.written_bytes as f64),
                    show::bytes(soak.disk_bytes as f64)
                ),
            ),
            (
                "peak memory, descriptors",
                format!("{} MiB, {}", soak.peak_kib >> 10, soak.descriptors_max),
            ),
        ];
        head(text, &["", ""]);
        for (what, is) in facts {
            row(text, &[what.to_owned(), is]);
        }
        charts(text, drawn, &format!("{}-", soak.plan.name()), beside);
    }
}

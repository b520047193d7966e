// SPDX-License-Identifier: Apache-2.0
//! The aims of openings, of views made again and of a search.

use super::{Aim, with};
use crate::history::{Case, History, Opened};
use crate::show;
use crate::stats::median;

fn case<'a>(history: Option<&'a History>, prefix: &str) -> Option<&'a Case> {
    history?
        .cases
        .iter()
        .find(|case| case.name.starts_with(prefix))
}

fn of_runs(case: Option<&Case>, of: fn(&Opened) -> f64) -> f64 {
    case.map_or(f64::NAN, |case| median(case.runs.iter().map(of)))
}

pub(super) fn openings(history: Option<&History>) -> Vec<Aim> {
    let seconds = |prefix, of: fn(&Opened) -> f64| {
        let value = of_runs(case(history, prefix), of);
        let records = of_runs(case(history, prefix), |it| it.records as f64);
        Some((
            value,
            format!("{value:.2} s, {} records", show::count(records)),
        ))
    };
    let killed = "after kill -9 under load, cold";
    let unsynced = "after kill -9 under load, unsynced";
    vec![
        Aim::of(
            "open after a clean close, cold",
            "< 0.2 s",
            seconds("after a clean close, cold", |it| it.open_seconds),
            |it| it < 0.2,
        ),
        Aim::of(
            "open after kill -9 under load, until a command is acknowledged",
            "< 1 s",
            seconds(killed, |it| it.command_seconds),
            |it| it < 1.0,
        ),
        Aim::of(
            "the same, until views are at the head",
            "< 3 s",
            seconds(killed, |it| it.views_seconds),
            |it| it < 3.0,
        ),
        Aim::of(
            "kill -9 and nothing believed that was not synced (stands in for a power cut), until a command is acknowledged",
            "< 2 s",
            seconds(unsynced, |it| it.command_seconds),
            |it| it < 2.0,
        ),
        Aim::of(
            "filter of two terms without a common hit",
            "< 5 ms, does not grow",
            history.and_then(search),
            |it| it > 0.0,
        ),
    ]
}

pub(super) fn rebuilds(history: Option<&History>) -> Vec<Aim> {
    let deleted = case(history, "views deleted");
    let rate = of_runs(deleted, |it| it.records as f64 / it.views_seconds);
    let peak = of_runs(deleted, |it| it.peak_kib as f64 * 1.024e-3);
    let rate = with(rate, |v| format!("{} records/s", show::count(v)));
    let peak = with(peak, |v| format!("{v:.0} MB"));
    vec![
        Aim::of(
            "views deleted: rebuild",
            "≥ 500 k records/s",
            Some(rate),
            |it| it >= 500e3,
        ),
        Aim::of("memory during it", "< 400 MB", Some(peak), |it| it < 400.0),
    ]
}

/// 1 where the search was fast, and no slower after a history eight times as long; else 0.
fn search(history: &History) -> Option<(f64, String)> {
    let (few, many) = (history.queries.first()?, history.queries.last()?);
    let grows = many.median_ns > 1_000_000 && many.median_ns > few.median_ns * 2;
    let text = format!(
        "{} at {}, {} at {} records",
        show::duration(many.median_ns as f64),
        show::count(many.records as f64),
        show::duration(few.median_ns as f64),
        show::count(few.records as f64)
    );
    Some((
        f64::from(u8::from(many.median_ns < 5_000_000 && !grows)),
        text,
    ))
}

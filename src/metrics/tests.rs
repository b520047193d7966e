// SPDX-License-Identifier: Apache-2.0
//! Names, and what a scraped page shows.

use super::*;

#[test]
fn names_follow_the_conventions_and_none_is_used_twice() {
    let mut names: Vec<_> = ALL.iter().map(|metric| metric.name).collect();
    for metric in ALL {
        let Metric {
            name, kind, help, ..
        } = *metric;
        assert_eq!(
            name.ends_with("_total"),
            kind == MetricKind::Counter,
            "{name}"
        );
        assert_eq!(
            metric.buckets.is_empty(),
            kind != MetricKind::Histogram,
            "{name}"
        );
        assert!(metric.buckets.is_sorted(), "{name}");
        assert!(help.ends_with('.'), "{name}: {help}");
        let stem = name.trim_end_matches("_total");
        match metric.unit {
            Unit::Seconds => assert!(stem.ends_with("_seconds"), "{name}"),
            Unit::Bytes => assert!(stem.ends_with("_bytes"), "{name}"),
            _ => assert!(
                !stem.ends_with("_seconds") && !stem.ends_with("_bytes"),
                "{name}"
            ),
        }
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ALL.len());
}

#[test]
fn a_scraped_page_has_help_and_a_zero_for_every_series() {
    use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
    let builder = BUCKETS
        .iter()
        .fold(PrometheusBuilder::new(), |builder, (name, bounds)| {
            let matcher = Matcher::Full((*name).to_owned());
            builder.set_buckets_for_metric(matcher, bounds).unwrap()
        });
    let recorder = builder.build_recorder();
    let page = ::metrics::with_local_recorder(&recorder, || {
        init();
        APPENDED_RECORDS.counter(&[]).absolute(41);
        APPENDED_RECORDS.counter(&[]).increment(1);
        APPEND_SECONDS
            .histogram(&["telemetry", "committed"])
            .record(0.001);
        recorder.handle().render()
    });
    for metric in ALL {
        let help = format!("# HELP {} ", metric.name);
        assert!(page.contains(&help), "{}", metric.name);
    }
    assert!(
        page.contains("\nfemtoclaw_ledger_appended_records_total 42\n"),
        "{page}"
    );
    assert!(
        page.contains(
            "femtoclaw_ledger_view_rebuilds_total{view=\"indexes\",reason=\"version\"} 0"
        )
    );
    assert!(page.contains("# TYPE femtoclaw_ledger_append_seconds histogram"));
    assert!(page.contains(
        "append_seconds_bucket{store=\"telemetry\",outcome=\"committed\",le=\"0.001\"} 1"
    ));
}

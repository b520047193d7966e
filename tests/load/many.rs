// SPDX-License-Identifier: Apache-2.0
//! A thousand executions at the same instant, as the embedding program's recorder sees them.

use std::sync::Arc;

use femtoclaw_ledger::{Context, Ledger, Options};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::sync::Barrier;

use crate::child::{child_command, child_path};
use crate::scene::until;
use crate::shared::{everything, request};

const MANY: usize = 1_000;
const TEST: &str = "many::a_gauge_shows_a_thousand_executions_between_started_and_finished";

fn running(page: &PrometheusHandle) -> f64 {
    let page = page.render();
    let name = "femtoclaw_ledger_running_executions ";
    let value = page.lines().find_map(|line| line.strip_prefix(name));
    value.expect("the gauge").parse().unwrap()
}

/// In a process of its own: the recorder is the process's.
#[test]
fn a_gauge_shows_a_thousand_executions_between_started_and_finished() {
    if let Some(path) = child_path() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let page = recorder.handle();
        metrics::set_global_recorder(recorder).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        return runtime.block_on(a_thousand_at_once(&path, &page));
    }
    let place = tempfile::tempdir().unwrap();
    let output = child_command(TEST, &place.path().join("ledger")).output();
    let output = output.unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    let at_once = format!("{MANY} running at once");
    assert!(output.status.success() && told.contains(&at_once), "{told}");
}

async fn a_thousand_at_once(path: &std::path::Path, page: &PrometheusHandle) {
    let (ledger, root) = Ledger::open(path, Options::default()).await.unwrap();
    let grant = everything(&root).await;
    assert_eq!(running(page), 0.0);
    // Nobody finishes before the gauge was read.
    let finish = Arc::new(Barrier::new(MANY + 1));
    let tasks: Vec<_> = (0..MANY)
        .map(|_| {
            let log = ledger.execution_log(&grant).unwrap();
            let begin = request(&ledger, Context::new());
            let finish = Arc::clone(&finish);
            tokio::spawn(async move {
                let begun = log.begin(begin).await.unwrap();
                assert!(begun.is_started());
                finish.wait().await;
                let done = log.complete(begun.execution(), Context::new(), b"1".to_vec());
                done.await.unwrap();
            })
        })
        .collect();
    until("a thousand run", || running(page) == MANY as f64).await;
    eprintln!("{} running at once", running(page));
    finish.wait().await;
    for task in tasks {
        task.await.unwrap();
    }
    until("none runs", || running(page) == 0.0).await;
}

// SPDX-License-Identifier: Apache-2.0
//! What makes it fast, shown by counting and not by a clock: P1, P3, P4. The times themselves are those of `benches/`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use femtoclaw_ledger::events::{AuditFamily, LedgerId, Seq, TelemetryKind};
use femtoclaw_ledger::journal::{
    AppendFailure, Frame, Frames, Head, Journal, MemoryJournal, ReadFailure,
};

use femtoclaw_ledger::Options;

use crate::held::HeldJournal;
use crate::support::*;

/// Counts what is appended to a journal and read of it.
#[derive(Clone)]
struct Counting {
    journal: MemoryJournal,
    appended: Arc<AtomicUsize>,
    read: Arc<AtomicUsize>,
}

impl Counting {
    fn new(journal: MemoryJournal) -> Self {
        let (appended, read) = Default::default();
        Self {
            journal,
            appended,
            read,
        }
    }

    fn counted(&self) -> (usize, usize) {
        (
            self.appended.load(Ordering::SeqCst),
            self.read.load(Ordering::SeqCst),
        )
    }
}

impl Journal for Counting {
    fn append(&self, frame: &Frame, after: &Head) -> Result<(), AppendFailure> {
        self.appended.fetch_add(1, Ordering::SeqCst);
        self.journal.append(frame, after)
    }
    fn head(&self) -> Result<Head, ReadFailure> {
        self.journal.head()
    }
    fn ledger(&self) -> Result<Option<LedgerId>, ReadFailure> {
        self.journal.ledger()
    }
    fn frame_at(&self, seq: Seq) -> Result<Option<Frame>, ReadFailure> {
        self.read.fetch_add(1, Ordering::SeqCst);
        self.journal.frame_at(seq)
    }
    fn frames(&self, from: Seq) -> Frames {
        let read = Arc::clone(&self.read);
        let count = move |_: &_| {
            read.fetch_add(1, Ordering::SeqCst);
        };
        Box::new(self.journal.frames(from).inspect(count))
    }
    fn close(&self) {
        self.journal.close();
    }
    fn size_bytes(&self) -> u64 {
        self.journal.size_bytes()
    }
}

/// A command alone is one frame and one sync, at once: nobody waits for company.
#[tokio::test]
async fn p1_a_command_alone_costs_one_sync() {
    let journal = Counting::new(MemoryJournal::new());
    let open = open_on(Arc::new(journal.clone()), fixed(&clock())).await;
    let audit = open.ledger.audit_log(&open.grant).unwrap();
    audit.record(entry(AuditFamily::Lifecycle)).await.unwrap();
    let (before, _) = journal.counted();
    for _ in 0..20 {
        audit.record(entry(AuditFamily::Lifecycle)).await.unwrap();
    }
    // And in front of the first: one record of the ledger's own, now and then.
    let appended = journal.counted().0 - before;
    assert!((20..=22).contains(&appended), "{appended}");
    open.close().await;
}

/// Opening reads what came after the states that were saved last, and not the history.
#[test]
fn p3_opening_reads_the_tail_and_not_the_history() {
    // A process of its own: the recorder, which tells how much was read, is the process's.
    let Some(path) = child_path() else {
        let (_root, path) = place();
        let test = "pace::p3_opening_reads_the_tail_and_not_the_history";
        let output = child_command(test, &path).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && told.contains("ack end"),
            "{told}"
        );
        return;
    };
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let page = recorder.handle();
    metrics::set_global_recorder(recorder).unwrap();
    let read = || {
        let page = page.render();
        let line = page
            .lines()
            .find_map(|line| line.strip_prefix("femtoclaw_ledger_recovered_records "));
        line.unwrap().parse::<u64>().unwrap()
    };
    let options = || Options {
        snapshot_records: 100,
        ..Options::default()
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let open = open_with(&path, options()).await;
        open.sample().await;
        let telemetry = open.ledger.telemetry(&open.grant).unwrap();
        while open.ledger.head().count() < 800 {
            let observed = observation(TelemetryKind::Execution, "beat");
            telemetry.record(observed).await.unwrap();
        }
        open.close().await;
        let open = open_with(&path, options()).await;
        assert!(read() > 0 && read() < 250, "{} of more than 800", read());
        open.close().await;
    });
    acknowledge("end");
}

/// While one sync is under way all others gather, and the next one is for all of them.
#[tokio::test]
async fn p4_a_crowd_shares_its_syncs() {
    let memory = MemoryJournal::new();
    let journal = Arc::new(HeldJournal::new(memory.clone()));
    let open = Arc::new(open_on(journal.clone(), fixed(&clock())).await);
    let before = memory.frames(Seq::FIRST).count();
    journal.hold();
    let begin = |_| {
        let open = Arc::clone(&open);
        tokio::spawn(async move { open.begin().await.started().unwrap().detach() })
    };
    let crowd: Vec<_> = (0..150).map(begin).collect();
    // One thread runs all tasks and actors: after so many turns each has done all that it can without the writer.
    for _ in 0..5_000 {
        tokio::task::yield_now().await;
    }
    assert!(journal.wait_until_held(WAIT));
    journal.release();
    for one in crowd {
        one.await.unwrap();
    }
    let appended = memory.frames(Seq::FIRST).count() - before;
    assert!(appended <= 6, "{appended} frames for 150 executions");
}

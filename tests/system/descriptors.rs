// SPDX-License-Identifier: Apache-2.0
//! Files that the process may have open: bounded, and where there are none left nothing is damaged.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use femtoclaw_ledger::{
    AppendError, Context, Event, Grant, Ledger, OpenError, Options, ReadError, Retry, Seq,
    error::Fault, journal::FindingKind, read_only::ReadOnlyOptions, salvage::SalvageOptions,
    verify::VerifyOptions,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::child::child_path;
use crate::scene::{
    block_on, closed, entries, filled, goes_on, in_a_process, options, quarantined, record,
};
use crate::shared::{WAIT, everything, observation};

fn limit(files: u64) {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = Some(files);
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
}

/// Every descriptor that is left, but for so many.
fn taken(spare: usize) -> Vec<File> {
    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
    }
    taken.truncate(taken.len().saturating_sub(spare));
    taken
}

fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Tables of this database that are open.
fn open_tables(database: &Path) -> usize {
    let links = fs::read_dir("/proc/self/fd").unwrap();
    let links = links.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    let of_table = |link: &std::path::PathBuf| {
        link.starts_with(database) && link.parent().is_some_and(|it| it.ends_with("tables"))
    };
    links.filter(of_table).count()
}

/// What an opening may say that got no descriptor, and must not.
fn is_a_refusal(error: &OpenError) -> bool {
    let text = error.to_string();
    let says_damage = ["copy", "damage", "missing"];
    error.retry() == Retry::Safe
        && matches!(
            error.code(),
            "refused" | "journal_unread" | "views" | "actors"
        )
        && !says_damage.iter().any(|word| text.contains(word))
}

#[test]
fn an_opening_without_descriptors_is_refused_and_changes_nothing() {
    let name = "descriptors::an_opening_without_descriptors_is_refused_and_changes_nothing";
    let Some(path) = child_path() else {
        let directory = tempfile::tempdir().unwrap();
        return in_a_process(name, &directory.path().join("ledger"));
    };
    block_on(async {
        closed(filled(&path, options(), 300).await).await;
        limit(200);
        let mut refusals = 0;
        for spare in (0..40).step_by(3) {
            let taken = taken(spare);
            let opened = Ledger::open(&path, options()).await;
            drop(taken);
            match opened {
                Ok((_ledger, root)) => {
                    root.close(Duration::from_secs(30)).await.unwrap();
                }
                Err(error) => {
                    assert!(is_a_refusal(&error), "{spare} left: {error:?}");
                    refusals += 1;
                }
            }
            assert!(quarantined(&path).is_empty(), "{spare} left");
        }
        assert!(refusals > 3, "{refusals}");
        let (ledger, root, grant) = filled(&path, options(), 10).await;
        let verified = ledger
            .verify(VerifyOptions::threads(1), |_| {})
            .await
            .unwrap();
        assert!(verified.is_sound(), "{:?}", verified.damages);
        assert!(ledger.health().healthy);
        closed((ledger, root, grant)).await;
    });
}

#[test]
fn reading_only_and_salvage_without_descriptors_find_no_damage() {
    let name = "descriptors::reading_only_and_salvage_without_descriptors_find_no_damage";
    let Some(path) = child_path() else {
        let directory = tempfile::tempdir().unwrap();
        return in_a_process(name, &directory.path().join("ledger"));
    };
    block_on(async { closed(filled(&path, options(), 300).await).await });
    limit(200);
    let mut refusals = 0;
    for spare in 0..12 {
        let read_only = || Ledger::open_read_only(&path, ReadOnlyOptions::default());
        let fds = taken(spare);
        let opened = read_only();
        drop(fds);
        match opened {
            Ok(opened) => {
                assert!(opened.findings().is_empty(), "{:?}", opened.findings());
            }
            Err(error) => {
                assert!(is_a_refusal(&error), "{spare} left: {error:?}");
                refusals += 1;
            }
        }
        let fds = taken(spare);
        let target = path.with_file_name("salvaged");
        let salvaged = Ledger::salvage(&path, &target, &SalvageOptions::default());
        drop(fds);
        match salvaged {
            Ok(salvaged) => assert!(salvaged.findings.is_empty() && salvaged.first_lost.is_none()),
            Err(error) => assert!(!error.to_string().contains("damage"), "{error}"),
        }
        let _ = fs::remove_dir_all(&target);
    }
    assert!(refusals > 1, "{refusals}");
    assert!(quarantined(&path).is_empty());
}

#[test]
fn an_open_ledger_without_descriptors_calls_nothing_damaged() {
    let name = "descriptors::an_open_ledger_without_descriptors_calls_nothing_damaged";
    let Some(path) = child_path() else {
        let directory = tempfile::tempdir().unwrap();
        return in_a_process(name, &directory.path().join("ledger"));
    };
    block_on(async {
        // More tables than may be kept open.
        closed(filled(&path, options(), 600).await).await;
        let (ledger, root) = Ledger::open(&path, options()).await.unwrap();
        let grant = everything(&root).await;
        ledger.at_least(ledger.head().seq).await.unwrap();
        limit(300);
        let head = ledger.head();
        let fds = taken(0);
        let verified = ledger.verify(VerifyOptions::threads(1), |_| {}).await;
        let reads = ledger.reader(&grant).unwrap();
        let mut unread = 0;
        for seq in (1..head.count()).step_by(7) {
            match reads.get(Seq::new(seq).unwrap()).await {
                Ok(record) => assert!(record.is_some()),
                Err(ReadError::Unavailable { .. }) => unread += 1,
                Err(error) => panic!("{error}"),
            }
        }
        let traces = reads
            .query(femtoclaw_ledger::reading::Filter::default(), 1_000)
            .await;
        if let Err(error) = traces {
            assert_eq!(error.retry(), Retry::Safe, "{error}");
        }
        drop(fds);
        let verified = verified.unwrap();
        assert!(!verified.is_damaged(), "{:?}", verified.damages);
        assert!(!verified.is_sound() && !verified.unread.is_empty() && unread > 0);
        drop((reads, grant));
        // Nothing stays of it.
        let (ledger, root, grant) = goes_on((ledger, root), options()).await;
        record(&ledger, &grant, 10, 400).await;
        until(|| ledger.health().healthy).await;
        ledger.at_least(ledger.head().seq).await.unwrap();
        assert!(quarantined(&path).is_empty());
        let again = ledger
            .verify(VerifyOptions::threads(1), |_| {})
            .await
            .unwrap();
        assert!(again.is_sound(), "{:?} {:?}", again.damages, again.unread);
        closed((ledger, root, grant)).await;
    });
}

/// The engine cannot go on to another file, and stops. It is told as what it is, what was acknowledged stays, and
/// the same process opens it again once there are descriptors.
#[test]
fn a_ledger_that_was_sealed_without_descriptors_is_opened_again_in_place() {
    let name = "descriptors::a_ledger_that_was_sealed_without_descriptors_is_opened_again_in_place";
    let Some(path) = child_path() else {
        let directory = tempfile::tempdir().unwrap();
        return in_a_process(name, &directory.path().join("ledger"));
    };
    block_on(async {
        let (ledger, root, grant) = filled(&path, options(), 100).await;
        // Whatever is let go of meanwhile, nothing can be opened.
        limit(1);
        let (acknowledged, refused) = written_until_refused(&ledger, &grant).await;
        assert!(ledger.head().count() >= acknowledged);
        let AppendError::Sealed { cause } = &refused else {
            panic!("{refused}");
        };
        assert_eq!(cause.fault(), Some(Fault::System), "{cause}");
        assert_eq!(refused.retry(), Retry::AfterReopen);
        let told = ledger.health();
        assert!(
            !told.healthy && !format!("{told:?}").contains("damage"),
            "{told:?}"
        );
        // As long as there are none, it says so, and can be asked again.
        let error = root.reopen(options(), WAIT).await.map(drop).unwrap_err();
        assert_eq!(
            (error.code(), error.retry()),
            ("descriptors", Retry::Safe),
            "{error:?}"
        );
        limit(300);
        let (again, new_root) = root.reopen(options(), WAIT).await.unwrap();
        assert!(again.head().count() >= acknowledged);
        let grant = everything(&new_root).await;
        record(&again, &grant, 10, 400).await;
        again.at_least(again.head().seq).await.unwrap();
        let verified = again
            .verify(VerifyOptions::threads(1), |_| {})
            .await
            .unwrap();
        assert!(verified.is_sound(), "{:?}", verified.damages);
        assert!(again.health().healthy, "{:?}", again.health());
        assert!(quarantined(&path).is_empty());
        drop((ledger, root));
        closed((again, new_root, grant)).await;
    });
}

/// The last record acknowledged, and what is said then of every command.
async fn written_until_refused(ledger: &Ledger, grant: &Grant) -> (u64, AppendError) {
    let telemetry = ledger.telemetry(grant).unwrap();
    let mut acknowledged = 0;
    for _ in 0..10_000 {
        let mut observed = observation(Context::new(), "beat");
        observed.attributes = format!("\"{}\"", "x".repeat(400)).into_bytes();
        match telemetry.record(observed).await {
            Ok(receipt) => acknowledged = receipt.last.get(),
            Err(AppendError::OutcomeUnknown { .. }) => {}
            Err(error) => return (acknowledged, error),
        }
    }
    panic!("never refused");
}

/// The scrub, too: it says so, records nothing, and is healthy again once it has read.
#[test]
fn a_scrub_without_descriptors_records_no_damage() {
    let name = "descriptors::a_scrub_without_descriptors_records_no_damage";
    let Some(path) = child_path() else {
        let directory = tempfile::tempdir().unwrap();
        return in_a_process(name, &directory.path().join("ledger"));
    };
    block_on(async {
        closed(filled(&path, options(), 300).await).await;
        let scrubbing = || femtoclaw_ledger::Options {
            scrub_bytes_per_second: 1 << 30,
            scrub_pause: Duration::ZERO,
            ..options()
        };
        let (ledger, root) = Ledger::open(&path, scrubbing()).await.unwrap();
        limit(300);
        let fds = taken(0);
        // Both in one look: the next pass begins at once, and knows of nothing unread yet.
        until(|| !ledger.scrubbed().unread.is_empty() && !ledger.health().healthy).await;
        assert_eq!(ledger.scrubbed().damages, []);
        let head = ledger.head().count();
        drop(fds);
        let (ledger, root, grant) = goes_on((ledger, root), scrubbing()).await;
        until(|| ledger.health().healthy).await;
        assert_eq!(ledger.scrubbed().damages, []);
        // Its own records may have come meanwhile, and none of damage.
        let reads = ledger.reader(&grant).unwrap();
        let records = reads.range(Seq::new(head + 1).unwrap(), 1_000).await;
        let told = records.unwrap().into_iter().filter(|record| {
            matches!(record.event(), Ok(Event::HealthChanged(it)) if it.cause.contains("damage"))
        });
        assert_eq!(told.count(), 0, "nothing of damage was recorded");
        drop((reads, grant));
        root.close(Duration::from_secs(30)).await.unwrap();
    });
}

async fn until(is: impl Fn() -> bool) {
    let waits = async {
        while !is() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(WAIT, waits).await.expect("in time");
}

#[test]
fn the_engine_keeps_no_more_files_open_than_the_option_says() {
    let name = "descriptors::the_engine_keeps_no_more_files_open_than_the_option_says";
    let Some(path) = child_path() else {
        let directory = tempfile::tempdir().unwrap();
        return in_a_process(name, &directory.path().join("ledger"));
    };
    block_on(async {
        let before = open_files();
        let (ledger, root, grant) = filled(&path, options(), 1_200).await;
        let tables = entries(&path.join("journal/keyspaces/1/tables")).len();
        assert!(tables > 40, "{tables}");
        let reads = ledger.reader(&grant).unwrap();
        for seq in 1..ledger.head().count() {
            reads.get(Seq::new(seq).unwrap()).await.unwrap();
        }
        // Half of the option is each database's; the engine's cache counts by its shards, and tables that are
        // merged right now come on top.
        let kept = open_tables(&path.join("journal"));
        assert!(
            (1..=2 * 10 + 12).contains(&kept),
            "{kept} of {tables} tables"
        );
        let now = open_files() - before;
        assert!(now <= 20 + 64, "{now} files for {tables} tables");
        closed((ledger, root, grant)).await;
    });
}

#[test]
fn a_limit_below_what_is_needed_is_told_at_opening() {
    let name = "descriptors::a_limit_below_what_is_needed_is_told_at_opening";
    let Some(path) = child_path() else {
        let directory = tempfile::tempdir().unwrap();
        return in_a_process(name, &directory.path().join("ledger"));
    };
    block_on(async {
        limit(100);
        let error = Ledger::open(&path, Options::default()).await.unwrap_err();
        assert_eq!((error.code(), error.retry()), ("descriptors", Retry::Safe));
        let numbers = matches!(
            error,
            OpenError::Descriptors {
                needed: 192,
                limit: 100
            }
        );
        assert!(
            numbers && error.to_string().contains("ulimit -n"),
            "{error}"
        );
        assert!(!Path::new(&path).exists(), "nothing was touched");
        // With fewer it fits.
        closed(filled(&path, options(), 10).await).await;
        let few = Options {
            descriptors_max: 19,
            ..options()
        };
        let error = Ledger::open(&path, few).await.unwrap_err();
        assert_eq!(error.code(), "limits", "{error}");
    });
}

/// For whoever reads findings: these two kinds are no damage.
#[test]
fn what_could_not_be_read_is_no_finding_of_damage() {
    for kind in [FindingKind::Unreadable, FindingKind::EngineFault] {
        assert!(!kind.is_damage(), "{}", kind.code());
    }
}

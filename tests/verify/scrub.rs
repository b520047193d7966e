// SPDX-License-Identifier: Apache-2.0
//! The scrub, on a clock that is set by hand: how fast it reads, where it goes on, what it says.

use std::fs;
use std::time::Duration;

use femtoclaw_ledger::clock::{Clock, ManualClock};
use femtoclaw_ledger::events::{Event, EventType, Seq};
use femtoclaw_ledger::{Ledger, Options};

use crate::scene::{Scene, flip, options, until};
use crate::shared::{self, WAIT, everything};

const RATE: u64 = 64 << 10;
const SECOND: Duration = Duration::from_secs(1);
/// No frame of these tests is larger.
const LARGEST: u64 = 8 << 10;

fn slow(options: &mut Options) {
    options.scrub_bytes_per_second = RATE;
    options.scrub_pause = Duration::from_secs(3_600);
}

/// As fast as the clock is moved on.
fn fast(options: &mut Options) {
    options.scrub_bytes_per_second = 1 << 40;
    options.scrub_pause = Duration::from_secs(3_600);
}

/// Until so many passes have ended; the clock moves on by less than a pause.
async fn passed(ledger: &Ledger, clock: &ManualClock, passes: u64) {
    until("a pass ends", || {
        clock.advance(Duration::from_millis(10));
        ledger.scrubbed().passes >= passes
    })
    .await;
}

/// What was recorded of the ledger's health.
async fn told(scene: &Scene) -> Vec<(bool, String)> {
    let reader = scene.ledger.reader(&scene.grant).unwrap();
    let all = reader.range(Seq::FIRST, usize::MAX).await.unwrap();
    let health = all
        .iter()
        .filter(|it| it.header.event_type == EventType::HealthChanged);
    health
        .map(|record| match record.event().unwrap() {
            Event::HealthChanged(it) => (it.healthy, it.cause),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_made_while_open_makes_it_unhealthy_until_a_pass_finds_none() {
    let scene = Scene::filled(fast).await;
    passed(&scene.ledger, &scene.clock, 1).await;
    let sound = scene.ledger.scrubbed();
    assert_eq!(sound.damages, []);
    assert!(sound.verified_through > 200, "{sound:?}");
    assert!(scene.ledger.health().healthy);

    let (table, state) = (scene.table(), scene.files("snapshots").remove(0));
    flip(&table, 1_000);
    flip(&state, 60);
    scene.clock.advance(Duration::from_secs(4_000));
    passed(&scene.ledger, &scene.clock, 2).await;
    let found = scene.ledger.scrubbed();
    let files = found.damages.iter().filter(|damaged| damaged.seq.is_none());
    let files: Vec<_> = files.map(|damaged| damaged.path.clone()).collect();
    assert_eq!(files, [table.clone(), state.clone()]);
    let health = scene.ledger.health();
    assert!(
        !health.healthy && health.cause.contains("damage"),
        "{health:?}"
    );
    // Each once, though a second pass meets them again.
    let telling = || async { told(&scene).await.len() };
    let expected = found.damages.len();
    let all = async || telling().await >= expected;
    shared::until("each damage is recorded", all).await;
    scene.clock.advance(Duration::from_secs(4_000));
    passed(&scene.ledger, &scene.clock, 3).await;
    let records = told(&scene).await;
    assert_eq!(records.len(), expected, "{records:?}");
    assert!(records.iter().all(|(healthy, _)| !healthy));
    let names = |path: &std::path::Path| {
        let path = path.display().to_string();
        records.iter().any(|(_, cause)| cause.contains(&path))
    };
    assert!(names(&table) && names(&state), "{records:?}");

    flip(&table, 1_000);
    flip(&state, 60);
    scene.clock.advance(Duration::from_secs(4_000));
    passed(&scene.ledger, &scene.clock, 4).await;
    assert!(scene.ledger.health().healthy);
    assert_eq!(scene.ledger.scrubbed().damages, []);
    let healthy = async || {
        told(&scene)
            .await
            .last()
            .is_some_and(|(healthy, _)| *healthy)
    };
    shared::until("it is recorded that all is well", healthy).await;
}

/// The clock decides how much is read, and not how long it takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_reads_so_many_bytes_a_second_of_the_clock() {
    let scene = Scene::filled(slow).await;
    let ledger = &scene.ledger;
    let (begun, head) = (scene.clock.monotonic_ns(), ledger.head().count());
    assert_eq!(ledger.scrubbed().bytes, 0, "the clock has not moved");
    let mut read = 0;
    loop {
        scene.clock.advance(SECOND / 4);
        until("it reads on", || {
            let scrubbed = ledger.scrubbed();
            scrubbed.bytes > read || scrubbed.verified_through >= head
        })
        .await;
        let scrubbed = ledger.scrubbed();
        // Behind the last frame come the files.
        if scrubbed.verified_through >= head {
            break;
        }
        read = scrubbed.bytes;
        let allowed = RATE * (scene.clock.monotonic_ns() - begun) / 1_000_000_000;
        assert!(read <= allowed + LARGEST, "{read} of {allowed}");
    }
    assert!(read > 8 * LARGEST, "{read} bytes show nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_goes_on_after_reopening_where_it_was_and_rests_after_a_pass() {
    let scene = Scene::filled(slow).await;
    let ledger = &scene.ledger;
    until("some of it is read", || {
        scene.clock.advance(SECOND / 4);
        ledger.scrubbed().verified_through > 20
    })
    .await;
    let (before, head) = (ledger.scrubbed(), ledger.head().count());
    assert!(before.verified_through < head, "{before:?}");
    let Scene {
        ledger,
        root,
        grant,
        clock,
        directory,
    } = scene;
    root.close(WAIT).await.unwrap();
    drop((ledger, root, grant));
    let (path, kept) = (
        directory.path().join("ledger"),
        directory.path().join("kept"),
    );
    let reopen = || Ledger::open(path.clone(), options(&kept, &clock, fast));

    let (ledger, root) = reopen().await.unwrap();
    passed(&ledger, &clock, 1).await;
    let whole = ledger.scrubbed();
    assert!(whole.verified_through >= head, "{whole:?}");
    root.close(WAIT).await.unwrap();
    drop((ledger, root));
    // It rests, also over an opening.
    let (ledger, root) = reopen().await.unwrap();
    clock.advance(SECOND);
    until("it knows where it was", || {
        clock.advance(Duration::from_millis(10));
        ledger.scrubbed().verified_through == whole.verified_through
    })
    .await;
    assert_eq!(ledger.scrubbed().passes, 0);
    root.close(WAIT).await.unwrap();
    drop((ledger, root));

    // What is not legible is no position: it begins again, and says nothing wrong.
    let file = path.join("SCRUB");
    assert_eq!(fs::metadata(&file).unwrap().len(), 136);
    flip(&file, 40);
    let (ledger, root) = reopen().await.unwrap();
    let grant = everything(&root).await;
    passed(&ledger, &clock, 1).await;
    assert!(ledger.health().healthy && ledger.scrubbed().damages.is_empty());
    drop((ledger, root, grant));
}

/// Damage does not become something that was passed long ago.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_reopening_damage_is_found_again_at_once() {
    let scene = Scene::filled(fast).await;
    let state = scene.files("snapshots").remove(0);
    flip(&state, 60);
    passed(&scene.ledger, &scene.clock, 1).await;
    assert!(!scene.ledger.health().healthy);
    let Scene {
        ledger,
        root,
        grant,
        clock,
        directory,
    } = scene;
    root.close(WAIT).await.unwrap();
    drop((ledger, root, grant));
    let path = directory.path().join("ledger");
    // A close may save the states once more, an opening too, and then the oldest go.
    let saved = std::fs::read_dir(path.join("snapshots")).unwrap();
    let newest = saved.map(|entry| entry.unwrap().path()).max().unwrap();
    if newest != state {
        flip(&newest, 60);
    }
    let options = options(&directory.path().join("kept"), &clock, fast);
    let (ledger, _root) = Ledger::open(path, options).await.unwrap();
    until("it is found again", || {
        clock.advance(Duration::from_millis(10));
        !ledger.health().healthy
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_rate_there_is_no_scrub() {
    let scene = Scene::new(|options| options.scrub_bytes_per_second = 0).await;
    scene.record(5).await;
    for _ in 0..3 {
        let head = scene.ledger.head().count();
        scene.record(1).await;
        scene.clock.advance(60 * SECOND);
        // What was done in a minute is a record of the task that would go on with the scrub.
        until("it looks at its clock", || {
            scene.ledger.head().count() >= head + 2
        })
        .await;
    }
    assert_eq!(scene.ledger.scrubbed(), Default::default());
    scene.root.close(WAIT).await.unwrap();
    assert!(!scene.path("SCRUB").exists());
}

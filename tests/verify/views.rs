// SPDX-License-Identifier: Apache-2.0
//! Files of views, while the ledger is open: what is damaged is named, kept under `quarantine/`, and made again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use femtoclaw_ledger::Ledger;
use femtoclaw_ledger::projections::ViewDigest;
use femtoclaw_ledger::verify::Verified;

use crate::scene::{Bulky, Scene, flip, options, until};
use crate::shared::{self, WAIT, everything};

const VIEWS: usize = 6;

fn with_bulky(options: &mut femtoclaw_ledger::Options) {
    options.projections.push(Box::new(Bulky));
    options.scrub_bytes_per_second = 0;
}

/// Closes the ledger, so that views lie in segments, and opens it again.
async fn reopened(scene: Scene) -> Scene {
    let Scene {
        ledger,
        root,
        grant,
        clock,
        directory,
    } = scene;
    root.close(WAIT).await.unwrap();
    drop((ledger, root, grant));
    let options = options(&directory.path().join("kept"), &clock, with_bulky);
    let opened = Ledger::open(directory.path().join("ledger"), options).await;
    let (ledger, root) = opened.unwrap();
    let grant = everything(&root).await;
    let scene = Scene {
        ledger,
        root,
        grant,
        clock,
        directory,
    };
    scene.settled().await;
    scene
}

/// One file of each view whose name ends so.
fn of_each_view(scene: &Scene, suffix: &str) -> BTreeMap<String, PathBuf> {
    let named = |path: &PathBuf| path.to_string_lossy().ends_with(suffix);
    let files = scene.files("views").into_iter().filter(named);
    let view = |path: &Path| {
        let below = path.strip_prefix(scene.path("views")).unwrap();
        let first = below.components().next().unwrap();
        first.as_os_str().to_str().unwrap().to_owned()
    };
    files.map(|path| (view(&path), path)).collect()
}

fn named(verified: &Verified) -> BTreeSet<PathBuf> {
    let damages = verified.damages.iter();
    damages.map(|damaged| damaged.path.clone()).collect()
}

/// What is kept of views that were set aside.
fn kept(scene: &Scene) -> usize {
    fs::read_dir(scene.path("quarantine")).map_or(0, Iterator::count)
}

/// These files, and they alone, are named; their views are set aside with them and made again.
async fn found_and_made_again(
    scene: &Scene,
    digests: &[ViewDigest],
    damaged: &BTreeMap<String, PathBuf>,
) -> Verified {
    let before = kept(scene);
    let found = scene.verify().await;
    let paths = damaged.values().cloned().collect();
    assert_eq!(named(&found), paths, "{:?}", found.damages);
    until("they are set aside", || {
        kept(scene) == before + damaged.len()
    })
    .await;
    scene.settled().await;
    let again = scene.verify().await;
    assert!(again.is_sound(), "{:?}", again.damages);
    assert_eq!(again.not_checked, [""; 0]);
    let made = scene.ledger.view_digests().await.unwrap();
    assert_eq!(made, digests);
    found
}

/// A byte of each part: what it begins with, blocks and index nodes, the root, what stands behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_byte_of_a_segment_is_found_the_view_set_aside_and_made_again() {
    let mut scene = Scene::filled(with_bulky).await;
    let places: [fn(u64) -> u64; 6] = [
        |_| 3,
        |_| 9,
        |length| length / 2,
        |length| length.saturating_sub(100).max(10),
        |length| length - 20,
        |length| length - 1,
    ];
    for place in places {
        scene = reopened(scene).await;
        let digests = scene.ledger.view_digests().await.unwrap();
        let files = of_each_view(&scene, ".segment");
        assert_eq!(files.len(), VIEWS);
        let mut flipped = BTreeMap::new();
        for path in files.values() {
            let at = place(fs::metadata(path).unwrap().len());
            flip(path, at);
            flipped.insert(path.clone(), at);
        }
        let found = found_and_made_again(&scene, &digests, &files).await;
        for damaged in &found.damages {
            let (offset, at) = (damaged.offset.unwrap(), flipped[&damaged.path]);
            assert!(offset <= at, "{damaged}: byte {at}");
            assert!(damaged.seq.is_none());
        }
    }
    // What was set aside is as it was found.
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|it| it == "segment");
    let kept = scene.files("quarantine").into_iter().filter(is_segment);
    assert_eq!(kept.count(), places.len() * VIEWS);
}

/// A file that is shorter, longer, gone, another view's, or no file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_segment_that_is_another_is_found_the_view_set_aside_and_made_again() {
    let scene = reopened(Scene::filled(with_bulky).await).await;
    let digests = scene.ledger.view_digests().await.unwrap();
    let files = of_each_view(&scene, ".segment");
    let paths: Vec<_> = files.values().cloned().collect();
    let whole = fs::read(&paths[0]).unwrap();
    fs::write(&paths[0], &whole[..whole.len() - 1]).unwrap();
    fs::write(&paths[1], b"").unwrap();
    fs::remove_file(&paths[2]).unwrap();
    fs::copy(&paths[4], &paths[3]).unwrap();
    let longer = [fs::read(&paths[4]).unwrap(), vec![0]].concat();
    fs::write(&paths[4], longer).unwrap();
    fs::rename(&paths[5], paths[5].with_extension("elsewhere")).unwrap();
    std::os::unix::fs::symlink(paths[5].with_extension("elsewhere"), &paths[5]).unwrap();
    found_and_made_again(&scene, &digests, &files).await;
    scene.root.close(WAIT).await.unwrap();
}

/// Bytes between the parts are no part, though every digest is right.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_between_the_parts_of_a_segment_are_found() {
    let scene = reopened(Scene::filled(with_bulky).await).await;
    let digests = scene.ledger.view_digests().await.unwrap();
    let mut files = of_each_view(&scene, ".segment");
    files.retain(|view, _| view == "executions");
    let path = &files["executions"];
    let mut bytes = fs::read(path).unwrap();
    let trailer = bytes.len() - 24;
    let root = u64::from_le_bytes(*bytes[trailer..].first_chunk().unwrap());
    bytes[trailer..trailer + 8].copy_from_slice(&(root + 5).to_le_bytes());
    bytes.splice(root as usize..root as usize, *b"stray");
    fs::write(path, bytes).unwrap();
    let found = found_and_made_again(&scene, &digests, &files).await;
    assert_eq!(found.damages[0].offset, Some(root));
}

/// A manifest with another byte, half of one, none, an older one, another view's, and no file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_that_is_another_is_found_the_view_set_aside_and_made_again() {
    let scene = Scene::filled(with_bulky).await;
    let older: BTreeMap<_, _> = of_each_view(&scene, "manifest.json")
        .into_iter()
        .map(|(view, path)| (view, fs::read(path).unwrap()))
        .collect();
    let scene = reopened(scene).await;
    let digests = scene.ledger.view_digests().await.unwrap();
    let files = of_each_view(&scene, "manifest.json");
    let [a, b, c, d, e, f] = files.keys().collect::<Vec<_>>().try_into().unwrap();
    let text = fs::read_to_string(&files[a]).unwrap();
    let digit = text.find("\"digest\": \"").unwrap() + 12;
    let other = if text[digit..].starts_with('0') {
        "1"
    } else {
        "0"
    };
    fs::write(
        &files[a],
        format!("{}{other}{}", &text[..digit], &text[digit + 1..]),
    )
    .unwrap();
    fs::write(&files[b], &fs::read(&files[b]).unwrap()[..60]).unwrap();
    fs::remove_file(&files[c]).unwrap();
    fs::write(&files[d], &older[d]).unwrap();
    fs::copy(&files[f], &files[e]).unwrap();
    fs::remove_file(&files[f]).unwrap();
    fs::create_dir(&files[f]).unwrap();
    found_and_made_again(&scene, &digests, &files).await;
    scene.root.close(WAIT).await.unwrap();
}

/// Where memory is short there are files that no manifest names.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_byte_of_a_file_that_was_spilled_is_found() {
    let scene = Scene::filled(with_bulky).await;
    let digests = scene.ledger.view_digests().await.unwrap();
    let mut files = of_each_view(&scene, ".spill");
    files.retain(|view, _| view == "bulky");
    let path = &files["bulky"];
    flip(path, fs::metadata(path).unwrap().len() / 2);
    found_and_made_again(&scene, &digests, &files).await;
}

/// The scrub reads them too, piece by piece, tells of them, and is satisfied once they are made again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_scrub_finds_a_damaged_segment_and_the_view_is_made_again() {
    let scene = reopened(Scene::filled(with_bulky).await).await;
    let Scene {
        ledger,
        root,
        grant,
        clock,
        directory,
    } = scene;
    root.close(WAIT).await.unwrap();
    drop((ledger, root, grant));
    let options = options(&directory.path().join("kept"), &clock, |options| {
        with_bulky(options);
        options.scrub_bytes_per_second = 4 << 20;
        options.scrub_pause = Duration::from_secs(3_600);
    });
    let opened = Ledger::open(directory.path().join("ledger"), options).await;
    let (ledger, root) = opened.unwrap();
    let grant = everything(&root).await;
    let scene = Scene {
        ledger,
        root,
        grant,
        clock,
        directory,
    };
    scene.settled().await;
    let path = of_each_view(&scene, ".segment")["bulky"].clone();
    let length = fs::metadata(&path).unwrap().len();
    flip(&path, length - length / 8);
    until("it is found", || {
        scene.clock.advance(Duration::from_millis(500));
        !scene.ledger.scrubbed().damages.is_empty()
    })
    .await;
    let damages = scene.ledger.scrubbed().damages;
    assert_eq!(damages.len(), 1);
    assert_eq!(damages[0].path, path);
    assert!(!scene.ledger.health().healthy);
    until("it is set aside", || kept(&scene) == 1).await;
    scene.settled().await;
    let healthy = async || {
        scene.clock.advance(Duration::from_secs(60));
        scene.ledger.health().healthy
    };
    shared::until("a whole pass finds none of it", healthy).await;
    scene.root.close(WAIT).await.unwrap();
}

// SPDX-License-Identifier: Apache-2.0
//! Every public asynchronous function is dropped after each of its polls, with the writer free and with it held: nothing is
//! leaked, stuck or untrue afterwards.

#![cfg(feature = "engine")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "../shared/mod.rs"]
mod shared;

mod approval;
mod attest;
mod others;
mod scene;
mod stores;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use scene::Scene;
use shared::until;
use tokio_test::task;

/// Says whether it succeeded.
pub(crate) type Call = Pin<Box<dyn Future<Output = bool>>>;

/// A function, by its file below `src` and its name, and a call of it. What the call needs first is done before
/// [`Scene::tried`].
pub(crate) type Tried = (&'static str, fn(Arc<Scene>) -> Call);

/// After so many polls nobody has returned.
const POLLS_MAX: usize = 200;
/// A call that is not woken for so long waits for the writer.
const STUCK: Duration = Duration::from_millis(40);

/// These are dropped elsewhere: they end or begin a ledger, or are what another function is made of.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    (
        "ledger/open_ledger.rs open",
        "tests/waiting/opening.rs",
        "fn an_opening_dropped_after_any_poll_lets_go_of_the_directory",
    ),
    (
        "ledger/open_ledger.rs open_on",
        "tests/waiting/opening.rs",
        "fn an_opening_dropped_after_any_poll_lets_go_of_the_directory",
    ),
    (
        "ledger/lifecycle/reopen.rs reopen",
        "tests/waiting/opening.rs",
        "root.reopen(",
    ),
    (
        "ledger/lifecycle/close.rs close",
        "tests/waiting/closing.rs",
        "root.close(",
    ),
    (
        "ledger/lifecycle/close.rs close_at_once",
        "tests/waiting/closing.rs",
        "root.close(",
    ),
    (
        "projections/view.rs reached",
        "src/ledger/read/view_waits.rs",
        "view.reached(",
    ),
];

fn all() -> Vec<Tried> {
    let mut all = stores::tried();
    all.extend(others::tried());
    all.extend(attest::tried());
    all.extend(approval::tried());
    all
}

/// Polls so many times; true where it was ready.
async fn dropped_after(name: &str, polls: usize, call: Call) -> bool {
    let mut call = task::spawn(call);
    for _ in 0..polls {
        match call.poll() {
            std::task::Poll::Ready(succeeded) => {
                assert!(succeeded, "{name} fails where nobody drops it");
                return true;
            }
            std::task::Poll::Pending => {}
        }
        until(name, async || call.is_woken()).await;
    }
    false
}

/// Polls until it waits for the writer, at most so many times once the writer is held; true where that was all.
async fn dropped_while_held(scene: &Scene, polls: usize, call: Call) -> bool {
    let mut call = task::spawn(call);
    let mut while_held = 0;
    while while_held < polls {
        if call.poll().is_ready() {
            return true;
        }
        while_held += usize::from(scene.is_held());
        let woken = async {
            while !call.is_woken() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        if scene.is_held() && tokio::time::timeout(STUCK, woken).await.is_err() {
            return true;
        }
        let moves = async || scene.is_held() || call.is_woken();
        until("the call moves, or the writer is held", moves).await;
    }
    false
}

async fn tried(name: &str, call: fn(Arc<Scene>) -> Call, scene: &Arc<Scene>) {
    let ends = (1..=POLLS_MAX).find_map_async(async |polls| {
        let ended = dropped_after(name, polls, call(scene.clone())).await;
        scene.is_sound(name).await;
        ended
    });
    assert!(ends.await, "{name} never ended");
    scene.holds(true);
    for polls in 1..=POLLS_MAX {
        let all = dropped_while_held(scene, polls, call(scene.clone())).await;
        scene.release();
        scene.is_sound(name).await;
        if all {
            break;
        }
    }
    scene.holds(false);
}

trait FindAsync: Iterator<Item = usize> + Sized {
    async fn find_map_async(self, mut ends: impl AsyncFnMut(usize) -> bool) -> bool {
        for polls in self {
            if ends(polls).await {
                return true;
            }
        }
        false
    }
}

impl<I: Iterator<Item = usize>> FindAsync for I {}

#[test]
fn what_is_dropped_after_any_poll_leaves_nothing_behind() {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    runtime.block_on(async {
        let scene = Scene::new().await;
        for (name, call) in all() {
            tried(name, call, &scene).await;
        }
        scene.end().await;
    });
}

fn sources(place: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(place).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match path.is_dir() {
            true if name != "tests" && name != "cli" => sources(&path, found),
            false if name.ends_with(".rs") && name != "tests.rs" => found.push(path),
            _ => {}
        }
    }
}

#[test]
fn every_public_asynchronous_function_is_tried() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    let mut public = BTreeSet::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let place = file
            .strip_prefix(root.join("src"))
            .unwrap()
            .display()
            .to_string();
        let lines = text.lines().map(str::trim_start);
        let names = lines.filter_map(|line| line.strip_prefix("pub async fn "));
        for name in names {
            let end = name.find(['(', '<']).unwrap();
            public.insert(format!("{place} {}", &name[..end]));
        }
    }
    for (_, file, text) in ELSEWHERE {
        assert!(
            std::fs::read_to_string(root.join(file))
                .unwrap()
                .contains(text),
            "{file}"
        );
    }
    let tried = all().into_iter().map(|(name, _)| name);
    let tried = tried.chain(ELSEWHERE.iter().map(|(name, ..)| *name));
    let tried: BTreeSet<String> = tried.map(str::to_owned).collect();
    let untried: Vec<_> = public.difference(&tried).collect();
    let gone: Vec<_> = tried.difference(&public).collect();
    assert!(
        untried.is_empty() && gone.is_empty(),
        "untried {untried:?}, gone {gone:?}"
    );
}

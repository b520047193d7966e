// SPDX-License-Identifier: Apache-2.0
//! Something else where a file of a ledger's is expected: each file and directory of a ledger that
//! used every feature × {symbolic link, second name, pipe, directory, 4 GiB of nothing, another
//! user's, writable by the group}. What is opened is refused or passed over; nothing outside the
//! directory changes, nothing waits, and nothing large is read into memory.

#![cfg(feature = "engine")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use femtoclaw_ledger::{Ledger, OpenError};

#[path = "../shared/mod.rs"]
mod shared;

mod kinds;
mod places;
mod scene;

use kinds::Kind;
use scene::{Scene, names, options};

/// Counts what is allocated.
#[global_allocator]
static ALLOCATED: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

/// More than what an opening of the sound ledger takes.
const MORE_BYTES_MAX: usize = 64 << 20;
/// An opening takes a tenth of a second, on an idle machine.
const HANGS_AFTER: Duration = Duration::from_secs(60);

/// Opens and closes; the error's code where it is refused, and the path that it names.
fn opened(directory: &Path, key: &Path) -> Result<(), OpenError> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (path, options) = (directory.to_owned(), options(key));
    let outcome = runtime.block_on(async move {
        let opening = async move {
            let (_ledger, root) = Ledger::open(path, options).await?;
            root.close(Duration::from_secs(30)).await.unwrap();
            Ok(())
        };
        tokio::time::timeout(HANGS_AFTER, opening).await
    });
    // One that hangs would hang the end of the runtime too.
    runtime.shutdown_background();
    outcome.unwrap_or_else(|_| panic!("the opening of {} hangs", directory.display()))
}

fn peak_of(work: impl FnOnce()) -> usize {
    ALLOCATED.reset_peak_usage();
    let before = ALLOCATED.current_usage();
    work();
    ALLOCATED.peak_usage().saturating_sub(before)
}

/// By its place, with all numbers left out: one table is as good as another.
fn classes(directory: &Path) -> BTreeMap<String, PathBuf> {
    let mut classes = BTreeMap::new();
    for name in names(directory) {
        let text = name.to_str().unwrap();
        let class = text.split('/').map(|part| {
            let stem = part.split(['.', '-']).next().unwrap();
            match stem
                .trim_start_matches('v')
                .bytes()
                .all(|b| b.is_ascii_digit())
            {
                true if stem != "v" => part.replace(|c: char| c.is_ascii_digit(), "#"),
                _ => part.to_owned(),
            }
        });
        let mut class = class.collect::<Vec<_>>().join("/");
        while class.contains("##") {
            class = class.replace("##", "#");
        }
        classes.entry(class).or_insert(name);
    }
    classes
}

#[test]
fn nothing_else_is_taken_for_a_file_of_the_ledger() {
    let scene = Scene::new();
    let sound = scene.copy();
    let baseline = peak_of(|| opened(&sound.path, &scene.key).unwrap());
    drop(sound);
    let all = classes(&scene.path);
    let named: Vec<_> = all.keys().map(String::as_str).collect();
    for expected in scene::EXPECTED {
        assert!(
            named.contains(expected),
            "{expected} is missing in {named:#?}"
        );
    }
    let mut place = None;
    let (mut cases, mut refused) = (0, 0);
    for (class, name) in &all {
        for kind in Kind::ALL {
            let is_directory = scene.path.join(name).is_dir();
            if !kind.is_possible(is_directory) {
                continue;
            }
            cases += 1;
            let copy = place.take().unwrap_or_else(|| scene.copy());
            let what = format!("{class} ({}) × {kind:?}", name.display());
            let odd = kind.put(&copy.path, name);
            let mut outcome = Ok(());
            let peak = peak_of(|| outcome = opened(&copy.path, &scene.key));
            odd.assert_untouched(&what);
            assert!(
                peak < baseline + MORE_BYTES_MAX,
                "{what}: {peak} bytes, {baseline} of a sound one"
            );
            if let Some(code) = kind.refused_with(name) {
                let error = outcome.as_ref().expect_err(&what);
                assert_eq!(error.code(), code, "{what}: {error}");
            }
            if outcome.is_err() {
                refused += 1;
                odd.take_back();
                place = Some(copy);
            }
        }
    }
    println!("{cases} cases, {refused} refused, a sound opening takes {baseline} bytes");
    if let Some(copy) = place {
        opened(&copy.path, &scene.key).unwrap();
    }
}

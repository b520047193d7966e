// SPDX-License-Identifier: Apache-2.0
//! Becomes `src/mutant_switch.rs` of the copy: which mutant this process is, and which ones it came by.

use std::io::Write;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// No mutant where nothing is set.
static CHOSEN: LazyLock<usize> =
    LazyLock::new(|| std::env::var("MUTANT").ok().and_then(|it| it.parse().ok()).unwrap_or(usize::MAX));
static TOLD: LazyLock<Option<std::path::PathBuf>> = LazyLock::new(|| std::env::var_os("MUTANTS_REACHED").map(Into::into));
static REACHED: [AtomicBool; 16384] = [const { AtomicBool::new(false) }; 16384];

/// Whether this process is that mutant.
pub(crate) fn on(id: usize) -> bool {
    if let Some(file) = &*TOLD
        && let Some(reached) = REACHED.get(id)
        && !reached.swap(true, Ordering::Relaxed)
    {
        // A mutant of which nobody knows that the test comes by it would be missed: the test fails, and is not used.
        let told = std::fs::OpenOptions::new().append(true).create(true).open(file);
        told.and_then(|mut file| file.write_all(format!("{id}\n").as_bytes())).expect("what was reached is told");
    }
    *CHOSEN == id
}

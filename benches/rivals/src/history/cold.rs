// SPDX-License-Identifier: Apache-2.0
//! Takes a store's pages out of the page cache.

use std::fs::{self, File};
use std::path::Path;

use rustix::fs::{Advice, fadvise};

/// Asks the kernel to forget the files below `path`; what was not written yet is written first, else it would stay.
pub(super) fn drop_pages(path: &Path, everything: bool) {
    forget(path);
    if everything && fs::write("/proc/sys/vm/drop_caches", "3").is_err() {
        eprintln!("rivals: the machine's caches cannot be dropped here; this ledger's files were");
    }
}

fn forget(path: &Path) {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            forget(&path);
        } else if let Ok(file) = File::open(&path) {
            let _as_it_is = file.sync_all();
            let _advice = fadvise(&file, 0, None, Advice::DontNeed);
        }
    }
}

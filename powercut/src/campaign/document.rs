// SPDX-License-Identifier: Apache-2.0
//! Figures in a document, between marks, so that the command that made them can make them again.

use std::io;
use std::path::Path;

/// Replaces what stands between `<!-- name: begin -->` and `<!-- name: end -->`.
pub(crate) fn replace(path: &Path, name: &str, text: &str) -> io::Result<()> {
    let (begin, end) = (
        format!("<!-- {name}: begin -->"),
        format!("<!-- {name}: end -->"),
    );
    let document = std::fs::read_to_string(path)?;
    let problem = || io::Error::other(format!("{} lacks {begin} … {end}", path.display()));
    let (before, rest) = document.split_once(&begin).ok_or_else(problem)?;
    let (_, after) = rest.split_once(&end).ok_or_else(problem)?;
    std::fs::write(
        path,
        format!("{before}{begin}\n{}\n{end}{after}", text.trim_end()),
    )
}

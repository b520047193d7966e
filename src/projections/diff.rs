// SPDX-License-Identifier: Apache-2.0
//! What changed between two documents, line by line.

/// A line of a comparison; lines are split after `\n` and kept byte for byte.
#[derive(Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DiffLine {
    /// In both.
    #[serde(serialize_with = "crate::events::readable::bytes::serialize")]
    Same(Vec<u8>),
    /// Only in the first.
    #[serde(serialize_with = "crate::events::readable::bytes::serialize")]
    Removed(Vec<u8>),
    /// Only in the second.
    #[serde(serialize_with = "crate::events::readable::bytes::serialize")]
    Added(Vec<u8>),
}

crate::events::readable::debug_as_read!(DiffLine);

/// Pairs of lines compared at most; beyond it the changed middle is shown as removed and added,
/// which is true as well, only longer.
const PAIRS_MAX: usize = 4_000_000;

/// The lines of both contents in order; dropping the added ones gives the first, dropping the
/// removed ones the second.
///
/// ```
/// use femtoclaw_ledger::projections::{DiffLine, diff_lines};
/// let lines = diff_lines(b"a\nb\n", b"a\nc\n");
/// let text = |line: &str| line.as_bytes().to_vec();
/// let (same, removed, added) = (text("a\n"), text("b\n"), text("c\n"));
/// assert_eq!(lines, [DiffLine::Same(same), DiffLine::Removed(removed), DiffLine::Added(added)]);
/// ```
#[must_use]
pub fn diff_lines(from: &[u8], to: &[u8]) -> Vec<DiffLine> {
    let from: Vec<&[u8]> = from.split_inclusive(|byte| *byte == b'\n').collect();
    let to: Vec<&[u8]> = to.split_inclusive(|byte| *byte == b'\n').collect();
    let head = common(from.iter(), to.iter());
    let (same, from) = from.split_at(head);
    let (_, to) = to.split_at(head.min(to.len()));
    let tail = common(from.iter().rev(), to.iter().rev());
    let (from, end) = from.split_at(from.len() - tail);
    let (to, _) = to.split_at(to.len() - tail);
    let mut lines: Vec<DiffLine> = same.iter().map(|line| keep(line)).collect();
    changed(from, to, &mut lines);
    lines.extend(end.iter().map(|line| keep(line)));
    lines
}

fn keep(line: &[u8]) -> DiffLine {
    DiffLine::Same(line.to_vec())
}

fn common<'a>(
    one: impl Iterator<Item = &'a &'a [u8]>,
    other: impl Iterator<Item = &'a &'a [u8]>,
) -> usize {
    one.zip(other).take_while(|(a, b)| a == b).count()
}

/// Longest common subsequence of what is left between the common head and tail.
fn changed(from: &[&[u8]], to: &[&[u8]], lines: &mut Vec<DiffLine>) {
    let width = to.len() + 1;
    let mut longest = Vec::new();
    if from.len().saturating_mul(to.len()) <= PAIRS_MAX {
        longest = lengths(from, to);
    }
    let at = |i: usize, j: usize| longest.get(i * width + j).copied().unwrap_or(0);
    let (mut i, mut j) = (0, 0);
    while let Some(removed) = from.get(i) {
        match to.get(j) {
            Some(added) if removed == added && !longest.is_empty() => {
                lines.push(keep(removed));
                i += 1;
                j += 1;
            }
            Some(added) if at(i, j + 1) > at(i + 1, j) => {
                lines.push(DiffLine::Added(added.to_vec()));
                j += 1;
            }
            _ => {
                lines.push(DiffLine::Removed(removed.to_vec()));
                i += 1;
            }
        }
    }
    let rest = to.iter().skip(j);
    lines.extend(rest.map(|added| DiffLine::Added(added.to_vec())));
}

/// `lengths[i * (to.len() + 1) + j]`: longest common subsequence of `from[i..]` and `to[j..]`.
fn lengths(from: &[&[u8]], to: &[&[u8]]) -> Vec<u32> {
    let width = to.len() + 1;
    let mut table = vec![0_u32; (from.len() + 1) * width];
    for (i, a) in from.iter().enumerate().rev() {
        for (j, b) in to.iter().enumerate().rev() {
            let at = |i: usize, j: usize| table.get(i * width + j).copied().unwrap_or(0);
            let length = if a == b {
                at(i + 1, j + 1) + 1
            } else {
                at(i + 1, j).max(at(i, j + 1))
            };
            if let Some(cell) = table.get_mut(i * width + j) {
                *cell = length;
            }
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(lines: &[DiffLine], first: bool) -> Vec<u8> {
        let kept = lines.iter().filter_map(|line| match line {
            DiffLine::Same(line) => Some(line),
            DiffLine::Removed(line) => first.then_some(line),
            DiffLine::Added(line) => (!first).then_some(line),
        });
        kept.flatten().copied().collect()
    }

    #[test]
    fn both_sides_come_back_and_common_lines_are_kept() {
        let cases: [(&[u8], &[u8], usize); 5] = [
            (b"", b"", 0),
            (b"a\nb\nc\n", b"a\nx\nc\n", 2),
            (b"a\nb\nc\nd", b"b\nc\nd", 3),
            (b"", b"new\n", 0),
            (b"q\na\nb\nz\n", b"r\na\ny\nb\nw\n", 2),
        ];
        for (from, to, same) in cases {
            let lines = diff_lines(from, to);
            assert_eq!(side(&lines, true), from);
            assert_eq!(side(&lines, false), to);
            let kept = lines
                .iter()
                .filter(|line| matches!(line, DiffLine::Same(_)))
                .count();
            assert_eq!(kept, same);
        }
    }
}

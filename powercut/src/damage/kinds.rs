// SPDX-License-Identifier: Apache-2.0
//! Kinds of files and parts of files, and where in a store they are.

use std::ops::Range;

use femtoclaw_ledger::journal::FRAME_HEADER_LEN;

use super::fault::Target;
use super::store::{Bytes, Store};

/// Of what is preallocated in a log, so much is aimed at.
const UNUSED: u64 = 64 << 10;
/// A part of a table, by the names of its sections.
const PARTS: [(&str, &[&str]); 3] = [
    ("data", &["data"]),
    ("index", &["index", "tli"]),
    ("bloom filter", &["filter", "filter_tli"]),
];

/// A kind of file, or a part of one.
pub(super) struct Kind {
    pub(super) label: String,
    pub(super) store: usize,
    pub(super) targets: Vec<Target>,
}

/// Of a log what is not preallocated.
fn whole(name: &str, bytes: &Bytes) -> Target {
    let end = match name.ends_with(".jnl") {
        true => bytes.used.len() as u64,
        false => bytes.length,
    };
    Target {
        path: name.to_owned(),
        range: 0..end,
    }
}

/// Every kind that a store has files of, except what `wanted` leaves out.
pub(super) fn kinds(index: usize, store: &Store, wanted: fn(&str) -> bool) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = Vec::new();
    let mut add = |label: String, target: Target| {
        if !wanted(&label) {
            return;
        }
        match kinds.iter_mut().find(|kind| kind.label == label) {
            Some(kind) => kind.targets.push(target),
            None => kinds.push(Kind {
                label,
                store: index,
                targets: vec![target],
            }),
        }
    };
    for (name, bytes) in &store.files {
        let (top, file) = (
            name.split_once('/').map_or("", |it| it.0),
            name.rsplit_once('/').map_or(name.as_str(), |it| it.1),
        );
        if name.contains("/tables/") {
            for (part, range) in parts(&bytes.whole()) {
                let target = Target {
                    path: name.clone(),
                    range,
                };
                add(format!("{top}: table, {part}"), target);
            }
            continue;
        }
        let label = match (top, file) {
            ("snapshots" | "quarantine", _) => format!("{top}/"),
            ("", file) => file.to_owned(),
            (top, file) if file.ends_with(".jnl") => {
                let label = format!("{top}: write-ahead log, {}", age(store, name));
                let unused =
                    bytes.used.len() as u64..bytes.length.min(bytes.used.len() as u64 + UNUSED);
                if !unused.is_empty() {
                    let path = name.clone();
                    let range = unused;
                    add(format!("{label}, unused end"), Target { path, range });
                }
                label
            }
            (top, "manifest.json") => format!("{top}: manifest"),
            (top, file) if file.ends_with(".segment") => format!("{top}: segment"),
            (top, file) if file.ends_with(".spill") => format!("{top}: spilled"),
            (top, "current") => format!("{top}: current"),
            (top, file) if is_manifest(file) => {
                format!("{top}: manifest, {}", standing(store, name))
            }
            (top, file) => format!("{top}: {file}"),
        };
        add(label, whole(name, bytes));
    }
    kinds
}

fn is_manifest(file: &str) -> bool {
    let number = file.strip_prefix('v');
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|it| it.is_ascii_digit()))
}

/// A manifest that `current` no longer names: the engine removes it when it opens.
pub(super) fn is_superseded(store: &Store, name: &str) -> bool {
    let file = name.rsplit_once('/').map_or(name, |it| it.1);
    is_manifest(file) && standing(store, name) == "older"
}

/// Whether `current` names it.
fn standing(store: &Store, name: &str) -> &'static str {
    let (directory, file) = name.rsplit_once('/').unwrap_or(("", name));
    let current = store.files.get(&format!("{directory}/current"));
    let number = current.map_or(Vec::new(), Bytes::whole);
    let number = number.first_chunk::<8>().map(|it| u64::from_le_bytes(*it));
    match number == file[1..].parse().ok() {
        true => "in force",
        false => "older",
    }
}

fn age(store: &Store, name: &str) -> &'static str {
    let number =
        |name: &str| -> Option<u64> { name.rsplit_once('/')?.1.strip_suffix(".jnl")?.parse().ok() };
    let directory = name.rsplit_once('/').map(|it| it.0);
    let beside = store.files.keys().filter(|other| {
        other.ends_with(".jnl") && other.rsplit_once('/').map(|it| it.0) == directory
    });
    match beside.filter_map(|it| number(it)).max() == number(name) {
        true => "newest file",
        false => "older file",
    }
}

/// The sections of a table; what is in none of them is *the rest*.
fn parts(bytes: &[u8]) -> Vec<(&'static str, Range<u64>)> {
    let mut found = Vec::new();
    let mut rest = 0;
    for (name, range) in sections(bytes).unwrap_or_default() {
        let part = PARTS.iter().find(|part| part.1.contains(&name.as_str()));
        if let Some(part) = part {
            rest = rest.max(range.end);
            if !range.is_empty() {
                found.push((part.0, range));
            }
        }
    }
    found.push(("the rest", rest..bytes.len() as u64));
    found
}

/// As `src/database/structure.rs` has it: `TOC!`, count, per section position, length, name.
fn sections(archive: &[u8]) -> Option<Vec<(String, Range<u64>)>> {
    fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
        let (head, rest) = bytes.split_first_chunk::<N>()?;
        *bytes = rest;
        Some(*head)
    }
    let (_, places) = archive.split_last_chunk::<16>()?;
    let place = u64::from_le_bytes(*places.first_chunk::<8>()?);
    let mut rest = archive.get(place as usize..)?.strip_prefix(b"TOC!")?;
    let mut sections = Vec::new();
    for _ in 0..u32::from_le_bytes(take(&mut rest)?) {
        let start = u64::from_le_bytes(take(&mut rest)?);
        let length = u64::from_le_bytes(take(&mut rest)?);
        let name = u16::from_le_bytes(take(&mut rest)?);
        let (name, after) = rest.split_at_checked(usize::from(name))?;
        rest = after;
        let name = String::from_utf8_lossy(name).into_owned();
        sections.push((name, start..start + length));
    }
    Some(sections)
}

/// One whole frame somewhere in the middle of a file, and where it lies in the log a whole batch.
pub(super) fn frame(store: &Store, is_wanted: fn(&str) -> bool, is_log: bool) -> Option<Target> {
    let found = frames(store, is_wanted, is_log);
    // Not the newest: a frame between others, and not a large one.
    let middle = found.len() / 2;
    let mut near: Vec<_> = found
        .into_iter()
        .skip(middle.saturating_sub(5))
        .take(9)
        .collect();
    near.sort_by_key(|target| target.range.end - target.range.start);
    near.into_iter().next()
}

fn frames(store: &Store, is_wanted: fn(&str) -> bool, is_log: bool) -> Vec<Target> {
    /// Of a batch with one item under a key of 8 bytes: see `src/database/batch.rs`.
    const BEFORE: u64 = 13 + 21 + 8;
    const AFTER: u64 = 13;
    let (before, after) = if is_log { (BEFORE, AFTER) } else { (0, 0) };
    let mut found = Vec::new();
    for (name, bytes) in store.files.iter().filter(|(name, _)| is_wanted(name)) {
        for range in frames_in(&bytes.used) {
            let (start, end) = (range.start as u64, range.end as u64 + after);
            if start >= before && end <= bytes.length {
                found.push(Target {
                    path: name.clone(),
                    range: start - before..end,
                });
            }
        }
    }
    found
}

/// Where frames are, by their magic and the lengths in their headers.
pub(super) fn frames_in(bytes: &[u8]) -> Vec<Range<usize>> {
    const MAGIC: &[u8] = b"FCLFRAME";
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = bytes.get(at..).and_then(|rest| place(rest, MAGIC)) {
        at += next;
        let number = |from: usize, to: usize| -> usize {
            let part = bytes.get(at + from..at + to).unwrap_or_default();
            let digits = part.iter().rev();
            digits.fold(0, |all, byte| all << 8 | usize::from(*byte))
        };
        let end = number(52, 56).checked_add(number(56, 64));
        let end = end.and_then(|length| length.checked_add(at + FRAME_HEADER_LEN));
        match end.filter(|end| *end <= bytes.len()) {
            Some(end) => {
                found.push(at..end);
                at = end;
            }
            None => at += MAGIC.len(),
        }
    }
    found
}

fn place(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let mut windows = bytes.windows(wanted.len());
    windows.position(|window| window == wanted)
}

/// The last batch of the journal's log, and the number of this store.
pub(super) fn newest(store: &Store) -> Option<(usize, Target)> {
    let all = frames(
        store,
        |name| name.starts_with("journal/") && name.ends_with(".jnl"),
        true,
    );
    let target = all.into_iter().max_by_key(|target| target.range.start)?;
    Some((2, target))
}

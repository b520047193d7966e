// SPDX-License-Identifier: Apache-2.0
//! Which of the frames that were found are the history.
//!
//! A frame in its right place is the engine's word. One that was found by searching may be bytes that
//! somebody put into a payload to look like a frame, so it counts only where the chain leads from it to
//! something that nobody could have known before: a frame in its right place, or the anchor's claim.

use super::finding::{Finding, FindingKind, JournalFindings};
use super::gather::{Candidate, genesis};
use crate::database::offline_reader::BytesPlace;
use crate::events::Seq;
use crate::journal::{AfterClose, Closes, EpochStretch};

/// How good a continuation is: better is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Worth {
    anchored: bool,
    vouched: bool,
    end: u64,
    place: BytesPlace,
}

struct Links {
    worth: Vec<Worth>,
    next: Vec<Option<usize>>,
}

/// Where a damaged history stops, though it went on.
///
/// Example: [`read_only`](crate::read_only).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalStop {
    /// The first record that is not part of it though one was.
    pub first_lost: u64,
    /// Why, for a person.
    pub because: String,
}

/// What was decided.
#[derive(Debug, Default)]
pub(super) struct Selection {
    /// The frames that can be shown, in order, none of them overlapping.
    pub(super) shown: Vec<Candidate>,
    /// How many of them, from the first on, are one history that verifies and is vouched for.
    pub(super) verified: usize,
    /// All others.
    pub(super) aside: Vec<Candidate>,
    /// Where the history stops, as long as there is something after it.
    pub(super) stop: Option<JournalStop>,
}

/// The frames that begin with record `first`.
fn beginning(candidates: &[Candidate], first: u64) -> std::ops::Range<usize> {
    let start = candidates.partition_point(|candidate| candidate.first < first);
    let end = candidates.partition_point(|candidate| candidate.first <= first);
    start..end
}

fn link(candidates: &[Candidate], anchor: Option<(u64, u64)>) -> Links {
    let mut links = Links {
        worth: Vec::new(),
        next: vec![None; candidates.len()],
    };
    // Back to front: a frame's worth is that of the best one that follows it.
    let mut worth = vec![None; candidates.len()];
    for index in (0..candidates.len()).rev() {
        let Some(candidate) = candidates.get(index) else {
            continue;
        };
        let is_anchored = Some((candidate.last, candidate.hash)) == anchor;
        let mut own = Worth {
            anchored: is_anchored,
            vouched: is_anchored || candidate.place == BytesPlace::Right,
            end: candidate.last,
            place: candidate.place,
        };
        let following = beginning(candidates, candidate.last + 1);
        let following = following.filter(|next| follows(candidates, *next, candidate.hash));
        let best = following.max_by_key(|next| worth.get(*next).copied().flatten());
        let then: Option<Worth> = best.and_then(|best| worth.get(best).copied().flatten());
        if let Some(then) = then {
            own.anchored |= then.anchored;
            own.vouched |= then.vouched;
            own.end = then.end;
        }
        if let (Some(slot), Some(next)) = (worth.get_mut(index), links.next.get_mut(index)) {
            *slot = Some(own);
            *next = best;
        }
    }
    links.worth = worth.into_iter().flatten().collect();
    links
}

fn follows(candidates: &[Candidate], index: usize, hash: u64) -> bool {
    let candidate = candidates.get(index);
    candidate.is_some_and(|candidate| candidate.whole && candidate.previous == hash)
}

/// Decides. `candidates` are sorted by their first record.
pub(super) fn select(
    candidates: &[Candidate],
    anchor: Option<(u64, u64)>,
    findings: &mut JournalFindings,
) -> Selection {
    let links = link(candidates, anchor);
    let worth = |index: usize| links.worth.get(index).copied();
    let mut selection = Selection::default();
    let (mut seq, mut hash) = (0, genesis());
    loop {
        let following =
            beginning(candidates, seq + 1).filter(|next| follows(candidates, *next, hash));
        let following: Vec<usize> = following.collect();
        let rivals = following.iter().filter_map(|next| candidates.get(*next));
        forked(
            rivals.filter(|rival| rival.place == BytesPlace::Right),
            findings,
        );
        let best = following.into_iter().max_by_key(|next| worth(*next));
        let vouched = best.filter(|best| worth(*best).is_some_and(|worth| worth.vouched));
        let Some(candidate) = vouched.and_then(|at| candidates.get(at)) else {
            break;
        };
        selection.shown.push(*candidate);
        (seq, hash) = (candidate.last, candidate.hash);
    }
    selection.verified = selection.shown.len();
    behind(candidates, &links, seq, hash, &mut selection, findings);
    let forged = after_close(&mut selection, findings);
    let before = selection.verified.checked_sub(1);
    let last = before.and_then(|last| selection.shown.get(last));
    let verified_to = last.map_or(0, |last| last.last);
    selection.stop = match forged {
        Some(after) => Some(JournalStop {
            first_lost: verified_to + 1,
            because: after.to_string(),
        }),
        None => stop(candidates, &selection, verified_to, anchor),
    };
    let history = selection.shown.get(..selection.verified);
    selection.aside = aside(candidates, history.unwrap_or_default());
    selection
}

/// Tells what lies behind a close in its epoch. The history stops before the first such frame; gives what
/// is in it where nothing else has stopped it before.
fn after_close(selection: &mut Selection, findings: &mut JournalFindings) -> Option<AfterClose> {
    let (mut closes, mut stops) = (Closes::default(), None);
    for (at, frame) in selection.shown.iter().enumerate() {
        let seq = |seq| Seq::new(seq).unwrap_or(Seq::FIRST);
        let Some(after) = closes.next(&EpochStretch {
            epoch: frame.epoch,
            first: seq(frame.first),
            last: seq(frame.last),
            close: frame.close.map(seq),
        }) else {
            continue;
        };
        let rest = selection.shown.get(at..).unwrap_or_default().iter();
        let same = rest.take_while(|other| other.epoch == frame.epoch);
        let last = same.last().map_or(frame.last, |last| last.last);
        let finding = Finding::new(FindingKind::AfterClose, after.to_string());
        findings.add(finding.records(after.found.get(), last));
        if at < selection.verified {
            selection.verified = at;
            stops = Some(after);
        }
    }
    stops
}

/// All others, each once. A damaged copy of what is whole elsewhere is told, and of no further use.
fn aside(candidates: &[Candidate], history: &[Candidate]) -> Vec<Candidate> {
    let key = |candidate: &Candidate| (candidate.first, candidate.last, candidate.hash);
    let is_history = |candidate: &Candidate| {
        let at = history.partition_point(|known| known.first < candidate.first);
        history
            .get(at)
            .is_some_and(|known| key(known) == key(candidate))
    };
    let others = candidates.iter().filter(|candidate| !is_history(candidate));
    let mut others: Vec<_> = others.copied().collect();
    others.sort_by_key(|candidate| (key(candidate), !candidate.whole));
    others.dedup_by_key(|candidate| key(candidate));
    others
}

fn forked<'a>(rivals: impl Iterator<Item = &'a Candidate>, findings: &mut JournalFindings) {
    let mut known: Option<&Candidate> = None;
    for rival in rivals {
        if known.is_some_and(|known| (known.last, known.hash) != (rival.last, rival.hash)) {
            let problem = "two frames in their right places hold different records";
            let finding = Finding::new(FindingKind::Fork, problem);
            findings.add(finding.records(rival.first, rival.last));
        }
        known = Some(rival);
    }
}

/// What can be shown behind the history: run by run, and what is missing between.
fn behind(
    candidates: &[Candidate],
    links: &Links,
    mut seq: u64,
    mut hash: u64,
    selection: &mut Selection,
    findings: &mut JournalFindings,
) {
    loop {
        let start = candidates.partition_point(|candidate| candidate.first <= seq);
        let shown = |candidate: &Candidate| candidate.place != BytesPlace::Tail;
        let Some(first) = candidates
            .iter()
            .skip(start)
            .find(|it| shown(it))
            .map(|it| it.first)
        else {
            return;
        };
        let same = beginning(candidates, first).filter(|at| candidates.get(*at).is_some_and(shown));
        let best = same.max_by_key(|at| {
            let whole = candidates.get(*at).is_some_and(|candidate| candidate.whole);
            (whole, links.worth.get(*at).copied())
        });
        let Some((mut at, mut candidate)) = best.and_then(|at| Some((at, candidates.get(at)?)))
        else {
            return;
        };
        if first > seq + 1 {
            let finding = Finding::new(FindingKind::RecordsMissing, "they are not there");
            findings.add(finding.records(seq + 1, first - 1));
        } else if candidate.previous != hash {
            let problem = "the frame does not follow the frame before";
            findings.add(Finding::new(FindingKind::Chain, problem).records(first, candidate.last));
        }
        let (from, mut unvouched) = (first, None);
        loop {
            selection.shown.push(*candidate);
            (seq, hash) = (candidate.last, candidate.hash);
            if candidate.whole && !links.worth.get(at).is_some_and(|worth| worth.vouched) {
                unvouched = unvouched.or(Some(candidate.first));
            }
            let next = links
                .next
                .get(at)
                .copied()
                .flatten()
                .filter(|_| candidate.whole);
            let next = next.and_then(|next| Some((next, candidates.get(next)?)));
            match next.filter(|(_, next)| shown(next)) {
                Some(next) => (at, candidate) = next,
                None => break,
            }
        }
        if let Some(first) = unvouched {
            let problem = "found by searching behind damage, and nothing vouches for them";
            let finding = Finding::new(FindingKind::Unconfirmed, problem);
            findings.add(finding.records(first.max(from), seq));
        }
    }
}

/// Why the history stops where it does, where it is known to have gone on.
fn stop(
    candidates: &[Candidate],
    selection: &Selection,
    seq: u64,
    anchor: Option<(u64, u64)>,
) -> Option<JournalStop> {
    let next = selection.shown.get(selection.verified);
    let damaged = beginning(candidates, seq + 1)
        .filter_map(|at| candidates.get(at))
        .any(|candidate| !candidate.whole);
    let why = match next {
        _ if damaged => "it does not verify",
        Some(next) if next.first > seq + 1 => "it is missing",
        Some(next) if next.whole => "it does not follow, or nothing vouches for it",
        Some(_) => "it does not verify",
        None if anchor.is_some_and(|(claimed, _)| claimed > seq) => {
            "it was acknowledged and is missing"
        }
        None => return None,
    };
    Some(JournalStop {
        first_lost: seq + 1,
        because: why.to_owned(),
    })
}

// SPDX-License-Identifier: Apache-2.0
//! A frame as a whole: everything that can be checked of it by itself, without copying a record.

use super::error::{FrameProblem, ReadFailure};
use super::frame::{Frame, chain};
use crate::events::{EventType, HEADER_LEN, Hash, RecordHeader, Seq};
use crate::integrity::ABREAST;

/// What a record hash covers: the hash before it, the header, and what ends it.
const LINKED_LEN: usize = 32 + HEADER_LEN;

/// What records and payloads hash to, for as many at a time as go side by side.
struct Hashed {
    linked: [[u8; LINKED_LEN]; ABREAST],
    records: [Hash; ABREAST],
    payloads: [Hash; ABREAST],
}

impl Hashed {
    fn new() -> Box<Self> {
        Box::new(Self {
            // What ends them stays as it is.
            linked: [[0; LINKED_LEN]; ABREAST],
            records: [[0; 32]; ABREAST],
            payloads: [[0; 32]; ABREAST],
        })
    }

    /// The hashes that the records of `frame` from this one on should have.
    fn fill(&mut self, frame: &Frame, from: usize) {
        let count = (frame.count as usize).saturating_sub(from).min(ABREAST);
        let mut salted = [[].as_slice(); ABREAST];
        // Each is held against what the table says of the one before, whatever is found there.
        let before = from.checked_sub(1).and_then(|before| frame.entry(before));
        let mut previous = before.map_or(frame.previous, |entry| entry.hash);
        let places = self.linked.iter_mut().zip(&mut salted);
        for (index, (linked, salted)) in (from..).zip(places).take(count) {
            // Without its bytes it is damaged: its place is kept, and nothing asks for its hash.
            let Some(parts) = frame.parts(index) else {
                previous = frame.entry(index).map_or(previous, |entry| entry.hash);
                continue;
            };
            link(linked, &previous, parts.header);
            (*salted, previous) = (parts.salted, parts.hash);
        }
        let linked = self.linked.each_ref().map(<[u8; LINKED_LEN]>::as_slice);
        chain().record_hashes(linked.get(..count).unwrap_or_default(), &mut self.records);
        chain().payload_commitments(salted.get(..count).unwrap_or_default(), &mut self.payloads);
    }

    fn at(&self, index: usize) -> Option<(&Hash, &Hash)> {
        self.records.get(index).zip(self.payloads.get(index))
    }
}

/// A record whose bytes are what was written.
pub(crate) struct Looked<'frame> {
    pub(crate) event_type: EventType,
    pub(crate) time_ns: i64,
    /// The header's canonical bytes, which [`RecordHeader::decode`] takes.
    pub(crate) canonical: &'frame [u8],
    pub(crate) payload: &'frame [u8],
}

fn link(input: &mut [u8; LINKED_LEN], previous: &Hash, header: &[u8]) {
    if let Some((before, rest)) = input.split_first_chunk_mut()
        && let Some(place) = rest.get_mut(..header.len())
    {
        *before = *previous;
        place.copy_from_slice(header);
    }
}

impl Frame {
    /// Checks everything: checksums, offsets, chain, times, commitments.
    ///
    /// # Errors
    /// [`ReadFailure::Damaged`] names the first bad record.
    pub fn verify(&self) -> Result<(), ReadFailure> {
        let mut first = None;
        self.look(&mut |seq, looked| {
            if let (None, Err(problem)) = (&first, looked) {
                first = Some(ReadFailure::damaged(seq, problem));
            }
        });
        first.map_or(Ok(()), Err)
    }

    /// As [`Frame::verify`]; tells of every record in order, also after a bad one. What is wrong with
    /// the frame and with none of its records is told of the first once more.
    pub(crate) fn look<'frame>(
        &'frame self,
        tell: &mut dyn FnMut(Seq, Result<Looked<'frame>, FrameProblem>),
    ) {
        let (mut offset, mut time_ns) = (0, self.first_time_ns);
        let (mut sound, mut hashed) = (true, Hashed::new());
        for (index, seq) in (self.first.get()..=self.last_seq().get()).enumerate() {
            let seq = Seq::new(seq).unwrap_or(Seq::FIRST);
            if index % ABREAST == 0 {
                hashed.fill(self, index);
            }
            let entry = self.entry(index);
            let placed = entry.filter(|entry| entry.offset == offset);
            let looked = match placed {
                Some(_) => self.whole(index, seq, hashed.at(index % ABREAST)),
                None => Err(FrameProblem::Table),
            };
            let looked = looked.and_then(|looked| {
                let found_ns = looked.time_ns;
                let starts_right = index > 0 || found_ns == self.first_time_ns;
                let ends_right =
                    seq.get() != self.last_seq().get() || found_ns == self.last.time_ns;
                match found_ns >= time_ns && starts_right && ends_right {
                    true => Ok(looked),
                    false => Err(FrameProblem::Time),
                }
            });
            offset = entry.map_or(offset, |entry| entry.offset.saturating_add(entry.length));
            time_ns = looked.as_ref().map_or(time_ns, |looked| looked.time_ns);
            sound &= looked.is_ok();
            tell(seq, looked);
        }
        if sound && (offset != self.body().len() || !self.is_body_intact()) {
            tell(self.first, Err(FrameProblem::BodyChecksum));
        }
    }

    /// What of the header nobody asks for is not copied out of it.
    fn whole(
        &self,
        index: usize,
        seq: Seq,
        hashed: Option<(&Hash, &Hash)>,
    ) -> Result<Looked<'_>, FrameProblem> {
        let parts = self.parts(index).ok_or(FrameProblem::Table)?;
        let (hash, commitment) = hashed.ok_or(FrameProblem::Table)?;
        // Hash before structure: what was tampered with is not interpreted.
        if *hash != parts.hash {
            return Err(FrameProblem::RecordHash);
        }
        let header = RecordHeader::decode(parts.header)?;
        if header.seq != seq {
            return Err(FrameProblem::Seq {
                found: header.seq.get(),
            });
        }
        if header.payload_len as usize != parts.payload.len() {
            return Err(FrameProblem::Table);
        }
        if *commitment != header.payload_commitment {
            return Err(FrameProblem::Commitment);
        }
        Ok(Looked {
            event_type: header.event_type,
            time_ns: header.time_ns,
            canonical: parts.header,
            payload: parts.payload,
        })
    }
}

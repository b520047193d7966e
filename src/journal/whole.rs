//! A frame as a whole: everything that can be checked of it by itself, without copying a record.

use super::error::{Problem, ReadFailure};
use super::frame::{Frame, chain};
use crate::events::{HEADER_LEN, Hash, RecordHeader, Seq};

/// Records that are hashed side by side: many of one length among them.
const ABREAST: usize = 128;
/// What a record hash covers: the hash before it and the header.
const LINKED_LEN: usize = 32 + HEADER_LEN;

/// What records and payloads hash to.
#[derive(Default)]
struct Hashed {
    records: Vec<Hash>,
    payloads: Vec<Hash>,
}

impl Hashed {
    fn at(&self, index: usize) -> Option<(Hash, Hash)> {
        let record = self.records.get(index)?;
        self.payloads.get(index).map(|payload| (*record, *payload))
    }
}

/// A record whose bytes are what was written.
pub(crate) struct Looked<'frame, 'look> {
    pub(crate) header: &'look RecordHeader,
    /// The header's canonical bytes.
    pub(crate) canonical: &'frame [u8],
    pub(crate) payload: &'frame [u8],
}

fn link(input: &mut [u8; LINKED_LEN], previous: &Hash, header: &[u8]) {
    let (before, rest) = input.split_at_mut(previous.len());
    before.copy_from_slice(previous);
    if rest.len() == header.len() {
        rest.copy_from_slice(header);
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
        tell: &mut dyn FnMut(Seq, Result<Looked<'frame, '_>, Problem>),
    ) {
        let (mut offset, mut time_ns) = (0, self.first_time_ns);
        let (mut sound, mut hashed) = (true, Hashed::default());
        for (index, seq) in (self.first.get()..=self.last.seq).enumerate() {
            let seq = Seq::new(seq).unwrap_or(Seq::FIRST);
            if index % ABREAST == 0 {
                hashed = self.hashed(index);
            }
            let entry = self.entry(index);
            let placed = entry.filter(|entry| entry.offset == offset);
            let mut header = None;
            let looked = match placed {
                Some(_) => self.whole(index, seq, hashed.at(index % ABREAST), &mut header),
                None => Err(Problem::Table),
            };
            let looked = looked.and_then(|looked| {
                let found_ns = looked.header.time_ns;
                let starts_right = index > 0 || found_ns == self.first_time_ns;
                let ends_right = seq.get() != self.last.seq || found_ns == self.last.time_ns;
                match found_ns >= time_ns && starts_right && ends_right {
                    true => Ok(looked),
                    false => Err(Problem::Time),
                }
            });
            offset = entry.map_or(offset, |entry| entry.offset.saturating_add(entry.length));
            time_ns = looked
                .as_ref()
                .map_or(time_ns, |looked| looked.header.time_ns);
            sound &= looked.is_ok();
            tell(seq, looked);
        }
        if sound && (offset != self.body().len() || !self.is_body_intact()) {
            tell(self.first, Err(Problem::BodyChecksum));
        }
    }

    /// The hashes that the records from this one on should have, as many as go side by side.
    fn hashed(&self, from: usize) -> Hashed {
        let count = (self.count as usize).saturating_sub(from).min(ABREAST);
        let mut linked = vec![[0; LINKED_LEN]; count];
        let mut salted = Vec::with_capacity(count);
        // Each is held against what the table says of the one before, whatever is found there.
        let before = from.checked_sub(1).and_then(|before| self.entry(before));
        let mut previous = before.map_or(self.previous, |entry| entry.hash);
        for (index, input) in (from..).zip(&mut linked) {
            // Without its bytes it is damaged: its place is kept, and nothing asks for its hash.
            let parts = self.parts(index);
            let header = parts.as_ref().map_or([].as_slice(), |parts| parts.header);
            link(input, &previous, header);
            salted.push(parts.map_or([].as_slice(), |parts| parts.salted));
            previous = self.entry(index).map_or(previous, |entry| entry.hash);
        }
        let linked: Vec<&[u8]> = linked.iter().map(<[u8; LINKED_LEN]>::as_slice).collect();
        Hashed {
            records: chain().record_hashes(&linked),
            payloads: chain().payload_commitments(&salted),
        }
    }

    fn whole<'frame, 'look>(
        &'frame self,
        index: usize,
        seq: Seq,
        hashed: Option<(Hash, Hash)>,
        header: &'look mut Option<RecordHeader>,
    ) -> Result<Looked<'frame, 'look>, Problem> {
        let parts = self.parts(index).ok_or(Problem::Table)?;
        let (hash, commitment) = hashed.ok_or(Problem::Table)?;
        // Hash before structure: what was tampered with is not interpreted.
        if hash != parts.hash {
            return Err(Problem::RecordHash);
        }
        let header = header.insert(RecordHeader::decode(parts.header)?);
        if header.seq != seq {
            return Err(Problem::Seq {
                found: header.seq.get(),
            });
        }
        if header.payload_len as usize != parts.payload.len() {
            return Err(Problem::Table);
        }
        if commitment != header.payload_commitment {
            return Err(Problem::Commitment);
        }
        Ok(Looked {
            header,
            canonical: parts.header,
            payload: parts.payload,
        })
    }
}

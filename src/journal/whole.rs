//! A frame as a whole: everything that can be checked of it by itself, without copying a record.

use super::error::{Problem, ReadFailure};
use super::frame::{Frame, chain};
use crate::events::{Hash, RecordHeader, Seq};

/// A record whose bytes are what was written.
pub(crate) struct Looked<'a> {
    pub(crate) header: RecordHeader,
    /// The header's canonical bytes.
    pub(crate) canonical: &'a [u8],
    pub(crate) payload: &'a [u8],
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
    pub(crate) fn look(&self, tell: &mut dyn FnMut(Seq, Result<Looked<'_>, Problem>)) {
        let (mut offset, mut time_ns) = (0, self.first_time_ns);
        let (mut previous, mut sound) = (self.previous, true);
        for (index, seq) in (self.first.get()..=self.last.seq).enumerate() {
            let seq = Seq::new(seq).unwrap_or(Seq::FIRST);
            let entry = self.entry(index);
            let placed = entry.filter(|entry| entry.offset == offset);
            let looked = match placed {
                Some(_) => self.whole(index, seq, &previous),
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
            // The one after it is held against what the table says, whatever was found here.
            offset = entry.map_or(offset, |entry| entry.offset.saturating_add(entry.length));
            previous = entry.map_or(previous, |entry| entry.hash);
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

    fn whole(&self, index: usize, seq: Seq, previous: &Hash) -> Result<Looked<'_>, Problem> {
        let parts = self.parts(index).ok_or(Problem::Table)?;
        // Hash before structure: what was tampered with is not interpreted.
        if chain().record_hash(previous, parts.header) != parts.hash {
            return Err(Problem::RecordHash);
        }
        let header = RecordHeader::decode(parts.header)?;
        if header.seq != seq {
            return Err(Problem::Seq {
                found: header.seq.get(),
            });
        }
        if header.payload_len as usize != parts.payload.len() {
            return Err(Problem::Table);
        }
        let commitment = chain().payload_commitment(parts.salt, parts.payload);
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

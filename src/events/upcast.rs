// SPDX-License-Identifier: Apache-2.0
//! Shown on an event that exists only here: a type gets a second revision, and what was stored in
//! the first is read as the second, through the same macro as every real event.

use serde::{Deserialize, Serialize};

use super::{CODEC_BINCODE, DecodeError, Store, StoreMask, codec};

/// Revision 1, frozen: seconds, and one line of text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NoteTakenV1 {
    text: String,
    taken_s: u32,
}

/// Revision 2: nanoseconds, lines, and who took the note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NoteTakenV2 {
    lines: Vec<String>,
    taken_ns: i64,
    author: String,
}

/// The upcaster: pure, total; what revision 1 did not know gets the value that it meant.
impl From<NoteTakenV1> for NoteTakenV2 {
    fn from(old: NoteTakenV1) -> Self {
        Self {
            lines: old.text.lines().map(str::to_owned).collect(),
            taken_ns: i64::from(old.taken_s) * 1_000_000_000,
            author: String::new(),
        }
    }
}

/// The macro's types, beside the real ones.
#[allow(
    dead_code,
    unreachable_pub,
    reason = "the macro makes more than this test uses"
)]
mod made {
    use super::{CODEC_BINCODE, DecodeError, NoteTakenV1, NoteTakenV2, Store, StoreMask, codec};

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) struct EventType(pub(super) u16);

    pub(super) trait Wire {
        const TYPE: EventType;
        const REVISION: u16;
    }

    events! {
        0x0601 NoteTaken NoteTakenV2 2 [AuditLog] know, 1 NoteTakenV1;
    }

    pub(super) fn decode(revision: u16, payload: &[u8]) -> Result<Event, DecodeError> {
        Event::decode(EventType::NoteTaken, revision, CODEC_BINCODE, payload)
    }
}

use made::{Event, decode};

/// What software of revision 1 stored: "one\ntwo", second 7. These bytes never change.
const STORED_V1: &[u8] = b"\x07one\ntwo\x07";

fn upcast() -> NoteTakenV2 {
    NoteTakenV2 {
        lines: vec!["one".into(), "two".into()],
        taken_ns: 7_000_000_000,
        author: String::new(),
    }
}

#[test]
fn the_first_revision_is_read_as_the_second() {
    let old = NoteTakenV1 {
        text: "one\ntwo".into(),
        taken_s: 7,
    };
    let mut stored = Vec::new();
    codec::encode_into(&old, &mut stored);
    assert_eq!(stored, STORED_V1);
    assert_eq!(decode(1, STORED_V1), Ok(Event::NoteTaken(upcast())));
}

#[test]
fn the_second_revision_is_written_and_read_as_itself() {
    let event = Event::from(NoteTakenV2 {
        author: "somebody".into(),
        ..upcast()
    });
    assert_eq!(event.revision(), 2);
    let mut payload = Vec::new();
    event.encode_into(&mut payload);
    assert_eq!(decode(2, &payload), Ok(event));
    // One revision's bytes are not taken for the other's.
    assert!(decode(1, &payload).is_err());
    assert!(decode(2, STORED_V1).is_err());
}

#[test]
fn a_third_revision_stays_opaque() {
    assert_eq!(decode(3, b"whatever comes"), Ok(Event::Opaque));
}

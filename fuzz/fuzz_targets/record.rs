// SPDX-License-Identifier: Apache-2.0
//! Record headers and payloads: a header is written again byte for byte, a payload so that it decodes to
//! the same (a number in more bytes than it needs is read, and never written).
#![no_main]

use femtoclaw_ledger::events::{Event, HEADER_LEN, RecordHeader};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((entry, payload)) = bytes.split_at_checked(HEADER_LEN) else {
        assert!(RecordHeader::decode(bytes).is_err());
        return;
    };
    let Ok(header) = RecordHeader::decode(entry) else {
        return;
    };
    let mut again = Vec::new();
    header.encode_into(&mut again);
    assert_eq!(again, entry);
    let (kind, revision) = (header.event_type, header.revision);
    if let Ok(event) = Event::decode(kind, revision, header.codec, payload) {
        // An older revision is written as the newest, an unknown type as it was.
        let (mut written, revision) = (Vec::new(), event.revision());
        event.encode_into(&mut written);
        let again = Event::decode(kind, revision, header.codec, &written);
        assert_eq!(again.as_ref(), Ok(&event));
    }
});

//! Signed notes and checkpoints: what is accepted is written again byte for byte.
#![no_main]

use femtoclaw_ledger::integrity::checkpoint::Checkpoint;
use femtoclaw_ledger::integrity::note::Note;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(note) = Note::parse(bytes) {
        assert_eq!(note.to_string().as_bytes(), bytes);
        if let Ok(checkpoint) = Checkpoint::parse(note.text()) {
            assert_eq!(checkpoint.text(), note.text());
        }
    }
});

// SPDX-License-Identifier: Apache-2.0
//! The disk reserve: appends stop while there is still room, and go on by themselves when there is
//! again. What came first is stopped last: new starts, then everything else, then the endings of
//! what runs. The ledger's own records are few and small, and are not stopped.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use crate::commands::Command;
use crate::error::AppendError;
use crate::events::Decision;

/// What a command is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// Begins something that will want to end.
    Start = 1,
    /// Anything else.
    Other = 2,
    /// Ends what runs: its effect has happened.
    Finish = 3,
}

impl Need {
    /// Of a group of commands, where so many of them start an execution.
    pub(crate) const fn of(finishes: bool, starts: usize) -> Self {
        match (finishes, starts) {
            (true, _) => Self::Finish,
            (false, 0) => Self::Other,
            (false, _) => Self::Start,
        }
    }
}

/// How many of these commands start an execution.
pub(crate) fn starts(commands: &[Command]) -> usize {
    let starts = commands.iter().filter(|command| match command.parts().0 {
        Command::Start(_) | Command::StartApproved(_) => true,
        Command::Begin(request) => request.decision == Decision::Authorized,
        _ => false,
    });
    starts.count()
}

/// How much is kept free, and what that leaves.
pub(crate) struct Reserve {
    bytes: u64,
    free: AtomicU64,
    /// Needs up to this one are refused; 0: none.
    refused: AtomicU8,
}

impl Reserve {
    /// Keeps so many bytes free; 0: none, and nothing is ever refused.
    pub(crate) fn new(bytes: u64) -> Self {
        Self {
            bytes,
            free: AtomicU64::new(u64::MAX),
            refused: AtomicU8::new(0),
        }
    }

    /// Below this much room a need is refused.
    const fn floor(&self, need: Need) -> u64 {
        match need {
            Need::Start => self.bytes,
            Need::Other => self.bytes / 2,
            Need::Finish => self.bytes / 8,
        }
    }

    /// Takes note of the room there is. Commands are allowed again when there is a sixteenth more
    /// than they need, so that the state does not flutter.
    pub(crate) fn observe(&self, free: u64) {
        self.free.store(free, Ordering::Relaxed);
        let before = self.refused.load(Ordering::Acquire);
        let mut refused = 0;
        for need in [Need::Start, Need::Other, Need::Finish] {
            let was_refused = need as u8 <= before;
            let margin = if was_refused { self.bytes / 16 } else { 0 };
            if free < self.floor(need).saturating_add(margin) {
                refused = need as u8;
            }
        }
        self.refused.store(refused, Ordering::Release);
        match (before, refused) {
            (0, 1..) => tracing::error!(free, reserve = self.bytes, "the disk reserve is reached"),
            (1.., 0) => tracing::warn!(free, reserve = self.bytes, "there is room again"),
            _ => {}
        }
    }

    pub(crate) fn admit(&self, need: Need) -> Result<(), AppendError> {
        if need as u8 > self.refused.load(Ordering::Acquire) {
            return Ok(());
        }
        Err(AppendError::DiskReserve {
            free: self.free.load(Ordering::Relaxed),
            reserve: self.bytes,
        })
    }

    /// What is wrong, where something is.
    pub(crate) fn complaint(&self) -> Option<String> {
        let refused = self.refused.load(Ordering::Acquire);
        let free = self.free.load(Ordering::Relaxed);
        (refused > 0).then(|| format!("disk reserve: {free} bytes free, {} wanted", self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_stop_first_and_endings_last_and_all_come_back_with_a_margin() {
        let reserve = Reserve::new(1_600);
        let admitted = |free| {
            reserve.observe(free);
            let needs = [Need::Start, Need::Other, Need::Finish];
            needs.map(|need| reserve.admit(need).is_ok())
        };
        assert_eq!(admitted(1_600), [true, true, true]);
        assert_eq!(admitted(1_599), [false, true, true]);
        assert_eq!(admitted(800), [false, true, true]);
        assert_eq!(admitted(799), [false, false, true]);
        assert_eq!(admitted(200), [false, false, true]);
        assert_eq!(admitted(199), [false, false, false]);
        assert!(reserve.complaint().unwrap().contains("199"));
        assert_eq!(admitted(299), [false, false, false]);
        assert_eq!(admitted(300), [false, false, true]);
        assert_eq!(admitted(899), [false, false, true]);
        assert_eq!(admitted(900), [false, true, true]);
        assert_eq!(admitted(1_699), [false, true, true]);
        assert_eq!(admitted(1_700), [true, true, true]);
        assert_eq!(reserve.complaint(), None);
        let off = Reserve::new(0);
        off.observe(0);
        assert!(off.admit(Need::Start).is_ok());
    }
}

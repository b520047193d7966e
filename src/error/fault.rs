// SPDX-License-Identifier: Apache-2.0
//! What an error says about the bytes that were asked for: the one place where that is decided.
//!
//! Damage is a statement about bytes that came. An error that came in their place says nothing of
//! them, and nothing is called damaged, set aside or recorded for it.

use std::error::Error;
use std::io;

use rustix::io::Errno;

/// What went wrong where something should have been read or written.
///
/// Example: `tests/system/descriptors.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Fault {
    /// The medium answered, and the bytes are not those that were written: too few, or others.
    Bytes,
    /// The system refused: descriptors, memory, rights, room, an interruption. The same call succeeds
    /// once that is put right.
    System,
    /// The medium did not answer (an I/O error), or nobody can tell why: the bytes may be whole.
    Unknown,
}

/// The system's refusals: none of them has looked at a byte.
const REFUSALS: [Errno; 25] = [
    // No room for one more of something.
    Errno::MFILE,
    Errno::NFILE,
    Errno::NOMEM,
    Errno::AGAIN,
    Errno::NOBUFS,
    Errno::NOLCK,
    // No right to it.
    Errno::ACCESS,
    Errno::PERM,
    Errno::ROFS,
    // No room for the bytes.
    Errno::NOSPC,
    Errno::DQUOT,
    Errno::FBIG,
    // Come again.
    Errno::INTR,
    Errno::BUSY,
    Errno::TXTBSY,
    Errno::TIMEDOUT,
    Errno::CANCELED,
    Errno::DEADLK,
    // Nothing is mounted there, or it is not what it was.
    Errno::STALE,
    Errno::NOTCONN,
    Errno::SHUTDOWN,
    Errno::HOSTDOWN,
    Errno::HOSTUNREACH,
    Errno::NETDOWN,
    Errno::NETUNREACH,
];

impl Fault {
    /// What this error says. A file that is not there is *unknown*: whether it must be there is known
    /// where it was looked for.
    #[must_use]
    pub fn of(error: &io::Error) -> Self {
        if let Some(code) = error.raw_os_error() {
            return match REFUSALS.iter().any(|known| known.raw_os_error() == code) {
                true => Self::System,
                false => Self::Unknown,
            };
        }
        if let Some(inner) = error.get_ref().and_then(|inner| io_error(inner)) {
            return Self::of(inner);
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => Self::Bytes,
            io::ErrorKind::PermissionDenied
            | io::ErrorKind::OutOfMemory
            | io::ErrorKind::Interrupted
            | io::ErrorKind::WouldBlock
            | io::ErrorKind::TimedOut
            | io::ErrorKind::ResourceBusy
            | io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge
            | io::ErrorKind::ReadOnlyFilesystem => Self::System,
            _ => Self::Unknown,
        }
    }

    /// A stable word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::System => "refused",
            Self::Unknown => "unknown",
        }
    }
}

/// The operating system's error within another one, by its type: no text is read.
pub(crate) fn io_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    let mut source = Some(error);
    while let Some(error) = source {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(io);
        }
        source = error.source();
    }
    None
}

/// The same error once more: as the system's number, where it has one.
pub(crate) fn again(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

crate::events::readable::words::spoken!(Fault);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_of_the_system_and_a_silent_medium_say_nothing_of_the_bytes() {
        let of = |errno: Errno| Fault::of(&io::Error::from_raw_os_error(errno.raw_os_error()));
        for refused in REFUSALS {
            assert_eq!(of(refused), Fault::System, "{refused}");
        }
        for unknown in [Errno::IO, Errno::NXIO, Errno::NOENT, Errno::UCLEAN] {
            assert_eq!(of(unknown), Fault::Unknown, "{unknown}");
        }
        for (kind, fault) in [
            (io::ErrorKind::UnexpectedEof, Fault::Bytes),
            (io::ErrorKind::InvalidData, Fault::Bytes),
            (io::ErrorKind::OutOfMemory, Fault::System),
            (io::ErrorKind::Other, Fault::Unknown),
            (io::ErrorKind::NotFound, Fault::Unknown),
        ] {
            assert_eq!(Fault::of(&kind.into()), fault, "{kind}");
        }
    }

    #[test]
    fn what_wraps_an_error_is_looked_through_and_its_text_is_not_read() {
        let inner = io::Error::from_raw_os_error(Errno::MFILE.raw_os_error());
        assert_eq!(Fault::of(&io::Error::other(inner)), Fault::System);
        let text = io::Error::other("Too many open files (os error 24)");
        assert_eq!(Fault::of(&text), Fault::Unknown);
    }
}

// SPDX-License-Identifier: Apache-2.0
//! What an error of the engine says about the bytes.

use std::io;

use crate::error::{Fault, io_error};

/// What this error says. A stopped engine does not say why it stopped.
pub(crate) fn fault(error: &fjall::Error) -> Fault {
    if let Some(io) = io_error(error) {
        return Fault::of(io);
    }
    match error {
        fjall::Error::Locked | fjall::Error::KeyspaceDeleted => Fault::System,
        fjall::Error::Poisoned | fjall::Error::Io(_) => Fault::Unknown,
        _ => Fault::Bytes,
    }
}

/// The operating system's error within it.
pub(super) fn system_error(error: &fjall::Error) -> Option<&io::Error> {
    io_error(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_errors_are_told_apart_by_what_they_wrap() {
        let lsm = |error| fjall::Error::Storage(fjall::LsmError::Io(error));
        let os = |number| io::Error::from_raw_os_error(number);
        let (files, input, rights) = (24, 5, 13);
        for (error, expected) in [
            (lsm(os(files)), Fault::System),
            (fjall::Error::Io(os(rights)), Fault::System),
            (lsm(os(input)), Fault::Unknown),
            (lsm(io::ErrorKind::UnexpectedEof.into()), Fault::Bytes),
            (fjall::Error::Poisoned, Fault::Unknown),
            (fjall::Error::InvalidTrailer, Fault::Bytes),
            (
                fjall::Error::Storage(fjall::LsmError::InvalidTrailer),
                Fault::Bytes,
            ),
        ] {
            assert_eq!(fault(&error), expected, "{error:?}");
        }
    }
}

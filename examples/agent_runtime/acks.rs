// SPDX-License-Identifier: Apache-2.0
//! Acknowledgements, kept outside the ledger: what a judge holds against it after a crash.
//!
//! The first line names the ledger; then `<command id> <first seq> <last seq>` a line, written with
//! one unbuffered `write` each, so that a SIGKILL right after it takes none of it away.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use femtoclaw_ledger::events::CommandId;

/// One acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ack {
    /// The command.
    pub(crate) command: CommandId,
    /// Its first record.
    pub(crate) first: u64,
    /// Its last record.
    pub(crate) last: u64,
}

/// Writes acknowledgements, and kills this process after the agreed number of them.
#[derive(Debug)]
pub(crate) struct Acks {
    state: Mutex<(Option<File>, u64)>,
    crash_after: Option<u64>,
}

impl Acks {
    /// Without a path they are only counted.
    pub(crate) fn open(
        path: Option<&Path>,
        ledger: &str,
        crash_after: Option<u64>,
    ) -> io::Result<Self> {
        let mut file = None;
        if let Some(path) = path {
            let mut opened = OpenOptions::new().append(true).create(true).open(path)?;
            if opened.metadata()?.len() == 0 {
                writeln!(opened, "# ledger {ledger}")?;
            }
            file = Some(opened);
        }
        Ok(Self {
            state: Mutex::new((file, 0)),
            crash_after,
        })
    }

    /// Takes one acknowledgement down. The lock orders the lines and makes *after N* exact.
    pub(crate) fn add(&self, ack: Ack) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, count) = &mut *state;
        if let Some(file) = file {
            let line = format!("{} {} {}\n", ack.command, ack.first, ack.last);
            file.write_all(line.as_bytes())?;
        }
        *count += 1;
        if Some(*count) == self.crash_after {
            io::stdout().flush()?;
            rustix::process::kill_process(
                rustix::process::getpid(),
                rustix::process::Signal::KILL,
            )?;
        }
        Ok(())
    }

    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

/// What an earlier run was acknowledged; `None` where there is no such file, or one of another
/// ledger. An unfinished last line was no acknowledgement that anybody has seen.
pub(crate) fn earlier(path: &Path, ledger: &str) -> io::Result<Option<Vec<Ack>>> {
    if !path.is_file() {
        return Ok(None);
    }
    let mut reader = BufReader::new(File::open(path)?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    if line.trim_end() != format!("# ledger {ledger}") {
        return Ok(None);
    }
    let mut acks = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        if !line.ends_with('\n') {
            return Ok(Some(acks));
        }
        let ack = parse(&line).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("not an acknowledgement: {line:?}"),
            )
        })?;
        acks.push(ack);
    }
}

fn parse(line: &str) -> Option<Ack> {
    let mut words = line.split_ascii_whitespace();
    Some(Ack {
        command: words.next()?.parse().ok()?,
        first: words.next()?.parse().ok()?,
        last: words.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_acknowledged_reads_back_for_its_own_ledger_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("acks");
        let ack = |byte, first| Ack {
            command: CommandId::from_bytes([byte; 16]),
            first,
            last: first + 3,
        };
        assert_eq!(earlier(&path, "a").unwrap(), None);
        for run in [1, 2] {
            let acks = Acks::open(Some(&path), "a", None).unwrap();
            acks.add(ack(run, u64::from(run) * 10)).unwrap();
            assert_eq!(acks.count(), 1);
        }
        let mut torn = OpenOptions::new().append(true).open(&path).unwrap();
        torn.write_all(b"0123").unwrap();
        assert_eq!(
            earlier(&path, "a").unwrap(),
            Some(vec![ack(1, 10), ack(2, 20)])
        );
        assert_eq!(earlier(&path, "b").unwrap(), None);
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Where protocol outputs come from: lines of bytes, whatever is in them.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;

use tokio::sync::mpsc;

/// The session that is used where no input is given.
pub(crate) const BUNDLED: &[u8] = include_bytes!("session.jsonl");

/// Bytes of one line; what comes after is dropped, and the line fails validation for its length.
pub(crate) const LINE_BYTES_MAX: usize = 512 << 10;

/// An input line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// From 1, over all rounds.
    pub(crate) number: u64,
    /// Without its newline.
    pub(crate) bytes: Vec<u8>,
    /// True where the line was longer than [`LINE_BYTES_MAX`].
    pub(crate) cut: bool,
}

/// Where lines are read from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// The bundled session.
    Bundled,
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl Source {
    /// Opens it once; a thread of its own reads ahead at most as far as the channel is long.
    /// (A blocked read from a terminal cannot be cancelled, so this is no task of the runtime's.)
    pub(crate) fn lines(self, repeat: u64) -> io::Result<mpsc::Receiver<io::Result<Line>>> {
        let reader = self.open()?;
        let (sender, receiver) = mpsc::channel(64);
        std::thread::Builder::new()
            .name("input".to_owned())
            .spawn(move || {
                if let Err(error) = self.feed(reader, repeat, &sender) {
                    // Without a receiver nobody waits for more lines either.
                    drop(sender.blocking_send(Err(error)));
                }
            })?;
        Ok(receiver)
    }

    fn feed(
        &self,
        mut reader: Box<dyn BufRead + Send>,
        repeat: u64,
        sender: &mpsc::Sender<io::Result<Line>>,
    ) -> io::Result<()> {
        let mut number = 0;
        for round in 1..=repeat {
            while let Some((bytes, cut)) = next_line(&mut reader)? {
                if bytes.trim_ascii().is_empty() {
                    continue;
                }
                number += 1;
                let line = Line { number, bytes, cut };
                if sender.blocking_send(Ok(line)).is_err() {
                    return Ok(());
                }
            }
            if round < repeat {
                reader = self.open()?;
            }
        }
        Ok(())
    }

    fn open(&self) -> io::Result<Box<dyn BufRead + Send>> {
        Ok(match self {
            Self::Bundled => Box::new(BUNDLED),
            Self::Stdin => Box::new(BufReader::new(io::stdin())),
            Self::File(path) => Box::new(BufReader::new(File::open(path)?)),
        })
    }
}

/// The next line without its newline and whether it was cut; `None` at the end.
fn next_line(reader: &mut impl BufRead) -> io::Result<Option<(Vec<u8>, bool)>> {
    let mut bytes = Vec::new();
    let limit = LINE_BYTES_MAX as u64 + 1;
    if reader.by_ref().take(limit).read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    if bytes.pop_if(|last| *last == b'\n').is_some() || bytes.len() <= LINE_BYTES_MAX {
        return Ok(Some((bytes, false)));
    }
    bytes.truncate(LINE_BYTES_MAX);
    reader.skip_until(b'\n')?;
    Ok(Some((bytes, true)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_and_a_last_one_needs_no_newline() {
        let long = [b"a\n".as_slice(), &[b'x'; LINE_BYTES_MAX + 9], b"\nb"].concat();
        let mut reader = long.as_slice();
        assert_eq!(
            next_line(&mut reader).unwrap(),
            Some((b"a".to_vec(), false))
        );
        let (bytes, cut) = next_line(&mut reader).unwrap().unwrap();
        assert_eq!((bytes.len(), cut), (LINE_BYTES_MAX, true));
        assert_eq!(
            next_line(&mut reader).unwrap(),
            Some((b"b".to_vec(), false))
        );
        assert_eq!(next_line(&mut reader).unwrap(), None);
    }

    #[tokio::test]
    async fn the_bundled_session_is_read_as_often_as_asked() {
        let mut lines = Source::Bundled.lines(2).unwrap();
        let mut last = 0;
        while let Some(line) = lines.recv().await {
            last = line.unwrap().number;
        }
        assert!(last >= 60 && last % 2 == 0, "{last}");
    }
}

//! A look through the engine's log before the engine opens it. Its batches carry checksums that do
//! not cover their numbers, a wrong number lets older values win; and where the engine cannot read
//! on it drops the rest of the file without a word, which leaves holes when a later file goes on.
//!
//! Only a torn tail of the newest file, with no whole batch after it, is what a kill leaves behind.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
/// Ends every whole batch.
const TRAILER: [u8; 4] = *b"FJL\x03";
/// Numbers from here on have another meaning to the engine.
const NUMBER_MAX: u64 = 1 << 62;

/// What is wrong with the log of a closed database, for a person.
pub(super) fn check(database: &Path) -> Result<(), String> {
    let files = files(database)?;
    let mut number = None;
    let newest = files.last().map(|(id, _)| *id);
    let mut expected = files.first().map(|(id, _)| *id);
    for (id, path) in &files {
        if Some(*id) != expected {
            return Err(format!("a log file before {} is missing", path.display()));
        }
        expected = id.checked_add(1);
        let wrong = |what: String| format!("{}: {what}", path.display());
        let mut log = Log::open(path).map_err(|error| wrong(error.to_string()))?;
        number = log.walk(number, Some(*id) == newest).map_err(wrong)?;
    }
    Ok(())
}

fn files(database: &Path) -> Result<Vec<(u64, PathBuf)>, String> {
    let Ok(entries) = fs::read_dir(database) else {
        return Ok(Vec::new());
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.extension().is_some_and(|extension| extension == "jnl") {
            let id = path
                .file_stem()
                .and_then(|stem| stem.to_str()?.parse().ok());
            let id = id.ok_or_else(|| format!("{} is no log file", path.display()))?;
            files.push((id, path));
        }
    }
    files.sort();
    Ok(files)
}

struct Log {
    source: BufReader<File>,
    at: u64,
    length: u64,
}

/// Why a log cannot be read on.
enum Stop {
    /// It ends here, or what is here is no entry.
    NoEntry,
    Wrong(String),
}

impl Log {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        Ok(Self {
            length: file.metadata()?.len(),
            source: BufReader::with_capacity(64 << 10, file),
            at: 0,
        })
    }

    /// All batches, whose numbers must rise above `number`; gives the last one.
    fn walk(&mut self, mut number: Option<u64>, newest: bool) -> Result<Option<u64>, String> {
        loop {
            let start = self.at;
            match self.batch() {
                Ok(found) if found >= NUMBER_MAX || number.is_some_and(|last| found <= last) => {
                    return Err(format!("batch at byte {start} is out of order"));
                }
                Ok(found) => number = Some(found),
                Err(Stop::Wrong(what)) => return Err(what),
                Err(Stop::NoEntry) => {
                    let (any, whole) = self.look_at_rest(start).map_err(|e| e.to_string())?;
                    if whole || (any && !newest) {
                        return Err(format!("damaged after byte {start}"));
                    }
                    return Ok(number);
                }
            }
        }
    }

    /// One whole batch; its number.
    fn batch(&mut self) -> Result<u64, Stop> {
        if self.byte()? != START {
            return Err(Stop::NoEntry);
        }
        let items = u32::from_le_bytes(self.take()?);
        let number = u64::from_le_bytes(self.take()?);
        for _ in 0..items {
            match self.byte()? {
                ITEM => self.item()?,
                CLEAR => self.skip(8)?,
                _ => return Err(Stop::NoEntry),
            }
        }
        if self.byte()? != END {
            return Err(Stop::NoEntry);
        }
        self.skip(8)?;
        if self.take()? == TRAILER {
            Ok(number)
        } else {
            Err(Stop::NoEntry)
        }
    }

    fn item(&mut self) -> Result<(), Stop> {
        // Value type, compression, keyspace.
        self.skip(1 + 1 + 8)?;
        let key = u16::from_le_bytes(self.take()?);
        self.skip(4)?;
        let value = u32::from_le_bytes(self.take()?);
        self.skip(u64::from(key) + u64::from(value))
    }

    fn byte(&mut self) -> Result<u8, Stop> {
        let [byte] = self.take()?;
        Ok(byte)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let mut bytes = [0; N];
        match self.source.read_exact(&mut bytes) {
            Ok(()) => {
                self.at += N as u64;
                Ok(bytes)
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(Stop::NoEntry),
            Err(error) => Err(Stop::Wrong(error.to_string())),
        }
    }

    fn skip(&mut self, bytes: u64) -> Result<(), Stop> {
        self.at += bytes;
        if self.at > self.length {
            return Err(Stop::NoEntry);
        }
        let forward = i64::try_from(bytes).map_err(|_| Stop::NoEntry)?;
        let moved = self.source.seek_relative(forward);
        moved.map_err(|error| Stop::Wrong(error.to_string()))
    }

    /// Whether anything but zeros comes after `start`, and whether a batch ends there.
    fn look_at_rest(&mut self, start: u64) -> io::Result<(bool, bool)> {
        use std::io::{Seek, SeekFrom};
        self.source.seek(SeekFrom::Start(start))?;
        let (mut any, mut window) = (false, [0; TRAILER.len()]);
        let mut buffer = [0; 64 << 10];
        loop {
            let read = self.source.read(&mut buffer)?;
            let part = buffer.get(..read).unwrap_or_default();
            if part.is_empty() {
                return Ok((any, false));
            }
            if part.iter().all(|byte| *byte == 0) {
                // Preallocated: no trailer ends or begins in zeros.
                window = [0; TRAILER.len()];
                continue;
            }
            for byte in part {
                window.rotate_left(1);
                if let Some(last) = window.last_mut() {
                    *last = *byte;
                }
                any |= *byte != 0;
                if window == TRAILER {
                    return Ok((true, true));
                }
            }
        }
    }
}

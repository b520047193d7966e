//! What the engine does not check itself when it opens: a keyspace whose `current` file is missing
//! would be emptied, one that names an older manifest rolled back, one whose manifest changed read
//! otherwise than it was written; all without a word.

use std::fs;
use std::path::Path;

use xxhash_rust::xxh3::xxh3_128;

/// `current`: manifest number u64, XXH3-128 of the manifest, checksum type (0); little endian.
const CURRENT_LEN: usize = 25;

/// What is wrong with the structure of a closed database, for a person.
pub(super) fn check(path: &Path) -> Result<(), String> {
    let keyspaces = path.join("keyspaces");
    let Ok(entries) = fs::read_dir(&keyspaces) else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry.map_err(|error| error.to_string())?;
        let name = entry.file_name();
        if name
            .to_str()
            .and_then(|name| name.parse::<u64>().ok())
            .is_none()
        {
            return Err(format!("stray entry {}", entry.path().display()));
        }
        check_current(&entry.path())?;
    }
    Ok(())
}

fn check_current(keyspace: &Path) -> Result<(), String> {
    let path = keyspace.join("current");
    let current = read(&path)?;
    let parts = current.split_first_chunk::<8>().and_then(|(number, rest)| {
        let (checksum, kind) = rest.split_first_chunk::<16>()?;
        (kind == [0]).then(|| (u64::from_le_bytes(*number), u128::from_le_bytes(*checksum)))
    });
    let Some((number, checksum)) = parts.filter(|_| current.len() == CURRENT_LEN) else {
        return Err(format!("{} is not what the engine writes", path.display()));
    };
    let manifest = keyspace.join(format!("v{number}"));
    if xxh3_128(&read(&manifest)?) == checksum {
        return Ok(());
    }
    Err(format!(
        "{} is not the manifest that {} names",
        manifest.display(),
        path.display()
    ))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

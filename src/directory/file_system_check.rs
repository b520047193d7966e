// SPDX-License-Identifier: Apache-2.0
//! What a ledger lies on.

use std::path::Path;

/// File systems that do not keep the ledger's promises by themselves: by their numbers in statfs(2).
const DOUBTFUL: [(u32, &str, &str); 9] = [
    (0x0102_1994, "tmpfs", MEMORY),
    (0x8584_58F6, "ramfs", MEMORY),
    (0x0000_6969, "NFS", NETWORK),
    (0x0000_517B, "SMB", NETWORK),
    (0xFE53_4D42, "SMB 2", NETWORK),
    (0xFF53_4D42, "CIFS", NETWORK),
    (0x00C3_6400, "Ceph", NETWORK),
    (0x0102_1997, "9P", NETWORK),
    (0x5346_414F, "AFS", NETWORK),
];
const MEMORY: &str = "nothing survives the machine's next start";
const NETWORK: &str = "its locks and syncs may promise less than a local disk's";

/// What is doubtful about the file system of `path`: its name and what may happen.
pub(crate) fn doubt(path: &Path) -> Option<(&'static str, &'static str)> {
    // Its width and sign differ between systems; the low 32 bits are the number on all of them.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::unnecessary_cast
    )]
    let number = rustix::fs::statfs(path).ok()?.f_type as u32;
    let mut doubtful = DOUBTFUL.iter();
    let known = doubtful.find(|(known, ..)| *known == number);
    known.map(|(_, name, doubt)| (*name, *doubt))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::doubt;

    #[test]
    fn memory_is_doubtful_and_an_unknown_path_is_not_known_to_be() {
        if let Ok(mounts) = std::fs::read_to_string("/proc/mounts")
            && mounts
                .lines()
                .any(|line| line.starts_with("tmpfs /dev/shm "))
        {
            assert_eq!(
                doubt(Path::new("/dev/shm")).map(|(name, _)| name),
                Some("tmpfs")
            );
        } else {
            println!("SKIPPED: /dev/shm is no tmpfs here");
        }
        assert_eq!(doubt(Path::new("/proc")), None);
        assert_eq!(doubt(Path::new("/nothing/there")), None);
    }
}

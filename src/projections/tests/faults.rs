// SPDX-License-Identifier: Apache-2.0
//! Whatever happens to a file that a kill left: each answer is right, and one view at most is made again.

use super::*;

const RECORDS: u64 = 10 * RANGE + 20;

#[derive(Debug, Clone, Copy)]
enum Fault {
    Flip(usize),
    Truncate(usize),
    Append,
    Delete,
    /// What lies under the same name, but for the view's, or under the next name.
    Other(usize),
}

fn inflict(fault: Fault, file: &Path, others: &[PathBuf]) {
    let mut bytes = fs::read(file).unwrap();
    match fault {
        Fault::Flip(at) => bytes[at] ^= 0x10,
        Fault::Truncate(to) => bytes.truncate(to),
        Fault::Append => bytes.push(0),
        Fault::Delete => return fs::remove_file(file).unwrap(),
        Fault::Other(at) => bytes = fs::read(&others[at]).unwrap(),
    }
    fs::write(file, bytes).unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

#[test]
fn a_fault_of_any_file_costs_a_view_at_most_and_no_answer() {
    let killed = tempfile::tempdir().unwrap();
    let journal = Journal::new(&records(RECORDS), 100);
    let opened = Opened::of(killed.path(), &journal);
    for view in ["words", "others"] {
        opened.content(view, journal.head());
        until_stated(killed.path(), view, 3);
    }
    opened.killed();
    let mut files = paths(&killed.path().join("views"), "");
    // There is nothing in it.
    files.retain(|file| !file.ends_with("lock"));
    assert_eq!(files.len(), 8, "{files:?}");
    let (mut cases, mut aside) = (0, 0);
    for file in &files {
        let length = fs::metadata(file).unwrap().len() as usize;
        let mut faults = vec![
            Fault::Truncate(0),
            Fault::Truncate(length / 2),
            Fault::Append,
        ];
        faults.extend([Fault::Truncate(length - 1), Fault::Delete]);
        faults.extend((0..6).map(|part| Fault::Flip(part * (length - 1) / 5)));
        faults.extend(
            (0..files.len())
                .filter(|at| files[*at] != *file)
                .map(Fault::Other),
        );
        for fault in faults {
            let directory = tempfile::tempdir().unwrap();
            let place = |file: &PathBuf| {
                directory
                    .path()
                    .join(file.strip_prefix(killed.path()).unwrap())
            };
            copy(killed.path(), directory.path());
            let others: Vec<_> = files.iter().map(place).collect();
            inflict(fault, &place(file), &others);
            let opened = Opened::of(directory.path(), &journal);
            for view in ["words", "others"] {
                let found = opened.content(view, journal.head());
                assert!(
                    found == expected(view, journal.head()),
                    "{fault:?} in {}: {view}",
                    file.display()
                );
            }
            let set_aside = opened.set_aside().len();
            assert!(set_aside <= 1, "{fault:?} in {}", file.display());
            aside += set_aside;
            cases += 1;
            opened.killed();
        }
    }
    // A line feed behind a manifest is none, nor is a manifest that is gone: the view is new then.
    assert!(aside + 12 > cases, "{aside} of {cases} were set aside");
}

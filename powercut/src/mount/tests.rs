// SPDX-License-Identifier: Apache-2.0
//! The disk through the kernel: what a program does arrives, and nothing else survives.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use crate::disk::{Disk, Mode, SyncEnd};
use crate::machine::{Aim, Event, Fault, Machine, Op, Shared, Wrong};
use crate::mount::{Mounted, obstacle};

struct World {
    machine: Shared,
    mounted: Option<Mounted>,
    scratch: tempfile::TempDir,
}

impl World {
    /// Nothing where nothing can be mounted, and says so.
    fn new(mode: Mode) -> Option<Self> {
        if let Some(obstacle) = obstacle() {
            println!("SKIPPED: {obstacle}");
            return None;
        }
        let machine = Shared::new(Machine::new(Disk::new(mode, 7, 1 << 24)));
        let scratch = tempfile::tempdir().unwrap();
        let mounted = Mounted::new(&machine, scratch.path()).unwrap();
        Some(Self {
            machine,
            mounted: Some(mounted),
            scratch,
        })
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.scratch.path().join(name)
    }

    fn boot(&mut self) {
        self.mounted = None;
        self.machine.lock().boot(None, None);
        self.mounted = Some(Mounted::new(&self.machine, self.scratch.path()).unwrap());
    }

    fn cut(&mut self) {
        self.machine.lock().cut(Op::Write, "by the test".into());
        self.boot();
    }

    fn sync_root(&self) {
        File::open(self.scratch.path()).unwrap().sync_all().unwrap();
    }
}

#[test]
fn what_programs_do_with_files_works() {
    let Some(world) = World::new(Mode::Strict) else {
        return;
    };
    fs::create_dir_all(world.path("a/b")).unwrap();
    let path = world.path("a/b/file");
    fs::write(&path, b"hello").unwrap();
    let mut file = OpenOptions::new()
        .append(true)
        .read(true)
        .open(&path)
        .unwrap();
    file.write_all(b" world").unwrap();
    file.set_len(8).unwrap();
    file.write_all(b"!").unwrap();
    file.seek(SeekFrom::Start(1)).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "ello wo!");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    fs::rename(&path, world.path("a/other")).unwrap();
    fs::hard_link(world.path("a/other"), world.path("a/twin")).unwrap();
    assert_eq!(fs::read(world.path("a/twin")).unwrap(), b"hello wo!");
    for index in 0..500 {
        fs::write(world.path("a").join(format!("{index}")), b"x").unwrap();
    }
    assert_eq!(fs::read_dir(world.path("a")).unwrap().count(), 503);
    fs::remove_dir_all(world.path("a")).unwrap();
    assert_eq!(fs::read_dir(world.scratch.path()).unwrap().count(), 0);
}

#[test]
fn locks_exclude_and_end_with_their_holder() {
    let Some(world) = World::new(Mode::Ordered) else {
        return;
    };
    let first = File::create(world.path("LOCK")).unwrap();
    let second = File::open(world.path("LOCK")).unwrap();
    first.try_lock().unwrap();
    assert!(matches!(second.try_lock(), Err(TryLockError::WouldBlock)));
    drop(first);
    second.try_lock().unwrap();
}

#[test]
fn a_cut_forgets_what_was_not_synced_and_every_call_fails_until_the_boot() {
    let Some(mut world) = World::new(Mode::Strict) else {
        return;
    };
    let mut file = File::create(world.path("file")).unwrap();
    file.write_all(&[1; 5_000]).unwrap();
    file.sync_all().unwrap();
    world.sync_root();
    let aim = Aim {
        event: Event::Change,
        nth: 2,
        then: 0,
    };
    world.machine.lock().aim(aim);
    file.write_all(&[2; 700]).unwrap();
    assert!(
        file.sync_data().is_err(),
        "the power went in the middle of it"
    );
    assert!(file.write_all(&[3]).is_err() && fs::write(world.path("new"), b"").is_err());
    drop(file);
    world.boot();
    let found = fs::read(world.path("file")).unwrap();
    assert!(found.len() <= 5_700 && found[..5_000] == [1; 5_000]);
    assert!(found[5_000..].iter().all(|byte| *byte == 0 || *byte == 2));
    assert!(!world.path("new").exists());
}

#[test]
fn faults_strike_where_they_are_aimed() {
    let Some(mut world) = World::new(Mode::Strict) else {
        return;
    };
    let path = world.path("0.jnl");
    let mut file = File::create(&path).unwrap();
    world.sync_root();
    let fault = |event, nth, wrong| {
        let mut machine = world.machine.lock();
        machine.lift_faults();
        machine.fault(Fault {
            event,
            nth,
            times: 1,
            wrong,
        });
    };
    fault(Event::WalWrite, 2, Wrong::Fails(libc::ENOSPC));
    file.write_all(b"one").unwrap();
    assert_eq!(
        file.write_all(b"two").unwrap_err().raw_os_error(),
        Some(libc::ENOSPC)
    );
    fault(Event::WalWrite, 1, Wrong::Short);
    assert_eq!(file.write(b"four").unwrap(), 2);
    fault(Event::WalSync, 1, Wrong::Sync(SyncEnd::FailedAndLost));
    assert_eq!(
        file.sync_data().unwrap_err().raw_os_error(),
        Some(libc::EIO)
    );
    file.sync_data().unwrap();
    fault(Event::WalSync, 1, Wrong::Slow(Duration::from_millis(150)));
    let since = Instant::now();
    file.sync_data().unwrap();
    assert!(since.elapsed() >= Duration::from_millis(150));
    fault(Event::WalSync, 1, Wrong::Hangs);
    let hanging = std::thread::spawn(move || file.sync_data());
    std::thread::sleep(Duration::from_millis(150));
    assert!(!hanging.is_finished());
    assert_eq!(fs::read(&path).unwrap(), b"onefo", "others go on meanwhile");
    world.machine.lift_faults();
    hanging.join().unwrap().unwrap();
    world.cut();
    assert_eq!(
        fs::read(world.path("0.jnl")).unwrap_or_default(),
        b"",
        "lost, whatever came after"
    );
}

#[test]
fn a_full_disk_says_so() {
    let Some(world) = World::new(Mode::Ordered) else {
        return;
    };
    let full = fs::write(world.path("large"), vec![1; 32 << 20]).unwrap_err();
    assert_eq!(full.raw_os_error(), Some(libc::ENOSPC));
    assert!(fs::metadata(world.path("large")).unwrap().len() > 15 << 20);
    fs::remove_file(world.path("large")).unwrap();
    fs::write(world.path("small"), b"room again").unwrap();
}

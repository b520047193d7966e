// SPDX-License-Identifier: Apache-2.0
//! A view made again is the view that was: after deletion, on demand, on a new version.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use femtoclaw_ledger::events::{Event, Record};
use femtoclaw_ledger::projections::{
    Indexes, Notice, Projection, ProjectionError, ViewBatch, ViewError, Views, ViewsOptions,
};

use crate::support::{History, Journal, WAIT, digests, open, open_with, until, view};

#[test]
fn live_in_small_steps_equals_rebuilt_at_once() {
    let history = History::mixed(3_000);
    let live = tempfile::tempdir().unwrap();
    let journal = Journal::new(&[], 1_000);
    let views = open(live.path(), &journal);
    for records in history.records.chunks(13) {
        journal.append(records);
        if records[0].header.seq.get() % 5 == 0 {
            let seq = records[0].header.seq.get();
            view(&views, Indexes::NAME).at_least(seq, WAIT).unwrap();
        }
    }
    let lived = digests(&views, history.head());
    views.close();

    let journal = Journal::new(&history.records, 1_000);
    let again = open(live.path(), &journal);
    assert_eq!(digests(&again, history.head()), lived, "reopened");
    again.close();
    std::fs::remove_dir_all(live.path().join("views")).unwrap();
    let rebuilt = open(live.path(), &journal);
    assert_eq!(digests(&rebuilt, history.head()), lived, "deleted");
    let mut different = lived.clone();
    different.dedup_by_key(|it| it.digest);
    assert_eq!(different.len(), 5, "five views, five states");
    rebuilt.close();
}

#[test]
fn a_reopened_view_goes_on_from_its_position() {
    let history = History::mixed(2_000);
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::new(&history.records[..1_000], 100);
    let views = open(directory.path(), &journal);
    digests(&views, 900);
    let number = view(&views, Indexes::NAME).status().serving_generation;
    views.close();
    let journal = Journal::new(&history.records, 100);
    let views = open(directory.path(), &journal);
    assert!(
        view(&views, Indexes::NAME).position() >= 900,
        "served at once"
    );
    let reopened = digests(&views, history.head());
    assert_eq!(
        view(&views, Indexes::NAME).status().serving_generation,
        number
    );
    views.close();
    let fresh = tempfile::tempdir().unwrap();
    let views = open(fresh.path(), &journal);
    assert_eq!(digests(&views, history.head()), reopened);
    views.close();
}

#[test]
fn on_demand_the_old_one_serves_and_follows_until_the_new_one_has_caught_up() {
    let history = History::mixed(8_000);
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::new(&history.records[..6_000], 200);
    let views = open(directory.path(), &journal);
    let before = digests(&views, 5_990);
    let indexes = view(&views, Indexes::NAME);
    let old = indexes.status().serving_generation;
    assert!(views.rebuild(Indexes::NAME));
    assert!(!views.rebuild("no such view"));
    let mut building_seen = false;
    for records in history.records[6_000..].chunks(100) {
        journal.append(records);
        let last = records.last().unwrap();
        let end = last.header.seq.get() - u64::from(last.header.commit_index);
        indexes.at_least(end - 1, WAIT).unwrap();
        let status = indexes.status();
        building_seen |= status.building.is_some() && status.serving_generation == old;
        indexes.get(b"anything").unwrap();
    }
    assert!(building_seen);
    until("the new one serves", || {
        indexes.get(b"anything").unwrap();
        let status = indexes.status();
        status.building.is_none() && status.serving_generation != old
    });
    let after = digests(&views, history.head());
    assert_eq!(before.len(), after.len());
    views.close();
    let views = open(directory.path(), &journal);
    assert_eq!(digests(&views, history.head()), after);
    assert_ne!(view(&views, Indexes::NAME).status().serving_generation, old);
    views.close();
}

/// Counts records under a key that says which version counted.
struct Counter {
    version: u32,
    /// Records that may be counted before it waits; `None`: never waits.
    gate: Option<Arc<(Mutex<u64>, Condvar)>>,
}

impl Projection for Counter {
    fn name(&self) -> &'static str {
        "counter"
    }

    fn version(&self) -> u32 {
        self.version
    }

    fn apply(
        &mut self,
        record: &Record,
        _: &Event,
        batch: &mut ViewBatch,
    ) -> Result<(), ProjectionError> {
        if let Some(gate) = &self.gate {
            let open = gate.0.lock().unwrap();
            let seq = record.header.seq.get();
            drop(gate.1.wait_while(open, |open| *open < seq).unwrap());
        }
        let count = batch.get(b"count")?.map_or(0, |bytes| bytes.len());
        batch.put(b"count", vec![b'0' + self.version as u8; count + 1]);
        Ok(())
    }
}

fn open_counter(directory: &std::path::Path, journal: &Arc<Journal>, counter: Counter) -> Views {
    let options = ViewsOptions::default();
    Views::open(directory, options, vec![Box::new(counter)], journal.clone()).unwrap()
}

#[test]
fn a_new_version_is_built_while_the_old_one_serves() {
    let history = History::mixed(300);
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::new(&history.records, 50);
    let first = Counter {
        version: 1,
        gate: None,
    };
    let views = open_counter(directory.path(), &journal, first);
    view(&views, "counter")
        .at_least(history.head(), WAIT)
        .unwrap();
    views.close();

    let gate = Arc::new((Mutex::new(200), Condvar::new()));
    let second = Counter {
        version: 2,
        gate: Some(gate.clone()),
    };
    let views = open_counter(directory.path(), &journal, second);
    let counter = view(&views, "counter");
    let all_by = |version: u8| Some(vec![b'0' + version; history.records.len()]);
    assert_eq!(counter.status().serving_version, Some(1));
    until("some of it is built", || {
        counter.status().building.unwrap().done > 0
    });
    assert_eq!(
        counter.get(b"count").unwrap(),
        all_by(1),
        "the old one serves"
    );
    assert_eq!(counter.position(), history.head());
    *gate.0.lock().unwrap() = u64::MAX;
    gate.1.notify_all();
    until("the second version serves", || {
        counter.get(b"count").unwrap();
        counter.status().serving_version == Some(2)
    });
    assert_eq!(counter.get(b"count").unwrap(), all_by(2));
    views.close();
    let second = Counter {
        version: 2,
        gate: None,
    };
    let views = open_counter(directory.path(), &journal, second);
    assert_eq!(
        view(&views, "counter").get(b"count").unwrap(),
        all_by(2),
        "after reopening"
    );
    assert_eq!(view(&views, "counter").status().building, None);
    views.close();
}

#[test]
fn views_of_another_history_are_made_again() {
    let history = History::mixed(500);
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::new(&history.records, 100);
    let views = open(directory.path(), &journal);
    digests(&views, history.head());
    views.close();
    let mut other = History::mixed(200);
    other.time_ns += 1_000;
    while other.head() < 600 {
        other.begin(crate::support::execution(9_000 + other.head()), "other");
    }
    for records in [&other.records[..], &other.records[..101]] {
        let journal = Journal::new(records, 100);
        let views = open(directory.path(), &journal);
        let found = digests(&views, records.len() as u64);
        views.close();
        let fresh = tempfile::tempdir().unwrap();
        let views = open(fresh.path(), &journal);
        assert_eq!(digests(&views, records.len() as u64), found);
        views.close();
    }
}

/// Refuses, or panics at, one record.
struct Picky {
    panics: bool,
}

impl Projection for Picky {
    fn name(&self) -> &'static str {
        "picky"
    }

    fn version(&self) -> u32 {
        1
    }

    fn apply(
        &mut self,
        record: &Record,
        _: &Event,
        _: &mut ViewBatch,
    ) -> Result<(), ProjectionError> {
        match record.header.seq.get() {
            150 if self.panics => panic!("it does not like 150"),
            150 => Err(ProjectionError::Refused("it does not like 150".into())),
            _ => Ok(()),
        }
    }
}

#[test]
fn a_projection_that_fails_halts_alone() {
    let history = History::mixed(300);
    for panics in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal::new(&history.records, 50);
        let counter = Counter {
            version: 1,
            gate: None,
        };
        let projections: Vec<Box<dyn Projection>> =
            vec![Box::new(Picky { panics }), Box::new(counter)];
        let options = ViewsOptions::default();
        let views = Views::open(directory.path(), options, projections, journal.clone()).unwrap();
        view(&views, "counter")
            .at_least(history.head(), WAIT)
            .unwrap();
        let refused = view(&views, "picky")
            .at_least(history.head(), WAIT)
            .unwrap_err();
        let ViewError::Halted { cause } = refused else {
            panic!("{refused:?}");
        };
        assert!(cause.contains("does not like 150"), "{cause}");
        views.close();
    }
}

#[test]
fn close_answers_those_who_wait_and_those_who_come_late() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::new(&History::mixed(50).records, 50);
    let rebuilt = Arc::new(Mutex::new(Vec::new()));
    let heard = rebuilt.clone();
    let options = ViewsOptions {
        listener: Some(Arc::new(move |notice: &Notice| {
            heard.lock().unwrap().push(notice.clone());
        })),
        ..ViewsOptions::default()
    };
    let views = open_with(directory.path(), &journal, options);
    digests(&views, 50);
    let indexes = view(&views, Indexes::NAME);
    let waiting = indexes.clone();
    let waiter = std::thread::spawn(move || waiting.at_least(1_000_000, WAIT));
    let behind = indexes.at_least(1_000_000, Duration::from_millis(5));
    assert!(
        matches!(
            behind,
            Err(ViewError::Behind {
                wanted: 1_000_000,
                ..
            })
        ),
        "{behind:?}"
    );
    views.close();
    assert_eq!(waiter.join().unwrap(), Err(ViewError::Closed));
    assert_eq!(indexes.get(b"x"), Err(ViewError::Closed));
    assert_eq!(
        rebuilt.lock().unwrap().len(),
        5,
        "each view said once that it serves"
    );
}

/// Files of segments with their bytes, each as `view/first-last`.
fn segments(directory: &std::path::Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for view in std::fs::read_dir(directory.join("views")).unwrap() {
        let view = view.unwrap();
        let Ok(generations) = std::fs::read_dir(view.path()) else {
            continue;
        };
        let generations = generations.map(|it| it.unwrap().path());
        for generation in generations.filter(|path| path.is_dir()) {
            for file in std::fs::read_dir(generation).unwrap() {
                let file = file.unwrap();
                let name = file.file_name().into_string().unwrap();
                let name = format!("{}/{name}", view.file_name().into_string().unwrap());
                found.insert(name, std::fs::read(file.path()).unwrap());
            }
        }
    }
    found
}

/// A record of the journal can vouch for a segment, because it is the same whenever and however it is made.
#[test]
fn files_are_the_same_however_records_were_batched() {
    let history = History::mixed(65_700);
    let made = [37, 5_000].map(|step| {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal::new(&history.records, step);
        let views = open(directory.path(), &journal);
        digests(&views, history.head());
        views.close();
        segments(directory.path())
    });
    let names: Vec<_> = made[0].keys().collect();
    assert_eq!(
        names.len(),
        10,
        "a range and a part of each view: {names:?}"
    );
    let [one, other] = &made;
    for (name, bytes) in one {
        assert!(other.get(name) == Some(bytes), "{name} is another");
    }
}

#[test]
fn views_of_an_empty_journal_serve_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let views = open(directory.path(), &Journal::new(&[], 1_000));
    for view in views.all() {
        assert_eq!(view.get(b"nothing"), Ok(None), "{}", view.name());
    }
    views.close();
}

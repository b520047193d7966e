// SPDX-License-Identifier: Apache-2.0
//! What is in force after another opening: the same, whatever way the states come back.

use std::path::Path;
use std::time::Duration;

use femtoclaw_ledger::events::Event;
use femtoclaw_ledger::{
    Change, Context, Ledger, OpenError, Options, Root, Seq, runtime_metadata::SwitchCapability,
};

use crate::shared::{WAIT, change, everything, observation, released};
use crate::{facts, register};

/// Opens it as soon as the threads of a dropped ledger have let go of it.
async fn open(path: &Path) -> (Ledger, Root) {
    for _ in 0..10_000 {
        let options = Options {
            snapshot_records: 16,
            ..Options::default()
        };
        match Ledger::open(path, options).await {
            Err(OpenError::Locked { .. }) => tokio::time::sleep(Duration::from_millis(5)).await,
            opened => return opened.unwrap(),
        }
    }
    panic!("somebody still holds the ledger")
}

/// Changes of documents and capabilities, the last ones of each far from the head.
async fn work(ledger: &Ledger, root: &Root) {
    let grant = everything(root).await;
    let configuration = ledger.configuration(&grant).unwrap();
    let metadata = ledger.runtime_metadata(&grant).unwrap();
    for number in 0..6 {
        let content = number.to_string();
        let named = Change {
            document: format!("document {}", number % 4),
            ..change(Context::new(), &content, None)
        };
        configuration.change(named).await.unwrap();
        register(
            &metadata,
            &format!("capability {number} of {}", ledger.head().count()),
        )
        .await;
    }
    let name = ledger
        .in_force()
        .capabilities()
        .next()
        .unwrap()
        .0
        .to_owned();
    let enabled = ledger.in_force().is_enabled(&name);
    let switched = SwitchCapability {
        context: Context::new(),
        capability: name,
        enabled: !enabled,
        reason: String::new(),
        expected_version: None,
    };
    metadata.switch(switched).await.unwrap();
    let telemetry = ledger.telemetry(&grant).unwrap();
    for _ in 0..20 {
        let recorded = telemetry.record(observation(Context::new(), "noise"));
        recorded.await.unwrap();
    }
}

/// Each sequence number names the record that holds what is in force.
async fn is_where_it_says(ledger: &Ledger, root: &Root) {
    let grant = everything(root).await;
    let reads = ledger.reader(&grant).unwrap();
    let in_force = ledger.in_force();
    for (name, document) in in_force.documents() {
        let record = reads.get(document.seq).await.unwrap().unwrap();
        let Event::ConfigurationChanged(changed) = record.event().unwrap() else {
            panic!("{name} is not at {}", document.seq)
        };
        assert_eq!(
            (&*changed.document, changed.version),
            (name, document.version)
        );
        assert_eq!(changed.content_digest, document.digest);
    }
    let registry: Seq = in_force.registry().seq.unwrap();
    let record = reads.get(registry).await.unwrap().unwrap();
    let version = match record.event().unwrap() {
        Event::CapabilityEnabled(it) => it.registry_version,
        Event::CapabilityDisabled(it) => it.registry_version,
        _ => panic!("the registry's last change is not at {registry}"),
    };
    assert_eq!(version, in_force.registry_version());
}

/// Removes the saved states. A save that was under way when the ledger was dropped may still write a file there.
async fn gone(states: &Path) {
    for _ in 0..500 {
        if !states.exists() || std::fs::remove_dir_all(states).is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the saved states cannot be removed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_force_is_the_same_after_every_kind_of_opening() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    let (mut ledger, mut root) = open(&path).await;
    assert_eq!(ledger.in_force().registry().seq, None);
    for (clean, saved, views) in [
        (true, true, true),
        (false, true, true),
        (true, false, true),
        (false, false, true),
        (true, false, false),
        (false, false, false),
    ] {
        work(&ledger, &root).await;
        let before = facts(&ledger.in_force());
        let head = ledger.head().count();
        if clean {
            root.close(WAIT).await.unwrap();
        }
        drop((ledger, root));
        released(&path).await;
        let states = path.join("snapshots");
        if saved {
            assert!(states.is_dir(), "the states were not saved");
        } else {
            gone(&states).await;
        }
        if !views {
            std::fs::remove_dir_all(path.join("views")).unwrap();
        }
        (ledger, root) = open(&path).await;
        let in_force = ledger.in_force();
        let how = format!("clean {clean}, saved {saved}, views {views}");
        assert_eq!(facts(&in_force), before, "{how}");
        assert!(in_force.as_of() >= head, "{how}");
        is_where_it_says(&ledger, &root).await;
    }
    root.close(WAIT).await.unwrap();
}

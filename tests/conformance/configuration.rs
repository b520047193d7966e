// SPDX-License-Identifier: Apache-2.0
//! Configuration and runtime metadata: §8, §9.

use std::sync::Arc;

use femtoclaw_ledger::events::{
    CommandId, ComponentId, ConfigurationChangedV1, Event, ExecutionId, Outcome, ParentId,
    RuntimeId, Seq, State, Store, StreamId, SubjectId, TraceId,
};
use femtoclaw_ledger::integrity::{Chain, digest};
use femtoclaw_ledger::journal::{FrameBuilder, Head, Journal, MemoryJournal, NewRecord};
use femtoclaw_ledger::projections::AsOf;
use femtoclaw_ledger::{
    Context, Ledger, OpenError, Options, Rollback, configuration::Validator,
    runtime_metadata::SetModule,
};

use crate::support::*;

#[tokio::test]
async fn s8_1_any_version_by_number_by_place_and_by_time() {
    let clock = clock();
    let open = open_on(Arc::new(MemoryJournal::new()), fixed(&clock)).await;
    let configuration = open.ledger.configuration(&open.grant).unwrap();
    let mut changed = Vec::new();
    for version in 1..=5_u64 {
        clock.advance(std::time::Duration::from_secs(1));
        let it = open.change("limits", &format!("max = {version}\n")).await;
        assert_eq!(it.version, version);
        open.change("other", "x").await;
        changed.push(it.receipt);
    }
    open.ledger.at_least(open.ledger.head().seq).await.unwrap();
    for (index, receipt) in changed.iter().enumerate() {
        let version = index as u64 + 1;
        let places = [
            AsOf::Seq(receipt.first.get()),
            AsOf::Seq(receipt.first.get() + 1),
            AsOf::Time(receipt.time_ns),
            AsOf::Time(receipt.time_ns + 999_999_999),
        ];
        let mut found = vec![configuration.version("limits", version).await];
        for place in places {
            found.push(configuration.as_of("limits", place).await);
        }
        for found in found {
            let found = found.unwrap().unwrap();
            assert_eq!(found.info.version, version);
            assert_eq!(found.content, format!("max = {version}\n").into_bytes());
        }
    }
    let before = AsOf::Time(START_NS);
    assert_eq!(configuration.as_of("limits", before).await.unwrap(), None);
    let history = configuration.history("limits").await.unwrap();
    assert!(history.iter().map(|it| it.version).eq(1..=5));
    let current = configuration.current("limits").await.unwrap().unwrap();
    assert_eq!(current.info.version, 5);
    assert_eq!(configuration.version("limits", 6).await.unwrap(), None);
}

struct NoTabs;

impl Validator for NoTabs {
    fn validate(&self, _: &str, content: &[u8]) -> Result<(), String> {
        let bad = content.contains(&b'\t');
        if bad { Err("a tab".to_owned()) } else { Ok(()) }
    }
}

#[tokio::test]
async fn s8_2_who_when_why_from_which_version_and_rejected_ones_too() {
    let mut options = fixed(&clock());
    options.validators = vec![Arc::new(NoTabs)];
    let open = open_on(Arc::new(MemoryJournal::new()), options).await;
    open.change("limits", "max = 1\n").await;
    open.change("limits", "max = 2\n").await;
    let configuration = open.ledger.configuration(&open.grant).unwrap();
    let rollback = Rollback {
        context: Context::new(),
        document: "limits".to_owned(),
        to_version: 1,
        author: "grace".to_owned(),
        reason: "2 was too much".to_owned(),
        expected_version: Some(2),
    };
    let rolled = configuration.rollback(rollback.clone()).await.unwrap();
    open.ledger.at_least(open.ledger.head().seq).await.unwrap();
    let history = configuration.history("limits").await.unwrap();
    let last = history.last().unwrap();
    assert_eq!((&*last.author, &*last.reason), ("grace", "2 was too much"));
    assert_eq!((last.version, last.restored_version), (3, 1));
    assert_eq!(
        (last.time_ns, last.component),
        (START_NS, open.grant.component())
    );
    let record = open
        .reads()
        .get(rolled.receipt.first)
        .await
        .unwrap()
        .unwrap();
    // One record, in both stores: it cannot be changed without being audited.
    assert!(record.header.stores.contains(Store::Configuration));
    assert!(record.header.stores.contains(Store::AuditLog));
    let before = configuration.current("limits").await.unwrap();
    let rejected = configuration.change(change("limits", "\tmax")).await;
    assert_eq!(rejected.unwrap_err().code(), "rejected");
    assert!(crate::executions::audited(&open, "rejected").await);
    let conflict = configuration.rollback(rollback).await.unwrap_err();
    assert_eq!(conflict.code(), "version_conflict");
    assert!(crate::executions::audited(&open, "version_conflict").await);
    assert_eq!(configuration.current("limits").await.unwrap(), before);
}

fn forged_change(content: &[u8], digest_of: &[u8]) -> NewRecord {
    let event = Event::from(ConfigurationChangedV1 {
        document: "limits".to_owned(),
        version: 1,
        configuration_version: 1,
        content: content.to_vec(),
        content_digest: digest(digest_of),
        author: "ada".to_owned(),
        reason: "tuning".to_owned(),
        restored_version: 0,
    });
    let mut payload = Vec::new();
    event.encode_into(&mut payload);
    let event_type = event.event_type().unwrap();
    NewRecord {
        event_type,
        revision: 1,
        flags: 0,
        outcome: Outcome::Success,
        stores: event_type.stores(),
        component: ComponentId(1),
        stream: StreamId::NIL,
        stream_version: 0,
        execution: ExecutionId::NIL,
        parent: ParentId::NIL,
        trace: TraceId::NIL,
        subject: SubjectId::NIL,
        observed_difference_ns: 0,
        command: CommandId::from_bytes([1; 16]),
        command_digest: [0; 32],
        commit_index: 0,
        commit_len: 1,
        salt: [2; 16],
        commitment: Chain::default().payload_commitment(&[2; 16], &payload),
        payload,
    }
}

#[tokio::test]
async fn s8_3_a_corrupt_snapshot_is_an_error_and_never_a_default() {
    for (of, is_good) in [(&b"max = 1\n"[..], true), (b"max = 9\n", false)] {
        let journal = MemoryJournal::new();
        let mut builder = FrameBuilder::new(LEDGER, 1, Head::default());
        builder.push(&forged_change(b"max = 1\n", of), START_NS);
        journal.append(&builder.finish(), &Head::default()).unwrap();
        let views = tempfile::tempdir().unwrap();
        let journal = Arc::new(journal.reopen());
        let opened = Ledger::open_on(journal.clone(), views.path(), fixed(&clock())).await;
        match opened {
            Ok(_) => assert!(is_good),
            Err(error) => {
                assert!(!is_good, "{error}");
                assert!(matches!(error, OpenError::History(_)), "{error}");
                assert!(error.to_string().contains("record 1:"), "{error}");
                assert_eq!(journal.head().unwrap().count(), 1, "nothing was appended");
            }
        }
    }
}

async fn set_metadata(open: &Open) {
    let metadata = open.ledger.runtime_metadata(&open.grant).unwrap();
    let runtime = RuntimeId::from_bytes([8; 16]);
    let identified = metadata.identify(runtime, "3.1.4".to_owned(), Context::new());
    identified.await.unwrap();
    for (module, version) in [("planner", "1"), ("memory", "2"), ("planner", "3")] {
        let command = SetModule {
            context: Context::new(),
            module: module.to_owned(),
            version: version.to_owned(),
        };
        metadata.set_module(command).await.unwrap();
    }
    open.register("read_file").await;
    open.register("run").await;
    open.switch("read_file", true).await;
    let moved = metadata.transition(State::Idle, None, Context::new());
    moved.await.unwrap();
    metadata
        .save_position("exporter", 4, None, Context::new())
        .await
        .unwrap();
}

#[tokio::test]
async fn s9_1_runtime_modules_and_registry_survive_a_kill() {
    if let Some(path) = child_path() {
        let open = open(&path).await;
        set_metadata(&open).await;
        acknowledge("set");
        return std::future::pending().await;
    }
    let (_root, path) = place();
    let test = "configuration::s9_1_runtime_modules_and_registry_survive_a_kill";
    killed_after(test, &path, 1);
    let open = open(&path).await;
    open.ledger.at_least(open.ledger.head().seq).await.unwrap();
    let metadata = open.ledger.runtime_metadata(&open.grant).unwrap();
    let runtime = metadata.runtime().await.unwrap().unwrap();
    assert_eq!(runtime.runtime, RuntimeId::from_bytes([8; 16]));
    assert_eq!(runtime.version, "3.1.4");
    let modules = metadata.modules().await.unwrap();
    let modules: Vec<_> = modules
        .iter()
        .map(|it| (it.name.as_str(), it.version.as_str()))
        .collect();
    assert_eq!(modules, [("memory", "2"), ("planner", "3")]);
    let registry = metadata.registry().await.unwrap();
    assert_eq!(registry.registry_version, 3);
    let enabled = |name: &str| registry.capabilities[name].enabled;
    assert!(enabled("read_file") && !enabled("run"));
    let saved = metadata.position("exporter").await.unwrap().unwrap();
    assert_eq!(saved.position, 4);
    // What a decision rests on is that registry too.
    assert!(open.log().begin(open.request("read_file")).await.is_ok());
    let disabled = open.log().begin(open.request("run")).await.unwrap_err();
    assert_eq!(disabled.code(), "capability_not_enabled");
}

#[tokio::test]
async fn s9_2_rebuilt_metadata_equals_the_live_one_at_the_same_place() {
    let (root, path) = place();
    let open = open(&path).await;
    set_metadata(&open).await;
    open.sample_more().await;
    let head = open.ledger.head().count();
    open.ledger.at_least(Seq::new(head)).await.unwrap();
    let live = open.ledger.view_digests().await.unwrap();
    assert!(live.iter().all(|it| it.position == head));
    open.close().await;
    // The same journal, without its views, up to the same record.
    let memory = crate::tamper::exported(&path);
    let upto = Arc::new(MemoryJournal::new());
    let mut after = Head::default();
    for frame in memory.frames(Seq::FIRST).map(Result::unwrap) {
        if frame.last_seq().get() <= head {
            upto.append(&frame, &after).unwrap();
            after = frame.last;
        }
    }
    assert_eq!(after.count(), head);
    let source = Arc::new(Journaled(upto));
    let views = root.path().join("rebuilt");
    std::fs::create_dir(&views).unwrap();
    let rebuilt = femtoclaw_ledger::projections::Views::open(
        &views,
        femtoclaw_ledger::projections::ViewsOptions::default(),
        femtoclaw_ledger::projections::built_in(),
        source,
    )
    .unwrap();
    for digest in live {
        let view = rebuilt.view(digest.name).unwrap();
        view.at_least(digest.position, WAIT).unwrap();
        assert_eq!(view.digest().unwrap(), digest);
    }
    rebuilt.close();
    // And the ledger itself, its views deleted.
    std::fs::remove_dir_all(path.join("views")).unwrap();
    let again = open_with(&path, Options::default()).await;
    again.ledger.at_least(Seq::new(head)).await.unwrap();
    let metadata = again.ledger.runtime_metadata(&again.grant).unwrap();
    assert_eq!(metadata.modules().await.unwrap().len(), 2);
}

/// A journal as views see it.
struct Journaled(Arc<MemoryJournal>);

impl femtoclaw_ledger::projections::Source for Journaled {
    fn head(&self) -> u64 {
        self.0.head().unwrap().count()
    }
    fn records(
        &self,
        from: Seq,
        max: usize,
    ) -> Result<Vec<femtoclaw_ledger::events::Record>, String> {
        let frames = self.0.frames(from).map(Result::unwrap);
        let records = frames.flat_map(|frame| {
            let all: Vec<_> = frame.records_from(from).map(Result::unwrap).collect();
            all
        });
        Ok(records.take(max).collect())
    }
    fn wait_beyond(&self, _: u64, timeout: std::time::Duration) -> u64 {
        std::thread::sleep(timeout.min(std::time::Duration::from_millis(20)));
        self.head()
    }
}

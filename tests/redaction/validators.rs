// SPDX-License-Identifier: Apache-2.0
//! A validator that fails, hangs or calls back: it costs its change, and nobody else anything. On a
//! runtime of one thread, which stands still where anything of the ledger's waits in it.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use femtoclaw_ledger::{
    AppendError, Change, CommandId, Configuration, Context, Options, Retry, Rollback,
    configuration::{Changed, Validator},
    group::Command,
};

use crate::commands::entry;
use crate::{Open, WAIT, open, place};

/// Does what the content says.
#[derive(Default)]
struct Obeys {
    seen: Mutex<Vec<Vec<u8>>>,
    /// Rejects this.
    bad: Mutex<Option<&'static [u8]>>,
    /// Each call that hangs takes one: says so, and goes on when the other end is gone.
    hangs: Mutex<Vec<(Sender<()>, Receiver<()>)>>,
    ledger: OnceLock<Configuration>,
    basis: OnceLock<Box<dyn Fn() -> u64 + Send + Sync>>,
}

impl Validator for Obeys {
    fn validate(&self, _: &str, content: &[u8]) -> Result<(), String> {
        self.seen.lock().unwrap().push(content.to_vec());
        if *self.bad.lock().unwrap() == Some(content) {
            return Err("x".repeat(100_000));
        }
        match content {
            b"panic" => panic!("a validator with a defect"),
            b"hang" => {
                let (told, go) = self.hangs.lock().unwrap().pop().unwrap();
                told.send(()).unwrap();
                assert!(go.recv().is_err());
                Ok(())
            }
            b"ask" => {
                let version = self.basis.get().unwrap()();
                let runtime = tokio::runtime::Handle::current();
                let ledger = self.ledger.get().unwrap();
                let current = runtime.block_on(ledger.current("policy"));
                assert_eq!(current.unwrap().unwrap().info.version, version);
                let made = runtime.block_on(ledger.change(change("other", b"by it")));
                assert_eq!(made.unwrap().version, 1);
                Ok(())
            }
            b"ask for ever" => {
                let runtime = tokio::runtime::Handle::current();
                let ledger = self.ledger.get().unwrap();
                let again = runtime.block_on(ledger.change(change("policy", content)));
                again.map(drop).map_err(|error| error.code().to_owned())
            }
            _ => Ok(()),
        }
    }

    fn name(&self) -> &'static str {
        "obeys"
    }
}

impl Obeys {
    /// The next `count` calls that hang say so, and go on when the sender is dropped.
    fn hang(&self, count: usize) -> Vec<(Receiver<()>, Sender<()>)> {
        let mut here = Vec::new();
        for _ in 0..count {
            let ((told, hangs), (go, waits)) = (channel(), channel());
            self.hangs.lock().unwrap().push((told, waits));
            here.push((hangs, go));
        }
        here
    }
}

fn change(document: &str, content: &[u8]) -> Change {
    Change {
        context: Context::new(),
        document: document.to_owned(),
        content: content.to_vec(),
        author: "ada".to_owned(),
        reason: "tuning".to_owned(),
        expected_version: None,
    }
}

fn rollback(document: &str, to_version: u64) -> Rollback {
    Rollback {
        context: Context::new(),
        document: document.to_owned(),
        to_version,
        author: "ada".to_owned(),
        reason: "it broke".to_owned(),
        expected_version: None,
    }
}

struct Scene {
    open: Open,
    validator: Arc<Obeys>,
    configuration: Configuration,
    path: std::path::PathBuf,
    _root: tempfile::TempDir,
}

impl Scene {
    async fn new(callback_budget: Duration) -> Self {
        let validator = Arc::new(Obeys::default());
        let (_root, path) = place();
        let options = Options {
            validators: vec![validator.clone()],
            callback_budget,
            ..Options::default()
        };
        let open = open(&path, options).await;
        let configuration = open.ledger.configuration(&open.grant).unwrap();
        validator.ledger.set(configuration.clone()).ok().unwrap();
        let ledger = open.ledger.clone();
        let basis = move || ledger.in_force().basis().configuration_version();
        validator.basis.set(Box::new(basis)).ok().unwrap();
        Self {
            open,
            validator,
            configuration,
            path,
            _root,
        }
    }

    async fn change(&self, content: &[u8]) -> Result<Changed, AppendError> {
        let changing = self.configuration.change(change("policy", content));
        tokio::time::timeout(WAIT, changing).await.unwrap()
    }

    /// The stores go on.
    async fn others_go_on(&self) {
        let (ledger, grant) = (&self.open.ledger, &self.open.grant);
        let audited = ledger.commit(grant, vec![Command::Audit(entry())]);
        audited.await.unwrap();
        let elsewhere = self.configuration.change(change("elsewhere", b"good"));
        elsewhere.await.unwrap();
    }
}

#[tokio::test]
async fn a_validator_may_ask_the_ledger_wait_for_it_and_change_it() {
    let scene = Scene::new(WAIT).await;
    scene.change(b"good").await.unwrap();
    assert_eq!(scene.change(b"ask").await.unwrap().version, 2);
    let other = scene.configuration.current("other").await.unwrap();
    assert_eq!(other.unwrap().content, b"by it");
}

#[tokio::test]
async fn a_validator_that_calls_itself_for_ever_comes_to_an_end() {
    let scene = Scene::new(Duration::from_millis(200)).await;
    let refused = scene.change(b"ask for ever").await.unwrap_err();
    assert_eq!(refused.code(), "callback_timeout", "{refused}");
    scene
        .open
        .until("all of them came back", async || {
            scene.open.ledger.health().healthy
        })
        .await;
    scene.change(b"good").await.unwrap();
}

#[tokio::test]
async fn a_validator_that_fails_refuses_that_change_and_is_named() {
    let scene = Scene::new(WAIT).await;
    scene.change(b"bad").await.unwrap();
    scene.change(b"good").await.unwrap();
    *scene.validator.bad.lock().unwrap() = Some(b"bad");
    let both = [
        scene.change(b"bad").await,
        scene.configuration.rollback(rollback("policy", 1)).await,
    ];
    for refused in both {
        let AppendError::Rejected {
            validator, problem, ..
        } = refused.unwrap_err()
        else {
            panic!("rejected")
        };
        assert_eq!(validator, "obeys");
        assert!(problem.starts_with("xxx") && problem.len() <= 1_024);
    }
    assert!(
        scene.open.ledger.health().healthy,
        "a verdict is no failure"
    );
    let refused = scene.change(b"panic").await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.retry()),
        ("callback_failed", Retry::Never)
    );
    assert!(
        refused
            .to_string()
            .contains("validator obeys failed at change: it panicked")
    );
    assert_eq!(
        scene.open.ledger.health().cause,
        "validator obeys: it panicked"
    );
    scene.others_go_on().await;
    assert!(scene.open.ledger.health().healthy, "it works again");
    assert_eq!(scene.change(b"good").await.unwrap().version, 3);
}

#[tokio::test]
async fn a_slow_validator_holds_nobody_up_but_its_change() {
    let scene = Scene::new(WAIT).await;
    let hang = scene.validator.hang(1);
    let slow = async {
        let changed = scene.change(b"hang").await.unwrap();
        assert_eq!(changed.version, 2, "decided when it is sent");
    };
    let others = async {
        scene
            .open
            .until("it hangs", async || hang[0].0.try_recv().is_ok())
            .await;
        scene.others_go_on().await;
        assert_eq!(scene.change(b"good").await.unwrap().version, 1);
        drop(hang);
    };
    tokio::join!(slow, others);
}

#[tokio::test]
async fn a_validator_that_hangs_is_given_up_and_as_many_as_may_hang_answer_busy() {
    let scene = Scene::new(Duration::from_millis(100)).await;
    let mut hanging = scene.validator.hang(16);
    let refused = scene.change(b"hang").await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.retry()),
        ("callback_timeout", Retry::Safe)
    );
    assert!(refused.to_string().contains("validator obeys"), "{refused}");
    let told = async || {
        let cause = scene.open.ledger.health().cause;
        cause.starts_with("validator obeys: it has not come back")
    };
    scene.open.until("health tells of it", told).await;
    // The others find threads.
    scene.others_go_on().await;
    let more: Vec<_> = (0..15).map(|_| scene.change(b"hang")).collect();
    for hung in more {
        assert_eq!(hung.await.unwrap_err().code(), "callback_timeout");
    }
    assert_eq!(scene.change(b"good").await.unwrap_err().code(), "busy");
    let (ledger, grant) = (&scene.open.ledger, &scene.open.grant);
    let audited = ledger.commit(grant, vec![Command::Audit(entry())]);
    audited.await.unwrap();
    // One comes back, and there is room for one.
    drop(hanging.pop());
    scene
        .open
        .until("there is a thread", async || {
            scene.change(b"good").await.is_ok()
        })
        .await;
    scene.open.until("fifteen have not come back", told).await;
    let began = Instant::now();
    scene.open.root.close(Duration::from_secs(1)).await.unwrap();
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
    drop(hanging);
}

#[tokio::test]
async fn a_change_that_is_sent_again_is_a_duplicate_whatever_a_validator_says_by_now() {
    let scene = Scene::new(WAIT).await;
    let named = |number: u8| Context::new().command(CommandId::from_bytes([number; 16]));
    let first = || Change {
        context: named(1),
        ..change("policy", b"good")
    };
    let second = || Rollback {
        context: named(2),
        ..rollback("policy", 1)
    };
    let changed = scene.configuration.change(first()).await.unwrap();
    let back = scene.configuration.rollback(second()).await.unwrap();
    assert_eq!((changed.version, back.version), (1, 2));
    *scene.validator.bad.lock().unwrap() = Some(b"good");
    let again = scene.configuration.change(first()).await.unwrap();
    let back_again = scene.configuration.rollback(second()).await.unwrap();
    assert!(again.receipt.duplicate && back_again.receipt.duplicate);
    assert_eq!((again.version, back_again.version), (1, 2));
    let refused = scene.change(b"good").await.unwrap_err();
    assert_eq!(refused.code(), "rejected");
}

#[tokio::test]
async fn what_a_rollback_restores_is_validated_wherever_it_comes_from() {
    let scene = Scene::new(WAIT).await;
    scene.change(b"the first").await.unwrap();
    // More than are kept in memory.
    let filling: Vec<_> = (0..70_u32)
        .map(|number| Command::Change(change("policy", &number.to_le_bytes())))
        .collect();
    let (ledger, grant) = (&scene.open.ledger, &scene.open.grant);
    ledger.commit(grant, filling).await.unwrap();
    ledger.at_least(ledger.head().seq).await.unwrap();
    let seen = || std::mem::take(&mut *scene.validator.seen.lock().unwrap());
    assert_eq!(seen().len(), 71);
    let restored = scene.configuration.rollback(rollback("policy", 1)).await;
    assert_eq!(restored.unwrap().version, 72);
    assert_eq!(seen(), [b"the first"]);
    let current = scene.configuration.current("policy").await.unwrap();
    assert_eq!(current.unwrap().content, b"the first");
    // One that the group itself makes.
    let group = vec![
        Command::Change(change("new", b"one")),
        Command::Change(change("new", b"two")),
        Command::Rollback(rollback("new", 1)),
    ];
    ledger.commit(grant, group).await.unwrap();
    assert_eq!(seen(), [b"one", b"two"], "each content once");
    *scene.validator.bad.lock().unwrap() = Some(b"the first");
    let refused = scene.configuration.rollback(rollback("policy", 1)).await;
    assert_eq!(refused.unwrap_err().code(), "rejected");
    let unknown = scene.configuration.rollback(rollback("policy", 99)).await;
    assert_eq!(unknown.unwrap_err().code(), "invalid");
    drop(scene.path);
}

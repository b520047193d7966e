// SPDX-License-Identifier: Apache-2.0
//! Records made by hand, and a journal of them in memory.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use femtoclaw_ledger::events::{
    ApprovalConfirmedV1, ApprovalGivenV1, ApprovalNamedV1, ApprovalRequestedV1,
    AuthorizationDecidedV2, CODEC_BINCODE, CommandId, ComponentId, ConfigurationChangedV1, Content,
    Decision, Event, ExecutionCompletedV1, ExecutionId, ExecutionStartedV1, LedgerOpenedV1,
    Outcome, ParentId, Party, ProtocolValidatedV1, Record, RecordHeader, Seq, StreamId, SubjectId,
    TraceId, TransitionsRecordedV1,
};
use femtoclaw_ledger::integrity::{Chain, digest};
use femtoclaw_ledger::projections::{Source, View, ViewDigest, Views, ViewsOptions, built_in};

pub(crate) const WAIT: Duration = Duration::from_secs(60);

/// A chain of records, one commit at a time.
#[derive(Default)]
pub(crate) struct History {
    pub(crate) records: Vec<Record>,
    chain: Chain,
    commits: u128,
    pub(crate) time_ns: i64,
    /// What the next commits' records are about, and who asked for them.
    pub(crate) subject: Option<SubjectId>,
    pub(crate) parent: Option<ParentId>,
}

impl History {
    pub(crate) fn commit(
        &mut self,
        component: u32,
        execution: ExecutionId,
        events: Vec<Event>,
    ) -> u64 {
        self.commits += 1;
        let len = events.len() as u16;
        for (index, event) in events.into_iter().enumerate() {
            let mut payload = Vec::new();
            event.encode_into(&mut payload);
            let event_type = event.event_type().unwrap();
            let seq = Seq::new(self.records.len() as u64 + 1).unwrap();
            let header = RecordHeader {
                event_type,
                revision: event.revision(),
                flags: 0,
                codec: CODEC_BINCODE,
                algorithm: 1,
                outcome: outcome(&event),
                stores: event_type.stores(),
                seq,
                time_ns: self.time_ns,
                stream: StreamId::from_bytes(*execution.as_bytes()),
                stream_version: 0,
                execution,
                parent: self.parent.unwrap_or(ParentId::NIL),
                trace: TraceId::NIL,
                command: CommandId::from_bytes(self.commits.to_be_bytes()),
                command_digest: [0; 32],
                commit_index: index as u16,
                commit_len: len,
                component: ComponentId(component),
                payload_len: payload.len() as u32,
                payload_commitment: self.chain.payload_commitment(&[0; 16], &payload),
                subject: self.subject.unwrap_or(SubjectId::NIL),
                observed_difference_ns: 0,
                data_key: 0,
            };
            let mut bytes = Vec::new();
            header.encode_into(&mut bytes);
            let previous = self.records.last().map_or([0; 32], |record| record.hash);
            self.records.push(Record {
                hash: self.chain.record_hash(&previous, &bytes),
                header,
                content: Some(Content {
                    salt: [0; 16],
                    payload,
                }),
            });
        }
        self.head()
    }

    pub(crate) fn head(&self) -> u64 {
        self.records.len() as u64
    }

    /// Input, decision, start.
    pub(crate) fn begin(&mut self, execution: ExecutionId, capability: &str) -> u64 {
        let events = vec![
            validated(true),
            decided(capability, Decision::Authorized),
            started(capability),
            transitions(1, &[3, 4, 5, 6]),
        ];
        self.commit(1, execution, events)
    }

    pub(crate) fn complete(&mut self, execution: ExecutionId) -> u64 {
        self.commit(1, execution, vec![completed(), transitions(1, &[6, 7, 8])])
    }

    /// Input, and persons are asked.
    pub(crate) fn ask(
        &mut self,
        execution: ExecutionId,
        capability: &str,
        until_ns: i64,
        approvers_needed: u32,
    ) -> u64 {
        let events = vec![
            validated(true),
            requested(capability, until_ns, approvers_needed),
            transitions(1, &[3, 4, 5]),
        ];
        self.commit(1, execution, events)
    }

    /// A mixed history of at least this many records.
    pub(crate) fn mixed(records: u64) -> Self {
        let mut history = Self::default();
        history.commit(0, ExecutionId::NIL, vec![opened()]);
        let mut number = 0_u64;
        while history.head() < records {
            number += 1;
            history.time_ns += (number % 3) as i64;
            let capability = format!("capability {}", number % 5);
            match number % 10 {
                0 => {
                    let content = format!("limit = {number}\nname = x\n");
                    history.configure("limits", number / 10, content.as_bytes());
                }
                5 => {
                    let denied = decided(&capability, Decision::DeniedPolicyViolation);
                    history.commit(2, execution(number), vec![validated(true), denied]);
                }
                6 => {
                    history.commit(2, execution(number), vec![validated(false)]);
                }
                7 => {
                    history.begin(execution(number), &capability);
                }
                8 => {
                    history.ask(execution(number), &capability, number as i64 % 70, 2);
                    history.commit(3, execution(number), vec![given(1, 2)]);
                    // The next ones of these are decided on, and others wait.
                    if number % 20 == 8 {
                        let decided = approved(&capability, Decision::Authorized);
                        history.commit(3, execution(number), vec![given(2, 2), decided]);
                    }
                    if number % 60 == 8 {
                        let begun = vec![started(&capability), transitions(1, &[5, 6])];
                        history.commit(1, execution(number), begun);
                    }
                }
                _ => {
                    history.begin(execution(number), &capability);
                    history.complete(execution(number));
                }
            }
        }
        history
    }

    pub(crate) fn configure(&mut self, document: &str, version: u64, content: &[u8]) -> u64 {
        let event = ConfigurationChangedV1 {
            document: document.into(),
            version,
            configuration_version: version,
            content: content.to_vec(),
            content_digest: digest(content),
            author: "operator".into(),
            reason: format!("change {version}"),
            restored_version: 0,
        };
        self.commit(3, ExecutionId::NIL, vec![event.into()])
    }
}

fn outcome(event: &Event) -> Outcome {
    match event {
        Event::ExecutionCompleted(_) => Outcome::Success,
        Event::ExecutionFailed(_) => Outcome::Failure,
        Event::AuthorizationDecided(e) if e.decision == Decision::Authorized.code() => {
            Outcome::Success
        }
        Event::AuthorizationDecided(_) => Outcome::Denied,
        _ => Outcome::Neutral,
    }
}

pub(crate) fn execution(number: u64) -> ExecutionId {
    ExecutionId::from_bytes(u128::from(number).to_be_bytes())
}

pub(crate) fn validated(accepted: bool) -> Event {
    Event::from(ProtocolValidatedV1 {
        input: b"{}".to_vec(),
        input_len: 2,
        input_digest: digest(b"{}"),
        accepted,
        problem: String::new(),
    })
}

pub(crate) fn decided(capability: &str, decision: Decision) -> Event {
    Event::from(AuthorizationDecidedV2 {
        capability: capability.into(),
        arguments: b"{}".to_vec(),
        arguments_digest: digest(b"{}"),
        decision: decision.code(),
        reason: String::new(),
        policy_version: "1".into(),
        policy_digest: [0; 32],
        configuration_version: 0,
        registry_version: 0,
        on_behalf_of: Vec::new(),
        approval: None,
    })
}

/// A decision after persons were asked.
pub(crate) fn approved(capability: &str, decision: Decision) -> Event {
    let Event::AuthorizationDecided(mut event) = decided(capability, decision) else {
        unreachable!("a decision")
    };
    event.on_behalf_of = vec![party("owner")];
    event.approval = Some(ApprovalNamedV1 {
        request_version: 2,
        rule: "two persons".into(),
        needed: 2,
        approvers: Vec::new(),
        refused_by: None,
    });
    event.into()
}

pub(crate) fn party(id: &str) -> Party {
    Party {
        issuer: "idp".into(),
        id: id.into(),
    }
}

pub(crate) fn requested(capability: &str, until_ns: i64, approvers_needed: u32) -> Event {
    Event::from(ApprovalRequestedV1 {
        capability: capability.into(),
        arguments: b"{}".to_vec(),
        arguments_digest: digest(b"{}"),
        reason: String::new(),
        policy_version: "1".into(),
        policy_digest: [0; 32],
        configuration_version: 0,
        registry_version: 0,
        on_behalf_of: vec![party("owner")],
        asked: vec![party("a"), party("b")],
        asked_roles: Vec::new(),
        rule: "two persons".into(),
        approvers_needed,
        until_ns,
        shown: b"pay 5".to_vec(),
        shown_digest: digest(b"pay 5"),
    })
}

pub(crate) fn given(given: u32, needed: u32) -> Event {
    Event::from(ApprovalGivenV1 {
        approver: party(if given == 1 { "a" } else { "b" }),
        role: String::new(),
        authenticated: "passkey".into(),
        reason: String::new(),
        shown_digest: digest(b"pay 5"),
        given,
        needed,
    })
}

pub(crate) fn confirmed() -> Event {
    Event::from(ApprovalConfirmedV1 {
        reason: String::new(),
        policy_version: "2".into(),
        policy_digest: [0; 32],
        configuration_version: 1,
        registry_version: 0,
    })
}

pub(crate) fn started(capability: &str) -> Event {
    Event::from(ExecutionStartedV1 {
        capability: capability.into(),
        arguments_digest: digest(b"{}"),
        configuration_version: 0,
        registry_version: 0,
    })
}

pub(crate) fn completed() -> Event {
    Event::from(ExecutionCompletedV1 {
        result: b"1".to_vec(),
        result_len: 1,
        result_digest: digest(b"1"),
    })
}

pub(crate) fn transitions(machine: u8, path: &[u8]) -> Event {
    Event::from(TransitionsRecordedV1 {
        machine,
        path: path.to_vec(),
    })
}

pub(crate) fn opened() -> Event {
    Event::from(LedgerOpenedV1 {
        software: "test".into(),
        head: 0,
        in_doubt: 0,
        abandoned: 0,
        clean: true,
        duration_ns: 0,
    })
}

/// A journal in memory. Gives at most `step` records at a time, so that chunks differ.
pub(crate) struct Journal {
    records: Mutex<Vec<Record>>,
    grown: Condvar,
    step: usize,
}

impl Journal {
    pub(crate) fn new(records: &[Record], step: usize) -> Arc<Self> {
        Arc::new(Self {
            records: Mutex::new(records.to_vec()),
            grown: Condvar::new(),
            step,
        })
    }

    pub(crate) fn append(&self, records: &[Record]) {
        self.records.lock().unwrap().extend_from_slice(records);
        self.grown.notify_all();
    }
}

impl Source for Journal {
    fn head(&self) -> u64 {
        self.records.lock().unwrap().len() as u64
    }

    fn records(&self, from: Seq, max: usize) -> Result<Vec<Record>, String> {
        let records = self.records.lock().unwrap();
        let from = (from.get() - 1) as usize;
        let to = records.len().min(from + max.min(self.step));
        Ok(records.get(from..to).unwrap_or_default().to_vec())
    }

    fn wait_beyond(&self, seq: u64, timeout: Duration) -> u64 {
        let records = self.records.lock().unwrap();
        let waited = self
            .grown
            .wait_timeout_while(records, timeout, |records| records.len() as u64 <= seq);
        waited.unwrap().0.len() as u64
    }
}

pub(crate) fn open(directory: &Path, journal: &Arc<Journal>) -> Views {
    open_with(directory, journal, ViewsOptions::default())
}

pub(crate) fn open_with(directory: &Path, journal: &Arc<Journal>, options: ViewsOptions) -> Views {
    Views::open(directory, options, built_in(), journal.clone()).unwrap()
}

pub(crate) fn view(views: &Views, name: &str) -> View {
    views.view(name).unwrap()
}

/// Every view's name and state digest at this position.
pub(crate) fn digests(views: &Views, position: u64) -> Vec<ViewDigest> {
    let digest = |view: &View| {
        view.at_least(position, WAIT).unwrap();
        view.digest().unwrap()
    };
    views.all().map(digest).collect()
}

/// Waits until it holds; where it never does, the test fails with these words.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    // A sleep may take longer than it was told, and never less: the bound is at least this long.
    for _ in 0..WAIT.as_millis() {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("not in time: {what}");
}

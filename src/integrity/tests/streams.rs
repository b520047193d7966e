// SPDX-License-Identifier: Apache-2.0
//! Which headers are an execution's stream, and which are not.

use crate::events::{
    AuthorizationDecidedV2, CommandId, ComponentId, Content, Event, EventType, ExecutionId,
    HEADER_LEN, Outcome, ParentId, Record, RecordHeader, Seq, StoreMask, StreamId, SubjectId,
    TraceId,
};
use crate::integrity::Chain;
use crate::integrity::checkpoint::Checkpoint;
use crate::integrity::evidence::{
    Bundle, BundlePart, BundleProblem, Closing, Item, MakeError, Opening, Stream, StreamError,
    StreamReader,
};
use crate::integrity::key::{Algorithm, Signer};
use crate::integrity::merkle::{leaf_hash, perfect_root};
use crate::integrity::secret::SigningKey;

const EXECUTION: [u8; 16] = [7; 16];

/// A record of the execution: its version is its place, and each of a pair is of one command.
fn header(version: u64, event_type: EventType, outcome: Outcome) -> RecordHeader {
    RecordHeader {
        event_type,
        revision: 1,
        flags: 0,
        codec: 1,
        algorithm: 1,
        outcome,
        stores: StoreMask::ALL,
        seq: Seq::new(version).unwrap(),
        time_ns: 5,
        stream: StreamId::from_bytes(EXECUTION),
        stream_version: version,
        execution: ExecutionId::from_bytes(EXECUTION),
        parent: ParentId::NIL,
        trace: TraceId::NIL,
        command: CommandId::from_bytes([1 + version.div_ceil(2) as u8; 16]),
        command_digest: [0; 32],
        commit_index: (version as u16 + 1) % 2,
        commit_len: 2,
        component: ComponentId(1),
        payload_len: 0,
        payload_commitment: [0; 32],
        subject: SubjectId::NIL,
        observed_difference_ns: 0,
        data_key: 0,
    }
}

/// Authorized, started, completed: three commands of two records each.
fn completed() -> Vec<RecordHeader> {
    use EventType as E;
    vec![
        header(1, E::AuthorizationDecided, Outcome::Success),
        header(2, E::TransitionsRecorded, Outcome::Neutral),
        header(3, E::ExecutionStarted, Outcome::Neutral),
        header(4, E::TransitionsRecorded, Outcome::Neutral),
        header(5, E::ExecutionCompleted, Outcome::Success),
        header(6, E::TransitionsRecorded, Outcome::Neutral),
    ]
}

fn read(headers: &[RecordHeader]) -> Result<Stream, StreamError> {
    let mut reader = StreamReader::new(ExecutionId::from_bytes(EXECUTION));
    headers.iter().try_for_each(|it| reader.next(it))?;
    reader.finish()
}

/// What is said of the completed execution after a change.
fn changed(change: impl FnOnce(&mut Vec<RecordHeader>)) -> &'static str {
    let mut headers = completed();
    change(&mut headers);
    read(&headers).unwrap_err().code()
}

#[test]
fn only_a_gapless_stream_with_its_end_is_complete() {
    let all = completed();
    assert_eq!(read(&[]), Err(StreamError::Empty));
    for records in 1..6 {
        let found = read(&all[..records]);
        let records = records as u64;
        assert_eq!(found, Ok(Stream::Open { records }));
    }
    let closed_by = Closing::Completed;
    let records = 6;
    assert_eq!(read(&all), Ok(Stream::Complete { records, closed_by }));
    for missing in 1..6 {
        let word = changed(|it| it.retain(|header| header.stream_version != missing));
        assert_eq!(word, "version", "without {missing}");
    }
}

#[test]
fn what_breaks_the_ledgers_rules_is_named() {
    assert_eq!(changed(|it| it.swap(2, 4)), "version");
    assert_eq!(changed(|it| it[3].seq = Seq::FIRST), "order");
    assert_eq!(changed(|it| it[3].time_ns = 4), "order");
    assert_eq!(changed(|it| it[2].stream_version = 2), "version");
    assert_eq!(changed(|it| it[2].stream = StreamId::NIL), "other_stream");
    assert_eq!(
        changed(|it| it[2].execution = ExecutionId::NIL),
        "other_stream"
    );
    // A second record behind the end, whatever its version.
    for version in [3, 7] {
        let mut more = header(7, EventType::ExecutionFailed, Outcome::Failure);
        more.stream_version = version;
        assert_eq!(changed(|it| it.push(more)), "after_end");
    }
    // Records of one command stand side by side.
    assert_eq!(
        changed(|it| it[5].seq = Seq::new(9).unwrap()),
        "torn_command"
    );
    assert_eq!(changed(|it| it[5].command = CommandId::NIL), "torn_command");
    assert_eq!(
        changed(|it| it[5].component = ComponentId(2)),
        "torn_command"
    );
    assert_eq!(changed(|it| it[5].commit_index = 0), "torn_command");
    assert_eq!(changed(|it| it[5].commit_len = 3), "torn_command");
    // What the rules do not allow: an end without a start, a start that was denied, two decisions, another's event.
    let kind = |at: usize, kind| changed(move |it| it[at].event_type = kind);
    assert_eq!(kind(2, EventType::ExecutionCompleted), "rule");
    assert_eq!(kind(2, EventType::AuthorizationDecided), "rule");
    assert_eq!(kind(4, EventType::AuditRecorded), "rule");
    assert_eq!(kind(5, EventType::ExecutionFailed), "rule");
    assert_eq!(kind(0, EventType(0x0199)), "rule");
    assert_eq!(changed(|it| it[0].outcome = Outcome::Denied), "after_end");
    assert_eq!(changed(|it| it[0].outcome = Outcome::Later(9)), "rule");
    assert_eq!(
        changed(|it| it[0].event_type = EventType::TransitionsRecorded),
        "rule"
    );
}

/// Asked, approved by two, decided with the second: what persons say stands alone or right before what it brings about.
#[test]
fn an_approval_stands_alone_or_right_before_its_decision() {
    use EventType as E;
    let own = |version, event_type, outcome, command, (index, length)| RecordHeader {
        command: CommandId::from_bytes([command; 16]),
        commit_index: index,
        commit_len: length,
        ..header(version, event_type, outcome)
    };
    let all = vec![
        own(1, E::ApprovalRequested, Outcome::Neutral, 1, (0, 2)),
        own(2, E::TransitionsRecorded, Outcome::Neutral, 1, (1, 2)),
        own(3, E::ApprovalGiven, Outcome::Neutral, 2, (0, 1)),
        own(4, E::ApprovalGiven, Outcome::Neutral, 3, (0, 2)),
        own(5, E::AuthorizationDecided, Outcome::Success, 3, (1, 2)),
        own(6, E::ExecutionStarted, Outcome::Neutral, 4, (0, 2)),
        own(7, E::TransitionsRecorded, Outcome::Neutral, 4, (1, 2)),
    ];
    assert_eq!(read(&all), Ok(Stream::Open { records: 7 }));
    let changed = |change: fn(&mut Vec<RecordHeader>)| {
        let mut headers = all.clone();
        change(&mut headers);
        read(&headers).map_err(|error| error.code())
    };
    // Two components, each with a command of its own: their ids may be the same.
    let one_id = changed(|it| {
        it[2].command = it[3].command;
        it[2].component = ComponentId(2);
    });
    assert_eq!(one_id, Ok(Stream::Open { records: 7 }));
    // A decision that was made later than the approval that it rests on, or by another command.
    for torn in [
        |it: &mut Vec<RecordHeader>| it[4].command = CommandId::NIL,
        |it: &mut Vec<RecordHeader>| it[4].component = ComponentId(2),
        |it: &mut Vec<RecordHeader>| it[3].command = it[2].command,
        |it: &mut Vec<RecordHeader>| {
            it[4..].iter_mut().for_each(|it| it.seq = it.seq.plus(1));
        },
    ] {
        assert_eq!(changed(torn), Err("torn_command"));
    }
}

/// A ledger that writes *denied* into the header and *authorized* into the payload: the end is read from
/// the header, so the two are compared.
#[test]
fn a_payload_that_tells_another_thing_than_its_header_is_refused() {
    let key = SigningKey::from_seed("log", Algorithm::Ed25519, &[3; 32]).unwrap();
    let made = |decision| {
        let mut payload = Vec::new();
        Event::from(AuthorizationDecidedV2 {
            capability: "c".to_owned(),
            arguments: b"1".to_vec(),
            arguments_digest: [0; 32],
            decision,
            reason: String::new(),
            policy_version: String::new(),
            policy_digest: [0; 32],
            configuration_version: 0,
            registry_version: 0,
            on_behalf_of: Vec::new(),
            approval: None,
        })
        .encode_into(&mut payload);
        let mut header = header(1, EventType::AuthorizationDecided, Outcome::Denied);
        header.seq = Seq::new(2).unwrap();
        header.payload_len = payload.len() as u32;
        header.revision = 2;
        header.payload_commitment = Chain::default().payload_commitment(&[9; 16], &payload);
        let mut entry = Vec::with_capacity(HEADER_LEN);
        header.encode_into(&mut entry);
        let mut first = header.clone();
        first.event_type = EventType::LedgerOpened;
        first.component = ComponentId::LEDGER;
        first.stream = StreamId::from_bytes([1; 16]);
        first.seq = Seq::FIRST;
        let mut opened = Vec::new();
        first.encode_into(&mut opened);
        let leaves = [leaf_hash(&opened), leaf_hash(&entry)];
        let root = perfect_root(&leaves).unwrap();
        let note = Checkpoint::new("log", 2, root).unwrap().sign(&key).unwrap();
        let record = Record {
            header,
            hash: [0; 32],
            content: Some(Content {
                salt: [9; 16],
                payload,
            }),
        };
        let opening = Opening {
            header: first,
            path: vec![leaves[1]],
        };
        let execution = ExecutionId::from_bytes(EXECUTION);
        let items = vec![Item::new(record, vec![leaves[0]])];
        Bundle::new(
            opening,
            execution,
            Vec::new(),
            items,
            &note,
            &[key.key().clone()],
        )
    };
    assert!(made(4).is_ok());
    let Err(MakeError::Unsound(refused)) = made(1) else {
        panic!("it is accepted");
    };
    assert_eq!(refused.part, BundlePart::Payload(Seq::new(2).unwrap()));
    assert_eq!(refused.problem, BundleProblem::Disagreement);
}

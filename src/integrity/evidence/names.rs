// SPDX-License-Identifier: Apache-2.0
//! Names of components: for each the record of a grant, which ties its number to its name, with its proof.
//!
//! A number stands for one component for ever, and every grant of it repeats the name; so any grant
//! before the component's first record here names it, and makers take the first of all. That the ledger
//! kept this rule is not shown: a signer who gave one number two names has both in its tree.

use crate::events::{ComponentId, Content, Event, EventType, Record, RecordHeader};
use crate::integrity::merkle::TreeHash;

/// The record of a grant, which names a component.
///
/// Example: [`Bundle`](crate::integrity::evidence::Bundle).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Naming {
    /// Its header: the entry of the tree.
    pub header: RecordHeader,
    /// Its payload, which holds number and name: without it nothing would be named.
    pub content: Content,
    /// The inclusion proof.
    pub path: Vec<TreeHash>,
}

/// A component by its name.
///
/// Example: [`Bundle`](crate::integrity::evidence::Bundle).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ComponentName {
    /// The component.
    pub component: ComponentId,
    /// Its name, as it was granted.
    pub name: String,
}

impl Naming {
    /// The record, as its reader was given it; `None` where it names nobody, or not to this reader. Its proof
    /// is still to come.
    #[must_use]
    pub fn new(record: Record) -> Option<Self> {
        let naming = Self {
            header: record.header,
            content: record.content?,
            path: Vec::new(),
        };
        naming.named().is_some().then_some(naming)
    }

    /// The component and its name; `None` where the record is no grant, or none that this software can
    /// read.
    #[must_use]
    pub fn named(&self) -> Option<ComponentName> {
        let header = &self.header;
        // Whatever it holds: only the ledger's own word names anybody.
        let grants = header.event_type == EventType::ComponentGranted
            && header.component == ComponentId::LEDGER;
        match header.event(&self.content.payload) {
            Ok(Event::ComponentGranted(granted)) if grants => Some(ComponentName {
                component: ComponentId(granted.component),
                name: granted.name,
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{
        CommandId, ComponentGrantedV1, ExecutionId, Outcome, ParentId, Seq, StoreMask, StreamId,
        SubjectId, TraceId, encode_into,
    };

    fn naming(event_type: EventType, revision: u16, component: u32, payload: Vec<u8>) -> Naming {
        let header = RecordHeader {
            event_type,
            revision,
            flags: 0,
            codec: 1,
            algorithm: 1,
            outcome: Outcome::Neutral,
            stores: StoreMask::ALL,
            seq: Seq::FIRST,
            time_ns: 5,
            stream: StreamId::NIL,
            stream_version: 0,
            execution: ExecutionId::NIL,
            parent: ParentId::NIL,
            trace: TraceId::NIL,
            command: CommandId::NIL,
            command_digest: [0; 32],
            commit_index: 0,
            commit_len: 1,
            component: ComponentId(component),
            payload_len: 0,
            payload_commitment: [0; 32],
            subject: SubjectId::NIL,
            observed_difference_ns: 0,
            data_key: 0,
        };
        Naming {
            header,
            content: Content {
                salt: [0; 16],
                payload,
            },
            path: Vec::new(),
        }
    }

    /// A grant of the first builds names its component; what another component wrote, or this software cannot
    /// read, names nobody.
    #[test]
    fn only_the_ledgers_own_word_names_a_component() {
        let granted = ComponentGrantedV1 {
            component: 7,
            name: "gate".to_owned(),
            append: 1,
            read: 1,
        };
        let mut payload = Vec::new();
        encode_into(&granted, &mut payload);
        let of = |event_type, revision, component| {
            naming(event_type, revision, component, payload.clone()).named()
        };
        let kind = EventType::ComponentGranted;
        let gate = ComponentName {
            component: ComponentId(7),
            name: "gate".to_owned(),
        };
        assert_eq!(of(kind, 1, 0), Some(gate));
        for (event_type, revision, component) in [
            (kind, 1, 1),
            (kind, 2, 0),
            (kind, 3, 0),
            (EventType::ComponentRevoked, 1, 0),
        ] {
            assert_eq!(of(event_type, revision, component), None);
        }
        assert_eq!(naming(kind, 1, 0, Vec::new()).named(), None);
    }
}

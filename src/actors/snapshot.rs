// SPDX-License-Identifier: Apache-2.0
//! A state as bytes, so that an opening need not read all that made it.
//!
//! Disposable: the bytes are no format for ever, and a layout that this software does not know is
//! passed over. They are believed only where a record of the journal holds their digest, and that
//! record is also their place: what they say is what was true right before it.

use std::sync::Arc;

use rpds::RedBlackTreeMapSync;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::events::{DecodeError, Seq, decode_state, encode_into};

use super::configuration::ConfigurationState;
use super::execution_log::{ExecutionLogState, ExecutionsPortrait};
use super::kinds::{Kinds, KindsPortrait};
use super::runtime_metadata::RuntimeMetadataState;

/// A state that can be saved.
pub(crate) trait Snapshot: Sized {
    /// `SnapshotTakenV1::state`.
    const STATE: u8;
    /// Rises with every change of what is encoded; `tests::layouts_are_what_they_were` notices a
    /// change that forgets to.
    const LAYOUT: u32;
    type Saved: Serialize + DeserializeOwned;

    fn portrait(&self) -> Self::Saved;

    /// The state right before the record `at`.
    fn from_portrait(saved: Self::Saved, at: Seq) -> Self;

    /// The bytes; what ended up to `forgotten` may have left the state, and views must hold it.
    fn saved(&self, forgotten: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode_into(&(forgotten, self.portrait()), &mut bytes);
        bytes
    }

    /// Behind which record places are that were not known yet; `None` where all were.
    fn unplaced_after(_: &Self::Saved) -> Option<u64> {
        None
    }

    fn restored(bytes: &[u8], at: Seq) -> Result<RestoredState<Self>, DecodeError> {
        let (forgotten, saved) = decode_state(bytes)?;
        Ok(RestoredState {
            unplaced_after: Self::unplaced_after(&saved),
            state: Self::from_portrait(saved, at),
            forgotten,
        })
    }
}

/// A state as bytes.
pub(crate) struct SavedState {
    pub(super) state: u8,
    pub(super) layout: u32,
    pub(super) bytes: Vec<u8>,
}

impl SavedState {
    pub(super) fn of<S: Snapshot>(state: &S, forgotten: u64) -> Self {
        Self {
            state: S::STATE,
            layout: S::LAYOUT,
            bytes: state.saved(forgotten),
        }
    }
}

/// A saved state, read back.
pub(crate) struct RestoredState<S> {
    pub(crate) state: S,
    /// Up to where it may have forgotten.
    pub(crate) forgotten: u64,
    pub(crate) unplaced_after: Option<u64>,
}

impl Snapshot for ExecutionLogState {
    const STATE: u8 = 1;
    const LAYOUT: u32 = 3;
    type Saved = ExecutionsPortrait;

    fn portrait(&self) -> ExecutionsPortrait {
        self.portrait()
    }

    fn from_portrait(saved: ExecutionsPortrait, at: Seq) -> Self {
        Self::from_portrait(saved, at)
    }
}

/// Of a state whose places may not all be known when it is saved.
macro_rules! with_places {
    ($state:ty, $number:literal, $layout:literal, $portrait:ty) => {
        impl Snapshot for $state {
            const STATE: u8 = $number;
            const LAYOUT: u32 = $layout;
            type Saved = $portrait;

            fn unplaced_after(saved: &Self::Saved) -> Option<u64> {
                saved.unplaced_after()
            }

            fn portrait(&self) -> Self::Saved {
                self.portrait()
            }

            fn from_portrait(saved: Self::Saved, _: Seq) -> Self {
                Self::from_portrait(saved)
            }
        }
    };
}

with_places!(
    ConfigurationState,
    2,
    2,
    super::configuration::ConfigurationPortrait
);
with_places!(
    RuntimeMetadataState,
    3,
    2,
    super::runtime_metadata::RuntimePortrait
);

/// Component names and numbers. A clone costs nothing, however many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ComponentNames(pub(crate) RedBlackTreeMapSync<Arc<str>, u32>);

impl Snapshot for Kinds {
    const STATE: u8 = 5;
    const LAYOUT: u32 = 1;
    type Saved = KindsPortrait;

    fn portrait(&self) -> Self::Saved {
        self.portrait()
    }

    fn from_portrait(saved: Self::Saved, _: Seq) -> Self {
        Self::from_portrait(saved)
    }
}

impl Snapshot for ComponentNames {
    const STATE: u8 = 4;
    const LAYOUT: u32 = 1;
    type Saved = RedBlackTreeMapSync<Arc<str>, u32>;

    fn portrait(&self) -> Self::Saved {
        self.0.clone()
    }

    fn from_portrait(saved: Self::Saved, _: Seq) -> Self {
        Self(saved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::draft::{Draft, REGISTRY_STREAM, RUNTIME_STREAM, execution_stream};
    use crate::actors::event_sourced::EventSourced;
    use crate::actors::kinds::JournalKinds;
    use crate::events::{
        AuthorizationDecidedV2, CapabilityRegisteredV1, ComponentId, ConfigurationChangedV1, Event,
        EventType, ExecutionId, ExecutionStartedV1, Hash, ModuleVersionSetV1, ProtocolValidatedV1,
        RuntimeId, RuntimeIdentifiedV1,
    };
    use crate::integrity::digest;

    const EXECUTION: ExecutionId = ExecutionId::from_bytes([1; 16]);

    fn executions() -> Vec<Draft> {
        let of = |event: Event, execution: ExecutionId, version| {
            let stream = execution_stream(execution);
            Draft::new(event)
                .execution(execution)
                .stream(stream, version)
        };
        let decided = AuthorizationDecidedV2 {
            capability: "read_file".to_owned(),
            arguments_digest: [2; 32],
            arguments: b"{}".to_vec(),
            decision: 1,
            reason: String::new(),
            configuration_version: 3,
            registry_version: 4,
            policy_version: "p1".to_owned(),
            policy_digest: [5; 32],
            on_behalf_of: Vec::new(),
            approval: None,
        };
        let started = ExecutionStartedV1 {
            capability: "read_file".to_owned(),
            arguments_digest: [2; 32],
            configuration_version: 3,
            registry_version: 4,
        };
        let rejected = ProtocolValidatedV1 {
            accepted: false,
            problem: "no".to_owned(),
            input: Vec::new(),
            input_len: 0,
            input_digest: [0; 32],
        };
        vec![
            of(decided.into(), EXECUTION, 1),
            of(started.into(), EXECUTION, 2),
            of(rejected.into(), ExecutionId::from_bytes([6; 16]), 1),
        ]
    }

    fn metadata() -> Vec<Draft> {
        let identified = RuntimeIdentifiedV1 {
            runtime: RuntimeId::from_bytes([7; 16]),
            version: "1.2".to_owned(),
        };
        let module = ModuleVersionSetV1 {
            module: "gate".to_owned(),
            version: "3".to_owned(),
        };
        let registered = CapabilityRegisteredV1 {
            capability: "read_file".to_owned(),
            version: "1".to_owned(),
            description: "reads".to_owned(),
            parameters: b"{}".to_vec(),
            registry_version: 1,
        };
        vec![
            Draft::new(identified).stream(RUNTIME_STREAM, 1),
            Draft::new(module).stream(RUNTIME_STREAM, 2),
            Draft::new(registered).stream(REGISTRY_STREAM, 1),
        ]
    }

    fn state_of<S: EventSourced + Default>(drafts: &[Draft]) -> S {
        let mut state = S::default();
        for draft in drafts {
            state.apply(draft, ComponentId(1)).unwrap();
        }
        state
    }

    fn there_and_back<S: Snapshot>(state: &S) -> (u32, String) {
        let bytes = state.saved(8);
        let restored = S::restored(&bytes, Seq::FIRST).unwrap();
        let again = (restored.state.saved(8), restored.forgotten);
        assert_eq!(again, (bytes.clone(), 8));
        let hash: Hash = digest(&bytes);
        (S::LAYOUT, base16ct::lower::encode_string(&hash[..4]))
    }

    #[test]
    fn layouts_are_what_they_were() {
        let changed = ConfigurationChangedV1 {
            document: "policy".to_owned(),
            version: 1,
            configuration_version: 1,
            content: b"{}".to_vec(),
            content_digest: digest(b"{}"),
            author: String::new(),
            reason: String::new(),
            restored_version: 0,
        };
        let executions: ExecutionLogState = state_of(&executions());
        let configuration: ConfigurationState = state_of(&[Draft::new(changed)]);
        let metadata: RuntimeMetadataState = state_of(&metadata());
        let names = ComponentNames([("one".into(), 1)].into_iter().collect());
        let kinds = JournalKinds::default();
        kinds.sequenced(EventType::LedgerOpened, 1, Seq::FIRST);
        // Another digest under the same layout number is a mistake: raise the number.
        let layouts = [
            there_and_back(&executions),
            there_and_back(&configuration),
            there_and_back(&metadata),
            there_and_back(&names),
            there_and_back(&kinds.through(0)),
        ];
        let expected = [
            (3, "1576ee86"),
            (2, "236d840c"),
            (2, "1a1a5b58"),
            (1, "04d10cbc"),
            (1, "f0fd6331"),
        ];
        assert_eq!(
            layouts,
            expected.map(|(layout, hash)| (layout, hash.to_owned()))
        );
    }
}

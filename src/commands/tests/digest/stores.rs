// SPDX-License-Identifier: Apache-2.0
//! The fields of what configuration and runtime metadata are asked.

use super::*;
use crate::events::{RuntimeId, State};

pub(super) fn documents(kinds: &mut Kinds) {
    let change = || Change {
        context: Context::new(),
        document: "policy".into(),
        content: b"{}".to_vec(),
        author: "ada".into(),
        reason: "a reason".into(),
        expected_version: None,
    };
    let changes = fields!(Change {
        context: context(),
        document: text(),
        content: bytes(),
        author: text(),
        reason: text(),
        expected_version: optional_number(),
    });
    kinds.each(change, Command::Change, changes);
    let rollback = || Rollback {
        context: Context::new(),
        document: "policy".into(),
        to_version: 1,
        author: "ada".into(),
        reason: "a reason".into(),
        expected_version: None,
    };
    let changes = fields!(Rollback {
        context: context(),
        document: text(),
        to_version: to([2]),
        author: text(),
        reason: text(),
        expected_version: optional_number(),
    });
    kinds.each(rollback, Command::Rollback, changes);
}

pub(super) fn capabilities(kinds: &mut Kinds) {
    let register = || RegisterCapability {
        context: Context::new(),
        capability: "run".into(),
        definition: CapabilityDefinition::default(),
        expected_version: None,
    };
    let changes = fields!(RegisterCapability {
        context: context(),
        capability: text(),
        definition: definition(),
        expected_version: optional_number(),
    });
    kinds.each(register, Command::RegisterCapability, changes);
    let change = || ChangeCapability {
        context: Context::new(),
        capability: "run".into(),
        definition: CapabilityDefinition::default(),
        expected_version: None,
    };
    let changes = fields!(ChangeCapability {
        context: context(),
        capability: text(),
        definition: definition(),
        expected_version: optional_number(),
    });
    kinds.each(change, Command::ChangeCapability, changes);
    let switch = || SwitchCapability {
        context: Context::new(),
        capability: "run".into(),
        enabled: true,
        reason: "a reason".into(),
        expected_version: None,
    };
    let changes = fields!(SwitchCapability {
        context: context(),
        capability: text(),
        enabled: to([false]),
        reason: text(),
        expected_version: optional_number(),
    });
    kinds.each(switch, Command::SwitchCapability, changes);
    let unregister = || UnregisterCapability {
        context: Context::new(),
        capability: "run".into(),
        reason: "a reason".into(),
        expected_version: None,
    };
    let changes = fields!(UnregisterCapability {
        context: context(),
        capability: text(),
        reason: text(),
        expected_version: optional_number(),
    });
    kinds.each(unregister, Command::UnregisterCapability, changes);
}

pub(super) fn runtime(kinds: &mut Kinds) {
    let identify = || Identify {
        context: Context::new(),
        runtime: RuntimeId::from_bytes([1; 16]),
        version: "1".into(),
    };
    let changes = fields!(Identify {
        context: context(),
        runtime: to([RuntimeId::from_bytes([2; 16])]),
        version: text(),
    });
    kinds.each(identify, Command::Identify, changes);
    let set = || SetModule {
        context: Context::new(),
        module: "gate".into(),
        version: "1".into(),
    };
    let changes = fields!(SetModule {
        context: context(),
        module: text(),
        version: text(),
    });
    kinds.each(set, Command::SetModule, changes);
    let remove = || RemoveModule {
        context: Context::new(),
        module: "gate".into(),
    };
    let changes = fields!(RemoveModule {
        context: context(),
        module: text(),
    });
    kinds.each(remove, Command::RemoveModule, changes);
    let transition = || Transition {
        context: Context::new(),
        to: State::Idle,
        expected: None,
    };
    let changes = fields!(Transition {
        context: context(),
        to: to([State::Error, State::Shutdown]),
        expected: to([Some(State::Idle), Some(State::Error)]),
    });
    kinds.each(transition, Command::Transition, changes);
    let save = || SavePosition {
        context: Context::new(),
        name: "reader".into(),
        seq: 1,
        expected: None,
    };
    let changes = fields!(SavePosition {
        context: context(),
        name: text(),
        seq: to([0, 2]),
        expected: optional_number(),
    });
    kinds.each(save, Command::SavePosition, changes);
}

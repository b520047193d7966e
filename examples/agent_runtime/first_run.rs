// SPDX-License-Identifier: Apache-2.0
//! What the first run tells the ledger about itself.

use femtoclaw_ledger::clock::{Entropy, SystemEntropy};
use femtoclaw_ledger::events::{CommandId, RuntimeId};
use femtoclaw_ledger::{
    CapabilityDefinition, Context,
    group::Command,
    runtime_metadata::{Identify, RegisterCapability, SetModule, SwitchCapability},
};

use crate::capabilities::{LEFT_DISABLED, REGISTERED};

/// The libraries that a decision rests on, with the versions this example is built with.
const MODULES: [(&str, &str); 2] = [
    ("femtoclaw-policy", "1.0.3"),
    ("femtoclaw-protocol", "1.0.3"),
];

/// Who it is, its modules and its capabilities, all but one of these enabled, as one group: a crash
/// leaves all of it or nothing, so a later start can tell a first run from an operator's choice.
/// Every command has an id, for the group is answered as a whole and each is looked up after.
pub(crate) fn first_run() -> Vec<Command> {
    let identify = Command::Identify(Identify {
        context: identified(),
        runtime: RuntimeId::from_bytes(SystemEntropy::default().bytes16()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    });
    let modules = MODULES.into_iter().map(set_module);
    let capabilities = REGISTERED.into_iter().flat_map(register);
    let group = std::iter::once(identify).chain(modules);
    group.chain(capabilities).collect()
}

fn identified() -> Context {
    let id = SystemEntropy::default().bytes16();
    Context::new().command(CommandId::from_bytes(id))
}

fn set_module((module, version): (&str, &str)) -> Command {
    Command::SetModule(SetModule {
        context: identified(),
        module: module.to_owned(),
        version: version.to_owned(),
    })
}

/// Registered is disabled; enabling is a command of its own.
fn register((name, description, parameters): (&str, &str, &str)) -> Vec<Command> {
    let mut commands = vec![Command::RegisterCapability(RegisterCapability {
        context: identified(),
        capability: name.to_owned(),
        definition: CapabilityDefinition {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            description: description.to_owned(),
            parameters: parameters.as_bytes().to_vec(),
        },
        expected_version: None,
    })];
    if name != LEFT_DISABLED {
        commands.push(Command::SwitchCapability(SwitchCapability {
            context: identified(),
            capability: name.to_owned(),
            enabled: true,
            reason: "first run".to_owned(),
            expected_version: None,
        }));
    }
    commands
}

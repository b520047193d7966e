// SPDX-License-Identifier: Apache-2.0
//! Commands of the runtime metadata store (FC-STORAGE §9; state machine specification §10).

use super::check::{self, Checked, Fields};
use super::given::fields;
use super::setters::setters;
use super::{Content, Context};
use crate::config::{BUILTIN_CAPABILITY, Limits};
use crate::events::{RuntimeId, State, Store};

macro_rules! metadata_command {
    ($name:ident, |$this:ident, $limits:ident| $validate:block, |$fields:ident| $digest:block,
     $len:expr) => {
        impl Content for $name {
            const STORE: Store = Store::RuntimeMetadata;

            fn context(&self) -> &Context {
                &self.context
            }

            fn validate(&self, $limits: &Limits) -> Checked {
                let $this = self;
                $validate
            }

            fn digest(&self, $fields: &mut Fields) {
                let $this = self;
                $digest;
            }

            fn content_len(&self) -> usize {
                let $this = self;
                $len
            }
        }
    };
}

/// Says who the runtime is.
#[derive(Clone, PartialEq, Eq)]
pub struct Identify {
    /// Common to all commands.
    pub context: Context,
    /// The runtime's id.
    pub runtime: RuntimeId,
    /// Its version.
    pub version: String,
}

fields!(Identify {
    kept context,
    kept runtime,
    text version,
});

metadata_command!(
    Identify,
    |it, limits| {
        check::id("runtime", it.runtime.is_nil())?;
        check::name("version", &it.version, limits)
    },
    |fields| { fields.bytes(it.runtime.as_bytes()).text(&it.version) },
    it.version.len() + 16
);

/// Sets a module's version.
#[derive(Clone, PartialEq, Eq)]
pub struct SetModule {
    /// Common to all commands.
    pub context: Context,
    /// The module's name.
    pub module: String,
    /// Its version.
    pub version: String,
}

fields!(SetModule {
    kept context,
    kept module,
    text version,
});

metadata_command!(
    SetModule,
    |it, limits| {
        check::name("module", &it.module, limits)?;
        check::name("version", &it.version, limits)
    },
    |fields| { fields.text(&it.module).text(&it.version) },
    it.module.len() + it.version.len() + 16
);

/// Removes a module.
#[derive(Clone, PartialEq, Eq)]
pub struct RemoveModule {
    /// Common to all commands.
    pub context: Context,
    /// The module's name.
    pub module: String,
}

fields!(RemoveModule {
    kept context,
    kept module,
});

metadata_command!(
    RemoveModule,
    |it, limits| { check::name("module", &it.module, limits) },
    |fields| { fields.text(&it.module) },
    it.module.len() + 16
);

/// What a capability is.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct CapabilityDefinition {
    /// Its version.
    pub version: String,
    /// What it does.
    pub description: String,
    /// Its parameters, JSON of any shape, kept byte for byte; may be empty.
    pub parameters: Vec<u8>,
}

fields!(CapabilityDefinition {
    text version,
    text description,
    json parameters,
});

impl CapabilityDefinition {
    /// Its version; without description and parameters until said.
    #[must_use]
    pub fn new(version: impl Into<String>) -> Self {
        Self {
            version: version.into(),
            ..Self::default()
        }
    }
}

setters!(CapabilityDefinition {
    /// What it does.
    into description = description: String;
    /// With these parameters: JSON, kept byte for byte.
    into parameters = parameters: Vec<u8>;
    /// With these parameters, as JSON.
    json parameters_json = parameters: Vec<u8>;
});

impl CapabilityDefinition {
    fn validate(&self, limits: &Limits) -> Checked {
        check::name("version", &self.version, limits)?;
        check::text(&self.description, limits)?;
        check::payload(&self.parameters, limits)?;
        check::optional_json("parameters", &self.parameters)
    }

    fn digest<'a>(&self, fields: &'a mut Fields) -> &'a mut Fields {
        fields
            .text(&self.version)
            .text(&self.description)
            .bytes(&self.parameters)
    }

    fn len(&self) -> usize {
        self.version.len() + self.description.len() + self.parameters.len() + 32
    }
}

/// The built-in capability is always there and enabled: it cannot be registered or switched.
fn capability(name: &str, limits: &Limits) -> Checked {
    check::name("capability", name, limits)?;
    if name == BUILTIN_CAPABILITY {
        return Err(check::invalid("capability", "is built in"));
    }
    Ok(())
}

/// Registers a capability; it is disabled until it is enabled.
#[derive(Clone, PartialEq, Eq)]
pub struct RegisterCapability {
    /// Common to all commands.
    pub context: Context,
    /// The capability's name.
    pub capability: String,
    /// What it is.
    pub definition: CapabilityDefinition,
    /// Refuse unless the registry stands at this version.
    pub expected_version: Option<u64>,
}

fields!(RegisterCapability {
    kept context,
    kept capability,
    nested definition,
    kept expected_version,
});

metadata_command!(
    RegisterCapability,
    |it, limits| {
        capability(&it.capability, limits)?;
        it.definition.validate(limits)
    },
    |fields| {
        fields.text(&it.capability);
        it.definition
            .digest(fields)
            .optional_number(it.expected_version)
    },
    it.capability.len() + it.definition.len()
);

/// Changes a capability's definition; whether it is enabled does not change.
#[derive(Clone, PartialEq, Eq)]
pub struct ChangeCapability {
    /// Common to all commands.
    pub context: Context,
    /// The capability's name.
    pub capability: String,
    /// What it is from now on.
    pub definition: CapabilityDefinition,
    /// Refuse unless the registry stands at this version.
    pub expected_version: Option<u64>,
}

fields!(ChangeCapability {
    kept context,
    kept capability,
    nested definition,
    kept expected_version,
});

metadata_command!(
    ChangeCapability,
    |it, limits| {
        capability(&it.capability, limits)?;
        it.definition.validate(limits)
    },
    |fields| {
        fields.text(&it.capability);
        it.definition
            .digest(fields)
            .optional_number(it.expected_version)
    },
    it.capability.len() + it.definition.len()
);

/// Enables or disables a capability. Enabling an enabled one is an invalid transition.
#[derive(Clone, PartialEq, Eq)]
pub struct SwitchCapability {
    /// Common to all commands.
    pub context: Context,
    /// The capability's name.
    pub capability: String,
    /// Whether it may be used from now on.
    pub enabled: bool,
    /// Why; may be empty.
    pub reason: String,
    /// Refuse unless the registry stands at this version.
    pub expected_version: Option<u64>,
}

fields!(SwitchCapability {
    kept context,
    kept capability,
    kept enabled,
    text reason,
    kept expected_version,
});

metadata_command!(
    SwitchCapability,
    |it, limits| {
        capability(&it.capability, limits)?;
        check::text(&it.reason, limits)
    },
    |fields| {
        fields
            .text(&it.capability)
            .bytes(&[u8::from(it.enabled)])
            .text(&it.reason)
            .optional_number(it.expected_version)
    },
    it.capability.len() + it.reason.len() + 32
);

/// Unregisters a capability.
#[derive(Clone, PartialEq, Eq)]
pub struct UnregisterCapability {
    /// Common to all commands.
    pub context: Context,
    /// The capability's name.
    pub capability: String,
    /// Why; may be empty.
    pub reason: String,
    /// Refuse unless the registry stands at this version.
    pub expected_version: Option<u64>,
}

fields!(UnregisterCapability {
    kept context,
    kept capability,
    text reason,
    kept expected_version,
});

metadata_command!(
    UnregisterCapability,
    |it, limits| {
        capability(&it.capability, limits)?;
        check::text(&it.reason, limits)
    },
    |fields| {
        fields
            .text(&it.capability)
            .text(&it.reason)
            .optional_number(it.expected_version)
    },
    it.capability.len() + it.reason.len() + 32
);

/// Moves the runtime's state machine one step.
#[derive(Clone, PartialEq, Eq)]
pub struct Transition {
    /// Common to all commands.
    pub context: Context,
    /// Where to: one of the runtime's five states.
    pub to: State,
    /// Refuse unless it stands here.
    pub expected: Option<State>,
}

fields!(Transition {
    kept context,
    kept to,
    kept expected,
});

impl Content for Transition {
    const STORE: Store = Store::RuntimeMetadata;

    fn context(&self) -> &Context {
        &self.context
    }

    fn validate(&self, _: &Limits) -> Checked {
        Ok(())
    }

    fn digest(&self, fields: &mut Fields) {
        fields
            .bytes(&[self.to.code()])
            .optional_number(self.expected.map(|state| u64::from(state.code())));
    }

    fn content_len(&self) -> usize {
        16
    }
}

/// Saves a subscriber's named position: it has handled everything up to there.
#[derive(Clone, PartialEq, Eq)]
pub struct SavePosition {
    /// Common to all commands.
    pub context: Context,
    /// The position's name.
    pub name: String,
    /// The last sequence number handled (0: none); at most the head.
    pub seq: u64,
    /// Refuse unless the position stands here (0: where it was never saved). Only with it may a
    /// position go back.
    pub expected: Option<u64>,
}

fields!(SavePosition {
    kept context,
    kept name,
    kept seq,
    kept expected,
});

metadata_command!(
    SavePosition,
    |it, limits| { check::name("name", &it.name, limits) },
    |fields| {
        fields
            .text(&it.name)
            .number(it.seq)
            .optional_number(it.expected)
    },
    it.name.len() + 16
);

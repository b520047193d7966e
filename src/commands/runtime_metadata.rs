// SPDX-License-Identifier: Apache-2.0
//! Commands of the runtime metadata store (FC-STORAGE §9; state machine specification §10).

use super::check::{self, Checked, Fields};
use super::fields::fields;
use super::setters::setters;
use super::{CommandContent, Context};
use crate::config::{BUILTIN_CAPABILITY, Limits};
use crate::events::{RuntimeId, State};

macro_rules! metadata_command {
    ($name:ident, |$this:ident, $limits:ident| $validate:block, |$fields:ident| $digest:block,
     $len:expr) => {
        impl CommandContent for $name {
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

fields! {
    /// Says who the runtime is.
    ///
    /// Example: `tests/redaction/commands.rs`.
    #[derive(Clone, PartialEq, Eq)]
    pub struct Identify {
        /// Common to all commands.
        nested pub context: Context,
        /// The runtime's id.
        kept pub runtime: RuntimeId,
        /// Its version.
        text pub version: String,
    }
}

metadata_command!(
    Identify,
    |it, limits| {
        check::id("runtime", it.runtime.is_nil())?;
        check::name("version", &it.version, limits)
    },
    |fields| { fields.bytes(it.runtime.as_bytes()).text(&it.version) },
    it.version.len() + 16
);

fields! {
    /// Sets a module's version.
    #[derive(Clone, PartialEq, Eq)]
    pub struct SetModule {
        /// Common to all commands.
        nested pub context: Context,
        /// The module's name.
        name pub module: String,
        /// Its version.
        text pub version: String,
    }
}

metadata_command!(
    SetModule,
    |it, limits| {
        check::name("module", &it.module, limits)?;
        check::name("version", &it.version, limits)
    },
    |fields| { fields.text(&it.module).text(&it.version) },
    it.module.len() + it.version.len() + 16
);

fields! {
    /// Removes a module.
    ///
    /// Example: `tests/redaction/commands.rs`.
    #[derive(Clone, PartialEq, Eq)]
    pub struct RemoveModule {
        /// Common to all commands.
        nested pub context: Context,
        /// The module's name.
        name pub module: String,
    }
}

metadata_command!(
    RemoveModule,
    |it, limits| { check::name("module", &it.module, limits) },
    |fields| { fields.text(&it.module) },
    it.module.len() + 16
);

fields! {
    /// The definition of a capability.
    ///
    /// Example: [`runtime_metadata`](crate::runtime_metadata).
    #[derive(Clone, PartialEq, Eq, Default)]
    pub struct CapabilityDefinition {
        /// Its version.
        text pub version: String,
        /// Its effect, in words.
        text pub description: String,
        /// Its parameters, JSON of any shape, kept byte for byte; may be empty.
        json pub parameters: Vec<u8>,
    }
}

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
    /// Its effect, in words.
    into description = description: String;
    /// With these parameters: JSON, kept byte for byte.
    into parameters = parameters: Vec<u8>;
    /// With these parameters, as JSON.
    json parameters_json = parameters: Vec<u8>;
});

impl CapabilityDefinition {
    fn validate(&self, limits: &Limits) -> Checked {
        check::name("version", &self.version, limits)?;
        check::text("description", &self.description, limits)?;
        check::payload("parameters", &self.parameters, limits)?;
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

/// The two commands that say what a capability is.
macro_rules! defining {
    ($(#[$about:meta])* $name:ident) => {
        fields! {
            $(#[$about])*
            ///
            /// Example: `tests/redaction/commands.rs`.
            #[derive(Clone, PartialEq, Eq)]
            pub struct $name {
                /// Common to all commands.
                nested pub context: Context,
                /// The capability's name.
                name pub capability: String,
                /// The definition from now on.
                nested pub definition: CapabilityDefinition,
                /// Refuse unless the registry stands at this version.
                kept pub expected_version: Option<u64>,
            }
        }

        metadata_command!(
            $name,
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
    };
}

defining! {
    /// Registers a capability; it is disabled until it is enabled.
    RegisterCapability
}
defining! {
    /// Changes a capability's definition; whether it is enabled does not change.
    ChangeCapability
}

fields! {
    /// Enables or disables a capability. Enabling an enabled one is an invalid transition.
    #[derive(Clone, PartialEq, Eq)]
    pub struct SwitchCapability {
        /// Common to all commands.
        nested pub context: Context,
        /// The capability's name.
        name pub capability: String,
        /// Whether it may be used from now on.
        kept pub enabled: bool,
        /// Why; may be empty.
        text pub reason: String,
        /// Refuse unless the registry stands at this version.
        kept pub expected_version: Option<u64>,
    }
}

metadata_command!(
    SwitchCapability,
    |it, limits| {
        capability(&it.capability, limits)?;
        check::text("reason", &it.reason, limits)
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

fields! {
    /// Unregisters a capability.
    ///
    /// Example: `tests/redaction/commands.rs`.
    #[derive(Clone, PartialEq, Eq)]
    pub struct UnregisterCapability {
        /// Common to all commands.
        nested pub context: Context,
        /// The capability's name.
        name pub capability: String,
        /// Why; may be empty.
        text pub reason: String,
        /// Refuse unless the registry stands at this version.
        kept pub expected_version: Option<u64>,
    }
}

metadata_command!(
    UnregisterCapability,
    |it, limits| {
        capability(&it.capability, limits)?;
        check::text("reason", &it.reason, limits)
    },
    |fields| {
        fields
            .text(&it.capability)
            .text(&it.reason)
            .optional_number(it.expected_version)
    },
    it.capability.len() + it.reason.len() + 32
);

fields! {
    /// Moves the runtime's state machine one step.
    ///
    /// Example: `tests/holding/groups.rs`.
    #[derive(Clone, PartialEq, Eq)]
    pub struct Transition {
        /// Common to all commands.
        nested pub context: Context,
        /// The next state: one of the runtime's five.
        kept pub to: State,
        /// Refuse unless it stands here.
        kept pub expected: Option<State>,
    }
}

impl CommandContent for Transition {
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

fields! {
    /// Saves a subscriber's named position: it has handled everything up to there.
    ///
    /// Example: `tests/redaction/commands.rs`.
    #[derive(Clone, PartialEq, Eq)]
    pub struct SavePosition {
        /// Common to all commands.
        nested pub context: Context,
        /// The position's name.
        name pub name: String,
        /// The last sequence number handled (0: none); at most the head.
        kept pub seq: u64,
        /// Refuse unless the position stands here (0: where it was never saved). Only with it may a
        /// position go back.
        kept pub expected: Option<u64>,
    }
}

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

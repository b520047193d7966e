// SPDX-License-Identifier: Apache-2.0
//! Structs of commands: each field says what it is where it is defined.

/// Defines a struct each of whose fields says what it is: classified as [`given`] has it, with a `Debug` that prints
/// nothing of what the redactor is given. One that begins with its context is a command.
macro_rules! fields {
    (
        $(#[$about:meta])*
        $vis:vis struct $name:ident {
            $($(#[$doc:meta])* $class:ident $seen:vis $field:ident: $kind:ty),+ $(,)?
        }
    ) => {
        $(#[$about])*
        $vis struct $name {
            $($(#[$doc])* $seen $field: $kind,)+
        }

        $crate::commands::given::given!($name { $($class $field),+ });
        $crate::commands::fields::fields!(@command $name $($field)+);

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let Self { $($field),+ } = self;
                f.debug_struct(stringify!($name))
                    $(.field(
                        stringify!($field),
                        &$crate::commands::given::given!(@show $class $field),
                    ))+
                    .finish()
            }
        }
    };
    (@command $name:ident context $($field:ident)*) => {
        impl $crate::commands::context::InContext for $name {
            fn context(&self) -> &$crate::commands::Context {
                &self.context
            }

            fn context_mut(&mut self) -> &mut $crate::commands::Context {
                &mut self.context
            }
        }
    };
    (@command $name:ident $($field:ident)*) => {};
}

pub(crate) use fields;

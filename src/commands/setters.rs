// SPDX-License-Identifier: Apache-2.0
//! Setters of a command's fields, for one that is made by `new` and told the rest.

/// `set` takes the field's type, `some` what an optional one holds, `into` and `some_into` what becomes that, `json`
/// what is written as JSON.
macro_rules! setters {
    ($name:ident { $( $(#[doc = $doc:literal])+ $how:ident $setter:ident = $field:ident: $kind:ty; )+ }) => {
        impl $name {
            $( $crate::commands::setters::setters!(@$how [$(#[doc = $doc])+] $setter $field $kind); )+
        }
    };
    (@set [$($doc:tt)+] $setter:ident $field:ident $kind:ty) => {
        $($doc)+
        #[must_use]
        pub fn $setter(mut self, $field: $kind) -> Self {
            self.$field = $field;
            self
        }
    };
    (@some [$($doc:tt)+] $setter:ident $field:ident $kind:ty) => {
        $($doc)+
        #[must_use]
        pub fn $setter(mut self, $field: $kind) -> Self {
            self.$field = Some($field);
            self
        }
    };
    (@some_into [$($doc:tt)+] $setter:ident $field:ident $kind:ty) => {
        $($doc)+
        #[must_use]
        pub fn $setter(mut self, $field: impl Into<$kind>) -> Self {
            self.$field = Some($field.into());
            self
        }
    };
    (@into [$($doc:tt)+] $setter:ident $field:ident $kind:ty) => {
        $($doc)+
        #[must_use]
        pub fn $setter(mut self, $field: impl Into<$kind>) -> Self {
            self.$field = $field.into();
            self
        }
    };
    (@json [$($doc:tt)+] $setter:ident $field:ident $kind:ty) => {
        $($doc)+
        ///
        /// # Errors
        /// `InvalidJson` where it cannot be written as JSON.
        pub fn $setter(
            mut self,
            $field: &(impl serde::Serialize + ?Sized),
        ) -> Result<Self, $crate::error::AppendError> {
            self.$field = $crate::commands::check::to_json(stringify!($field), $field)?;
            Ok(self)
        }
    };
}

pub(crate) use setters;

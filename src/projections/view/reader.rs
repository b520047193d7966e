// SPDX-License-Identifier: Apache-2.0
//! Reading one of the built-in views.

/// The common part of the readers of built-in views.
macro_rules! reader {
    ($name:ident, $projection:ty, $version:expr) => {
        impl $name {
            #[doc = concat!("Reads `view`, the one named [`", stringify!($projection), "::NAME`].")]
            #[must_use]
            pub const fn new(view: View) -> Self {
                Self(view)
            }

            /// The view itself.
            #[must_use]
            pub const fn view(&self) -> &View {
                &self.0
            }

            /// See [`View::serves`].
            pub(crate) async fn serves(
                &self,
                seq: u64,
                timeout: std::time::Duration,
            ) -> Result<u64, ViewError> {
                self.0.serves($version, seq, timeout).await
            }

            fn read<R>(
                &self,
                read: impl FnOnce(&ViewSnapshot) -> Result<R, ViewError>,
            ) -> Result<R, ViewError> {
                self.0.read_version(Some($version), read)
            }
        }
    };
}

pub(in crate::projections) use reader;

// SPDX-License-Identifier: Apache-2.0
//! Reads where a thread may wait.

use crate::error::{Cause, ReadError};

/// Runs a read where it may block.
pub(super) async fn blocking<R: Send + 'static>(
    read: impl FnOnce() -> Result<R, ReadError> + Send + 'static,
) -> Result<R, ReadError> {
    tokio::task::spawn_blocking(read)
        .await
        .unwrap_or_else(|error| {
            Err(ReadError::Unavailable {
                cause: Cause::of(error),
            })
        })
}

// SPDX-License-Identifier: Apache-2.0
//! What is in force as it was decided, for the next decision: some of it may not be durable yet.

use std::sync::Arc;

use rpds::RedBlackTreeSetSync;

use super::capability_registry::Registry;
use super::draft::Draft;
use crate::events::StreamId;

/// What is in force as decided, durable or not: shared by the actors of configuration, metadata
/// and executions.
#[derive(Debug, Clone, Default)]
pub(crate) struct DecidedInForce {
    pub(crate) configuration_version: u64,
    /// The streams of all documents.
    pub(crate) document_streams: RedBlackTreeSetSync<StreamId>,
    pub(crate) registry: Arc<Registry>,
    /// What a clean close would record of the runtime's machine.
    pub(crate) closing: Option<Draft>,
}

// SPDX-License-Identifier: Apache-2.0
//! Names of the views that every ledger has: no other view has one of them.

pub(super) const CONFIGURATION: &str = "configuration";
pub(super) const RUNTIME_METADATA: &str = "runtime_metadata";
pub(super) const EXECUTIONS: &str = "executions";
pub(super) const INDEXES: &str = "indexes";
pub(super) const TREE: &str = "tree";

pub(super) const BUILT_IN: [&str; 5] = [CONFIGURATION, RUNTIME_METADATA, EXECUTIONS, INDEXES, TREE];

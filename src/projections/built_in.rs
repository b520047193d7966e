// SPDX-License-Identifier: Apache-2.0
//! The views that every ledger has.

use super::configuration::ConfigurationProjection;
use super::executions::Executions;
use super::indexes::Indexes;
use super::projection::Projection;
use super::runtime_metadata::RuntimeMetadataProjection;
use super::tree::Tree;

/// The views that every ledger has: what to give [`Views::open`](crate::projections::Views::open), with one's own behind them.
///
/// Example: [`Source`](crate::projections::Source).
#[must_use]
pub fn built_in() -> Vec<Box<dyn Projection>> {
    vec![
        Box::new(ConfigurationProjection),
        Box::new(RuntimeMetadataProjection),
        Box::new(Executions::default()),
        Box::new(Indexes::default()),
        Box::new(Tree),
    ]
}

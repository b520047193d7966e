// SPDX-License-Identifier: Apache-2.0
//! Where views lie: `views/<name>/`, with a manifest and a directory for each generation.
//!
//! A generation's content is a stack of layers: segments, which are files that never change, and above them runs
//! in memory. Nothing is logged: what no segment holds is read from the journal again.
//!
//! | file | what |
//! |---|---|
//! | `generation.rs` | what readers share of one stored form of a view |
//! | `opening.rs` | how one begins: empty, or as what its manifest names and the journal vouches for |
//! | `keeping.rs` | its writer's side: takes batches, has segments written |
//! | `hearing.rs` | what it makes of what it is told of segments; writes the manifest |
//! | `pieces.rs` | a layer with the records that it is of; which of them become one |
//! | `manifest.rs` | which segments there are, and which records vouch for them |
//! | `lock.rs` | who may write there |
//! | `place.rs` | a view's directory |
//! | `sealer.rs` | the threads that write segments |

mod generation;
mod hearing;
mod keeping;
mod lock;
mod manifest;
mod opening;
mod pieces;
mod place;
mod sealer;

pub(super) use generation::{Generation, Layers, Position};
pub(super) use keeping::{Keeping, Kept, News, Tell};
pub(super) use lock::ViewsLock;
pub(super) use pieces::RANGE;
pub(super) use place::{ViewPlace, set_aside};
pub(super) use sealer::Sealer;

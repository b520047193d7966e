// SPDX-License-Identifier: Apache-2.0
//! Evidence of one execution: made from an open ledger, checked by public keys alone.

mod approved;
mod attacks;
mod bytes;
mod headers;
mod input;
mod kinds;
mod names;
mod page;
mod program;
mod scan;
mod scene;

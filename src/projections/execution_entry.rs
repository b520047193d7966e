// SPDX-License-Identifier: Apache-2.0
//! What the executions view says of one execution.

use serde::{Deserialize, Serialize};

use crate::events::{
    ComponentId, Decision, ExecutionId, ParentId, Party, Resolution, SubjectId, TraceId,
};

use super::execution_status::ExecutionStatus;

/// What the view knows of one execution.
///
/// Example: [`execution_log`](crate::execution_log).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionEntry {
    /// Its id.
    pub execution: ExecutionId,
    /// Where it stands.
    pub status: ExecutionStatus,
    /// The capability asked for; empty where the protocol refused the input.
    pub capability: String,
    /// [`Decision`] as its number; 0 where none was made.
    #[serde(with = "crate::events::readable::words::Code::<Decision>")]
    pub decision: u8,
    /// [`crate::events::Resolution`] as its number; 0 where it was not resolved.
    #[serde(with = "crate::events::readable::words::Code::<Resolution>")]
    pub resolution: u8,
    /// Its first record.
    pub first_seq: u64,
    /// The newest record that names it, of whatever type.
    pub last_seq: u64,
    /// The record of its start; 0 where it never started.
    pub started_seq: u64,
    /// Time of its first record, in nanoseconds since 1970.
    #[serde(rename = "first", with = "crate::events::readable::time")]
    pub first_ns: i64,
    /// Time of its newest record, in nanoseconds since 1970.
    #[serde(rename = "last", with = "crate::events::readable::time")]
    pub last_ns: i64,
    /// The session or execution that asked for it; nil where there is none.
    pub parent: ParentId,
    /// Trace id; nil where there is none.
    pub trace: TraceId,
    /// The component that asked for it.
    pub component: ComponentId,
    /// Whom it is about, as a pseudonym; nil where nobody is named.
    pub subject: SubjectId,
    /// On whose behalf, from the principal to whoever acts; empty where nobody is named. `None` where the reader may not
    /// read payloads of the execution log: these are names of persons.
    pub on_behalf_of: Option<Vec<Party>>,
    /// The number of configuration changes in force that its decision rests on; before one, what the question to persons
    /// or its last confirmation does.
    pub configuration_version: u64,
    /// The record in which persons were asked; 0 where none were.
    pub requested_seq: u64,
    /// Until when it may be approved and started, in nanoseconds since 1970; 0 where no person was asked.
    #[serde(rename = "until", with = "crate::events::readable::time::known")]
    pub until_ns: i64,
    /// How many different identities have approved, on what is in force since it was asked or confirmed.
    pub approvals_given: u32,
    /// How many must; 0 where no person was asked.
    pub approvals_needed: u32,
}

crate::events::readable::debug_as_read!(ExecutionEntry);

impl ExecutionEntry {
    /// The gate's decision; `None` where it made none, or one that only a later software knows.
    #[must_use]
    pub fn decision(&self) -> Option<Decision> {
        Decision::from_code(self.decision)
    }

    /// How it was resolved; `None` where it was not, or in a way that only a later software knows.
    #[must_use]
    pub fn resolution(&self) -> Option<Resolution> {
        Resolution::from_code(self.resolution)
    }
}

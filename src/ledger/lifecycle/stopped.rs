// SPDX-License-Identifier: Apache-2.0
//! Why nothing is appended although nothing refuses it: what would do it does not run any more.

use crate::error::AppendError;
use crate::vitals::VitalPart;

use crate::ledger::write::submit::Core;

/// Without these nothing is appended.
const NEEDED: &[VitalPart] = &[
    VitalPart::Writer,
    VitalPart::Sequencer,
    VitalPart::ExecutionLog,
    VitalPart::AuditLog,
    VitalPart::Telemetry,
    VitalPart::Configuration,
    VitalPart::RuntimeMetadata,
];

impl Core {
    /// Why a message reached nobody.
    pub(crate) fn stopped(&self) -> AppendError {
        match self.writer.sealed() {
            Some(cause) => AppendError::Sealed { cause },
            None => match self.ended(NEEDED) {
                Some(stopped) => stopped,
                None => AppendError::ShuttingDown,
            },
        }
    }

    /// Where one of these does not run any more.
    fn ended(&self, parts: &[VitalPart]) -> Option<AppendError> {
        let part = self.shared.vitals.ended(parts)?.name();
        Some(AppendError::Stopped { part })
    }

    /// Whether anybody takes to the store what is emitted.
    pub(in crate::ledger) fn emitting(&self) -> Result<(), AppendError> {
        self.ended(&[VitalPart::Emitting]).map_or(Ok(()), Err)
    }
}

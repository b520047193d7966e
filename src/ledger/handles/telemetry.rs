// SPDX-License-Identifier: Apache-2.0
//! The telemetry store's handle (FC-STORAGE §7).

use super::handle::Handle;
use crate::commands::{Command, Observation, Receipt};
use crate::error::AppendError;

/// The telemetry store (FC-STORAGE §7).
///
/// ```
/// use femtoclaw_ledger::{AppendError, Observation, Telemetry, TelemetryKind};
///
/// async fn observe(telemetry: &Telemetry) -> Result<(), AppendError> {
///     let started = Observation::new(TelemetryKind::Other, "started");
///     telemetry.record(started.attributes(br#"{"pid":7}"#)).await?; // durable
///     telemetry.emit(Observation::new(TelemetryKind::Other, "tick")) // nobody waits for it
/// }
/// ```
#[derive(Clone)]
pub struct Telemetry(pub(in crate::ledger) Handle);

impl Telemetry {
    /// Records an observation, durably.
    ///
    /// Cancelled before it is on its way it leaves nothing; after that it may be committed, which
    /// its command id tells ([`Ledger::lookup`](crate::Ledger::lookup)).
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn record(&self, observation: Observation) -> Result<Receipt, AppendError> {
        self.0.receipt(Command::Observe(observation)).await
    }

    /// Hands an observation over and returns at once, whatever the disk does. Where the bounded
    /// buffer is full, or the component's quota is used up, the loss is counted and becomes a durable gap
    /// record.
    ///
    /// # Errors
    /// `QuotaExceeded`: it is lost, counted in the gap and as a refusal. `Invalid`, `InvalidJson`, `TooLarge`, `NoSubjectKey`, `Access`, `ShuttingDown`: it will not be recorded.
    pub fn emit(&self, mut observation: Observation) -> Result<(), AppendError> {
        let core = &self.0.inner.core;
        let observed = observation
            .observed_ns
            .unwrap_or_else(|| core.shared.clock.now_ns());
        observation.observed_ns = Some(observed);
        let mut command = Command::Observe(observation);
        command.fit();
        let checked = core.may_emit(&self.0.grant.0, &mut command);
        if let Err(error) = checked {
            core.refused(&self.0.grant.0, std::slice::from_ref(&command), &error);
            return Err(error);
        }
        let one = std::slice::from_ref(&command);
        let charge = core.charge(&self.0.grant.0, one).inspect_err(|error| {
            core.refused(&self.0.grant.0, one, error);
            core.shared.self_records.lost(observed);
        })?;
        if self.0.inner.background.emit(&self.0.grant, command) {
            charge.keep();
        } else {
            core.shared.self_records.lost(observed);
        }
        Ok(())
    }
}

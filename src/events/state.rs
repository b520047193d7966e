// SPDX-License-Identifier: Apache-2.0
//! The state machines (execution model §5, state machine specification §10).

use super::readable::words::words;

words! {
    /// A state of the runtime or of one execution.
    pub enum State {
        /// The runtime's: starting.
        Initializing = 1 "INITIALIZING",
        /// The runtime's: ready.
        Idle = 2 "IDLE",
        /// An execution's: an agent's output came in.
        InputReceived = 3 "INPUT_RECEIVED",
        /// An execution's: the output is checked against the protocol.
        ProtocolValidating = 4 "PROTOCOL_VALIDATING",
        /// An execution's: the gate decides.
        AuthorizationEvaluating = 5 "AUTHORIZATION_EVALUATING",
        /// An execution's: the capability runs.
        CapabilityExecuting = 6 "CAPABILITY_EXECUTING",
        /// An execution's: its result is made durable.
        MemoryCommitting = 7 "MEMORY_COMMITTING",
        /// An execution's: done.
        Completed = 8 "COMPLETED",
        /// The runtime's or an execution's: failed, denied, cancelled.
        Error = 9 "ERROR",
        /// The runtime's: stopping.
        Shutdown = 10 "SHUTDOWN",
        /// The runtime's: stopped.
        Terminated = 11 "TERMINATED",
    }
}

impl State {
    /// Whether the runtime's own machine may stand here.
    #[must_use]
    pub const fn is_runtime(self) -> bool {
        matches!(
            self,
            Self::Initializing | Self::Idle | Self::Error | Self::Shutdown | Self::Terminated
        )
    }

    /// Whether the specification permits the step to `next`.
    #[must_use]
    pub const fn permits(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Initializing, Self::Idle | Self::Error)
                | (Self::Idle, Self::InputReceived | Self::Shutdown)
                | (Self::InputReceived, Self::ProtocolValidating | Self::Error)
                | (
                    Self::ProtocolValidating,
                    Self::AuthorizationEvaluating | Self::Error
                )
                | (
                    Self::AuthorizationEvaluating,
                    Self::CapabilityExecuting | Self::Error
                )
                | (
                    Self::CapabilityExecuting,
                    Self::MemoryCommitting | Self::Error
                )
                | (Self::MemoryCommitting, Self::Completed | Self::Error)
                | (Self::Completed, Self::Idle)
                | (Self::Error, Self::Idle | Self::Shutdown)
                | (Self::Shutdown, Self::Terminated)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::State;

    #[test]
    fn exactly_the_permitted_transitions() {
        let permitted: usize = State::ALL
            .iter()
            .map(|from| State::ALL.iter().filter(|to| from.permits(**to)).count())
            .sum();
        assert_eq!(permitted, 18);
        assert!(
            State::ALL
                .iter()
                .all(|state| State::from_code(state.code()) == Some(*state))
        );
    }
}

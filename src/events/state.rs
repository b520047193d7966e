// SPDX-License-Identifier: Apache-2.0
//! The state machines (execution model §5, state machine specification §10).

/// A state of the runtime or of one execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum State {
    /// The runtime's: starting.
    Initializing = 1,
    /// The runtime's: ready.
    Idle = 2,
    /// An execution's: an agent's output came in.
    InputReceived = 3,
    /// An execution's: the output is checked against the protocol.
    ProtocolValidating = 4,
    /// An execution's: the gate decides.
    AuthorizationEvaluating = 5,
    /// An execution's: the capability runs.
    CapabilityExecuting = 6,
    /// An execution's: its result is made durable.
    MemoryCommitting = 7,
    /// An execution's: done.
    Completed = 8,
    /// The runtime's or an execution's: failed, denied, cancelled.
    Error = 9,
    /// The runtime's: stopping.
    Shutdown = 10,
    /// The runtime's: stopped.
    Terminated = 11,
}

impl State {
    /// All states in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::Initializing,
        Self::Idle,
        Self::InputReceived,
        Self::ProtocolValidating,
        Self::AuthorizationEvaluating,
        Self::CapabilityExecuting,
        Self::MemoryCommitting,
        Self::Completed,
        Self::Error,
        Self::Shutdown,
        Self::Terminated,
    ];

    /// The state with this number.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// Its number on disk.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The specification's word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Initializing => "INITIALIZING",
            Self::Idle => "IDLE",
            Self::InputReceived => "INPUT_RECEIVED",
            Self::ProtocolValidating => "PROTOCOL_VALIDATING",
            Self::AuthorizationEvaluating => "AUTHORIZATION_EVALUATING",
            Self::CapabilityExecuting => "CAPABILITY_EXECUTING",
            Self::MemoryCommitting => "MEMORY_COMMITTING",
            Self::Completed => "COMPLETED",
            Self::Error => "ERROR",
            Self::Shutdown => "SHUTDOWN",
            Self::Terminated => "TERMINATED",
        }
    }

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

super::readable::words::words!(State);

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

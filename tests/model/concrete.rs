// SPDX-License-Identifier: Apache-2.0
//! A command that can be compared, kept and sent again; `Command` itself is none of that, because a
//! permit is worth one start.

use femtoclaw_ledger::events::{ExecutionId, Store};
use femtoclaw_ledger::{
    AuditEntry, Change, Context, Observation, Request, Rollback,
    execution_log::{
        ApprovalRequest, Approve, ConfirmApproval, Finish, Imported, Permit, RefuseApproval,
        Rejection, ResolveInDoubt, Start, StartApproved,
    },
    group::Command,
    runtime_metadata::{
        ChangeCapability, Identify, RegisterCapability, RemoveModule, SavePosition, SetModule,
        SwitchCapability, Transition, UnregisterCapability,
    },
};

/// A start without its permit: the permit of one execution and opening is always the same.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Starting {
    pub(crate) context: Context,
    pub(crate) execution: ExecutionId,
    /// The opening that gave the permit.
    pub(crate) opening: u64,
}

macro_rules! concrete {
    ($($name:ident($content:ty) = $store:ident, $records:literal, $kind:literal;)+) => {
        #[derive(Debug, Clone, PartialEq)]
        pub(crate) enum Concrete {
            Start(Starting),
            $($name($content),)+
        }

        impl Concrete {
            pub(crate) fn context(&self) -> &Context {
                match self {
                    Self::Start(it) => &it.context,
                    $(Self::$name(it) => it.context(),)+
                }
            }

            fn context_mut(&mut self) -> &mut Context {
                match self {
                    Self::Start(it) => &mut it.context,
                    $(Self::$name(it) => it.context_mut(),)+
                }
            }

            pub(crate) fn store(&self) -> Store {
                match self {
                    Self::Start(_) => Store::ExecutionLog,
                    $(Self::$name(_) => Store::$store,)+
                }
            }

            /// Its kind's word.
            pub(crate) fn kind(&self) -> &'static str {
                match self {
                    Self::Start(_) => "start",
                    $(Self::$name(_) => $kind,)+
                }
            }

            /// Records that the documents promise at most.
            pub(crate) fn records_max(&self) -> u64 {
                match self {
                    Self::Start(_) => 2,
                    $(Self::$name(_) => $records,)+
                }
            }

            /// The command; a start takes the permit.
            pub(crate) fn command(self, permit: Option<Permit>) -> Command {
                match self {
                    Self::Start(it) => Command::Start(Start {
                        context: it.context,
                        permit: permit.expect("a start comes with its permit"),
                    }),
                    $(Self::$name(it) => Command::$name(it),)+
                }
            }
        }
    };
}

concrete! {
    Authorize(Request) = ExecutionLog, 4, "authorize";
    Begin(Request) = ExecutionLog, 4, "begin";
    Reject(Rejection) = ExecutionLog, 2, "reject";
    Finish(Finish) = ExecutionLog, 2, "finish";
    Resolve(ResolveInDoubt) = ExecutionLog, 2, "resolve";
    Import(Imported) = ExecutionLog, 5, "import";
    RequestApproval(ApprovalRequest) = ExecutionLog, 3, "request_approval";
    Approve(Approve) = ExecutionLog, 2, "approve";
    RefuseApproval(RefuseApproval) = ExecutionLog, 3, "refuse_approval";
    ConfirmApproval(ConfirmApproval) = ExecutionLog, 1, "confirm_approval";
    StartApproved(StartApproved) = ExecutionLog, 2, "start_approved";
    Audit(AuditEntry) = AuditLog, 1, "audit";
    Observe(Observation) = Telemetry, 1, "observe";
    Change(Change) = Configuration, 1, "change";
    Rollback(Rollback) = Configuration, 1, "rollback";
    Identify(Identify) = RuntimeMetadata, 1, "identify";
    SetModule(SetModule) = RuntimeMetadata, 1, "set_module";
    RemoveModule(RemoveModule) = RuntimeMetadata, 1, "remove_module";
    RegisterCapability(RegisterCapability) = RuntimeMetadata, 1, "register_capability";
    ChangeCapability(ChangeCapability) = RuntimeMetadata, 1, "change_capability";
    SwitchCapability(SwitchCapability) = RuntimeMetadata, 1, "switch_capability";
    UnregisterCapability(UnregisterCapability) = RuntimeMetadata, 1, "unregister_capability";
    Transition(Transition) = RuntimeMetadata, 1, "transition";
    SavePosition(SavePosition) = RuntimeMetadata, 1, "save_position";
}

/// Where a command's context is: an import has its request's.
trait InContext {
    fn context(&self) -> &Context;
    fn context_mut(&mut self) -> &mut Context;
}

macro_rules! in_context {
    ($($content:ty),+) => {
        $(impl InContext for $content {
            fn context(&self) -> &Context {
                &self.context
            }
            fn context_mut(&mut self) -> &mut Context {
                &mut self.context
            }
        })+
    };
}

in_context!(
    Request,
    Rejection,
    Finish,
    ResolveInDoubt,
    ApprovalRequest,
    Approve,
    RefuseApproval,
    ConfirmApproval,
    StartApproved,
    AuditEntry,
    Observation,
    Change,
    Rollback,
    Identify,
    SetModule,
    RemoveModule,
    RegisterCapability,
    ChangeCapability,
    SwitchCapability,
    UnregisterCapability,
    Transition,
    SavePosition
);

impl InContext for Imported {
    fn context(&self) -> &Context {
        &self.request.context
    }
    fn context_mut(&mut self) -> &mut Context {
        &mut self.request.context
    }
}

impl Concrete {
    /// The same content under another command id.
    pub(crate) fn with_id(mut self, command: femtoclaw_ledger::events::CommandId) -> Self {
        let context = self.context_mut();
        *context = context.clone().command(command);
        self
    }

    /// Whether two commands say the same, whatever their ids.
    pub(crate) fn same_content(&self, other: &Self) -> bool {
        let id = femtoclaw_ledger::events::CommandId::from_bytes([1; 16]);
        self.clone().with_id(id) == other.clone().with_id(id)
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Executions that callers hold, and what becomes of one whose holder has gone: in doubt where it ran, abandoned where it had
//! not started. Nothing else would say so before the next opening, and its slot would be taken until then.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::StoreRef;
use super::super::draft::Reply;
use super::order::Commands;
use super::{Deciding, Id, Message, Order, StoreState};
use crate::commands::{Command, Held, HeldExecution, Hold, Keeper, let_go_digest};
use crate::events::{CommandId, ComponentId};

/// A store, as those know it who hold what it started.
pub(super) struct StoreKeeper(pub(super) StoreRef);

impl Keeper for StoreKeeper {
    fn let_go(&self, gone: HeldExecution) {
        // A store that has ended needs no word: the next opening finds what is open.
        drop(self.0.send(Message::LetGo(gone)));
    }
}

/// The hold on what each command of it starts or permits to start.
pub(super) fn holds(keeper: &Arc<dyn Keeper>, order: &mut Order) {
    let component = order.grant.component;
    let replies = order.decided.iter().map(|step| &step.reply);
    let replies = replies.zip(&order.commands);
    let holds = replies.map(|(reply, command)| hold(keeper, component, command, reply));
    order.result.holds = holds.collect();
}

/// Permits that have started their executions hold them no more.
pub(super) fn used(commands: &mut Commands) {
    for command in commands {
        if let Command::Start(start) = command
            && let Some(hold) = start.permit.hold.take()
        {
            hold.release();
        }
    }
}

fn hold(
    keeper: &Arc<dyn Keeper>,
    component: ComponentId,
    command: &Command,
    reply: &Reply,
) -> Option<Hold> {
    let held = |execution, held| {
        let held = HeldExecution {
            execution,
            component,
            held,
        };
        Some(Hold::new(Arc::clone(keeper), held))
    };
    match reply {
        Reply::Decided {
            execution,
            permit: Some(_),
            ..
        }
        | Reply::Repeated {
            execution,
            permit: Some(_),
            ..
        } => held(*execution, Held::Permit),
        Reply::Decided {
            execution,
            started: true,
            ..
        } => held(*execution, Held::Running),
        Reply::Execution(execution)
            if matches!(command, Command::Start(_) | Command::StartApproved(_)) =>
        {
            held(*execution, Held::Running)
        }
        _ => None,
    }
}

impl<E: Deciding> StoreState<E> {
    /// Puts what was let go of into doubt, or abandons it. It has no caller: nobody is answered.
    pub(super) fn let_go(&mut self, gone: &HeldExecution) -> Result<(), String> {
        self.forget();
        let shared = Arc::clone(&self.shared);
        let Some(draft) = self.entity.let_go(gone.execution, gone.held) else {
            return Ok(());
        };
        if self.reserves.remove(&gone.execution).is_some() {
            let running = self.reserves.len();
            shared.running.store(running, Ordering::Release);
            shared.in_doubt.fetch_add(1, Ordering::AcqRel);
        }
        let id = Id {
            command: CommandId::from_bytes(shared.entropy.bytes16()),
            digest: let_go_digest(gone.execution),
            generated: true,
        };
        self.write_own(vec![draft], id, gone.component, || {})
    }
}

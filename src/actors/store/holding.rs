// SPDX-License-Identifier: Apache-2.0
//! Executions that callers hold, and what becomes of one whose holder has gone: in doubt where it ran, abandoned where it had
//! not started. Nothing else would say so before the next opening, and its slot would be taken until then.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::draft::Reply;
use super::super::execution_log::Held;
use super::{Deciding, Id, LetGo, Message, StoreRef, StoreState};
use crate::commands::{Command, Hold, let_go_digest};
use crate::events::{CommandId, ComponentId};

/// Replies, each with the hold on what it starts or permits to start.
pub(super) fn holds(
    store: &StoreRef,
    component: ComponentId,
    commands: &[Command],
    replies: Vec<Reply>,
) -> Vec<(Reply, Option<Hold>)> {
    let replies = replies.into_iter().zip(commands);
    replies
        .map(|(reply, command)| {
            let hold = hold(store, component, command, &reply);
            (reply, hold)
        })
        .collect()
}

/// Permits that have started their executions hold them no more.
pub(super) fn used(commands: Vec<Command>) {
    for command in commands {
        if let Command::Start(start) = command
            && let Some(hold) = start.permit.hold
        {
            hold.release();
        }
    }
}

fn hold(
    store: &StoreRef,
    component: ComponentId,
    command: &Command,
    reply: &Reply,
) -> Option<Hold> {
    let held = |execution, held| {
        let (store, gone) = (
            store.clone(),
            LetGo {
                execution,
                held,
                component,
            },
        );
        // A store that has ended needs no word: the next opening finds what is open.
        Some(Hold::new(move || drop(store.send(Message::LetGo(gone)))))
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
    pub(super) fn let_go(&mut self, gone: &LetGo) -> Result<(), String> {
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
        self.write_own(&[draft], id, gone.component, || {})
    }
}

// SPDX-License-Identifier: Apache-2.0
//! What is wrong with a command whatever the state.

use femtoclaw_ledger::events::{Decision, ExecutionId};
use femtoclaw_ledger::{AppendError, CapabilityDefinition, Request, execution_log::Ending};

use super::concrete::Concrete;
use super::reference::{PAYLOAD_MAX, invalid};

type Checked = Result<(), AppendError>;

pub(crate) fn validate(concrete: &Concrete) -> Checked {
    let command = concrete.context().command_id();
    if command.is_some_and(|id| id.is_nil()) {
        return Err(invalid("command"));
    }
    match concrete {
        Concrete::Start(_) | Concrete::Transition(_) => Ok(()),
        Concrete::Authorize(it) | Concrete::Begin(it) => request(it),
        Concrete::Import(it) if it.request.decision != Decision::Authorized => {
            Err(invalid("decision"))
        }
        Concrete::Import(it) => request(&it.request),
        Concrete::Reject(it) => {
            new_execution(it.execution).and_then(|()| some("problem", &it.problem))
        }
        Concrete::Finish(it) => match &it.ending {
            Ending::Completed(result) => json("result", result),
            Ending::Failed(it) => {
                some("code", &it.code).and_then(|()| optional("result", &it.result))
            }
            Ending::Cancelled(_) => Ok(()),
        },
        Concrete::Resolve(it) => {
            some("reason", &it.resolve.reason)?;
            optional("result", &it.resolve.result)
        }
        Concrete::RequestApproval(it) => {
            new_execution(it.execution)?;
            some("capability", &it.capability)?;
            payload("arguments", &it.arguments)?;
            json("arguments", &it.arguments)
        }
        Concrete::RefuseApproval(it) => some("reason", &it.refusal.answer().reason),
        Concrete::Approve(_) | Concrete::ConfirmApproval(_) | Concrete::StartApproved(_) => Ok(()),
        Concrete::Audit(it) => {
            some("action", &it.action)?;
            payload("detail", &it.detail)?;
            optional("detail", &it.detail)
        }
        Concrete::Observe(it) => {
            some("name", &it.name)?;
            payload("attributes", &it.attributes)?;
            optional("attributes", &it.attributes)
        }
        Concrete::Change(it) => {
            some("reason", &it.reason).and_then(|()| payload("content", &it.content))
        }
        Concrete::Rollback(it) => {
            some("reason", &it.reason)?;
            match it.to_version {
                0 => Err(invalid("to_version")),
                _ => Ok(()),
            }
        }
        Concrete::Identify(it) if it.runtime.is_nil() => Err(invalid("runtime")),
        Concrete::Identify(_) => Ok(()),
        Concrete::SetModule(it) => some("module", &it.module),
        Concrete::RemoveModule(it) => some("module", &it.module),
        Concrete::RegisterCapability(it) => {
            capability(&it.capability).and_then(|()| definition(&it.definition))
        }
        Concrete::ChangeCapability(it) => {
            capability(&it.capability).and_then(|()| definition(&it.definition))
        }
        Concrete::SwitchCapability(it) => capability(&it.capability),
        Concrete::UnregisterCapability(it) => capability(&it.capability),
        Concrete::SavePosition(it) => some("name", &it.name),
    }
}

fn request(it: &Request) -> Checked {
    new_execution(it.execution)?;
    some("capability", &it.capability)?;
    payload("arguments", &it.arguments)?;
    json("arguments", &it.arguments)
}

fn definition(it: &CapabilityDefinition) -> Checked {
    payload("parameters", &it.parameters).and_then(|()| optional("parameters", &it.parameters))
}

fn capability(name: &str) -> Checked {
    if name == "message" {
        return Err(invalid("capability"));
    }
    Ok(())
}

fn new_execution(execution: Option<ExecutionId>) -> Checked {
    match execution {
        Some(execution) if execution.is_nil() => Err(invalid("execution")),
        _ => Ok(()),
    }
}

fn some(field: &'static str, text: &str) -> Checked {
    if text.is_empty() {
        Err(invalid(field))
    } else {
        Ok(())
    }
}

fn payload(field: &'static str, bytes: &[u8]) -> Checked {
    if bytes.len() > PAYLOAD_MAX {
        return Err(AppendError::TooLarge {
            field,
            size: bytes.len() as u64,
            limit: PAYLOAD_MAX as u64,
        });
    }
    Ok(())
}

fn optional(field: &'static str, bytes: &[u8]) -> Checked {
    if bytes.is_empty() {
        Ok(())
    } else {
        json(field, bytes)
    }
}

/// The one thing that is sent and is not JSON.
fn json(field: &'static str, bytes: &[u8]) -> Checked {
    if bytes == b"{" {
        let problem = String::new();
        return Err(AppendError::InvalidJson { field, problem });
    }
    Ok(())
}

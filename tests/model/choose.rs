// SPDX-License-Identifier: Apache-2.0
//! From numbers to a command, among what the model has by then.

use femtoclaw_ledger::events::{
    AuditFamily, CommandId, Decision, ExecutionId, Outcome, ParentId, Resolution, RuntimeId, State,
    TelemetryKind, TraceId,
};
use femtoclaw_ledger::projections::ExecutionStatus;
use femtoclaw_ledger::{
    AuditEntry, Basis, CapabilityDefinition, Change, Context, Failure, InForce, Observation,
    Request, Rollback,
    execution_log::{Ending, Finish, Imported, Rejection, Resolve, ResolveInDoubt},
    runtime_metadata::{
        ChangeCapability, Identify, RegisterCapability, RemoveModule, SavePosition, SetModule,
        SwitchCapability, Transition, UnregisterCapability,
    },
};

use super::concrete::{Concrete, Starting};
use super::ops::What;
use super::reference::{BEYOND, PAYLOAD_MAX, Reference};
use super::whom::whom;

const DOCUMENTS: [&str; 3] = ["policy", "limits", "routes"];
const CAPABILITIES: [&str; 4] = ["message", "read", "run", "list"];

/// What a choice is made from.
pub(crate) struct Choices<'a> {
    pub(crate) model: &'a Reference,
    pub(crate) in_force: &'a InForce,
    pub(crate) command: CommandId,
    /// An id that no execution has yet.
    pub(crate) fresh: ExecutionId,
    /// Executions that there is a permit for, with the opening that gave it.
    pub(crate) permits: &'a [(ExecutionId, u64)],
    pub(crate) now_ns: i64,
}

pub(crate) fn pick<T: Copy>(all: &[T], number: u8) -> Option<T> {
    all.get(usize::from(number) % all.len().max(1)).copied()
}

impl Choices<'_> {
    /// `None` where there is nothing to choose from: a start without a permit.
    pub(crate) fn concrete(&self, what: What) -> Option<Concrete> {
        Some(match what.kind {
            "authorize" => Concrete::Authorize(self.request(what)),
            "begin" => Concrete::Begin(self.request(what)),
            "start" => {
                let (execution, opening) = pick(self.permits, what.a)?;
                Concrete::Start(Starting {
                    context: self.context(what),
                    execution,
                    opening,
                })
            }
            "reject" => Concrete::Reject(Rejection {
                context: self.context(what),
                execution: self.new_execution(what),
                input: vec![what.b; usize::from(what.c)],
                problem: text(what.spoil == 0, "not the protocol"),
            }),
            "finish" => Concrete::Finish(Finish {
                context: self.context(what),
                execution: self.execution(what),
                ending: ending(what),
            }),
            "resolve" => Concrete::Resolve(ResolveInDoubt {
                context: self.context(what),
                execution: self.execution(what),
                resolve: Resolve {
                    resolution: pick(&Resolution::ALL, what.c)?,
                    reason: text(what.spoil == 0, "the operator looked"),
                    result: json(what, true),
                },
            }),
            "import" => {
                let mut request = self.request(what);
                if what.spoil != 3 {
                    request.decision = Decision::Authorized;
                }
                let old = self.earlier(u64::from(what.c) % 3, u64::from(what.spoil == 4));
                request.basis = old;
                // The request's spoiling is enough.
                let ending = ending(What { spoil: 255, ..what });
                Concrete::Import(Imported { request, ending })
            }
            "request_approval" | "approve" | "refuse_approval" | "confirm_approval"
            | "start_approved" => self.asking(what),
            "change" | "rollback" => self.configuration(what),
            "audit" | "observe" => self.told(what),
            _ => self.metadata(what),
        })
    }

    pub(crate) fn context(&self, what: What) -> Context {
        let context = Context::new().command(self.command);
        let context = match what.c % 4 {
            0 => context.parent(ParentId::from_bytes([what.a | 1; 16])),
            1 => context.trace(TraceId::from_bytes([what.b | 1; 16])),
            _ => context,
        };
        match what.spoil {
            1 => context.command(CommandId::NIL),
            _ => whom(context, what),
        }
    }

    /// Mostly an id that nobody has, sometimes one that somebody has.
    pub(crate) fn new_execution(&self, what: What) -> Option<ExecutionId> {
        match what.a % 8 {
            0 => Some(self.execution(what)),
            _ if what.spoil == 2 => Some(ExecutionId::NIL),
            _ => Some(self.fresh),
        }
    }

    /// Mostly one that can be ended in this way, else any, sometimes one that is not known.
    fn execution(&self, what: What) -> ExecutionId {
        use ExecutionStatus::{Authorized, InDoubt, Running};
        let that = |statuses: &[ExecutionStatus]| {
            let found = self.model.executions_that(|it| statuses.contains(&it));
            pick(&found, what.a)
        };
        let any = || that(&ExecutionStatus::ALL);
        let found = match (what.b % 8, what.kind) {
            (0, _) => None,
            (1, _) => any(),
            (2, _) => that(&[Authorized, Running, InDoubt]),
            (_, "resolve") => that(&[InDoubt]).or_else(any),
            _ => that(&[Running]).or_else(any),
        };
        found.unwrap_or(self.fresh)
    }

    fn request(&self, what: What) -> Request {
        let decision = pick(&Decision::ALL, what.b.saturating_sub(200)).unwrap_or(Decision::ALL[0]);
        Request {
            context: self.context(what),
            execution: self.new_execution(what),
            input: what
                .b
                .is_multiple_of(2)
                .then(|| vec![what.a; usize::from(what.a) + 1]),
            capability: text(what.spoil == 5, self.capability(what)),
            arguments: json(what, false),
            decision,
            reason: String::new(),
            basis: self
                .earlier(u64::from(what.spoil == 6), u64::from(what.spoil == 8))
                .policy("7", [what.a; 32]),
        }
    }

    /// What a decision rested on that was made so many changes ago.
    pub(crate) fn earlier(&self, configuration: u64, registry: u64) -> Basis {
        let now = self.in_force;
        let configuration = now.configuration_version().saturating_sub(configuration);
        let registry = now.registry_version().saturating_sub(registry);
        now.earlier(configuration, registry).unwrap()
    }

    /// Mostly one that is enabled.
    pub(crate) fn capability(&self, what: What) -> &str {
        let enabled = self.model.registry.iter().filter(|(_, it)| it.enabled);
        let mut enabled: Vec<&str> = enabled.map(|(name, _)| name.as_str()).collect();
        enabled.push("message");
        let found = match what.a % 4 {
            0 => pick(&CAPABILITIES, what.c / 2),
            _ => pick(&enabled, what.c / 2),
        };
        found.unwrap_or("")
    }

    fn told(&self, what: What) -> Concrete {
        let context = self.context(what);
        let execution = what.a.is_multiple_of(2).then(|| self.execution(what));
        let outcome = pick(&Outcome::ALL, what.c).unwrap_or(Outcome::Neutral);
        if what.kind == "audit" {
            return Concrete::Audit(AuditEntry {
                context,
                family: pick(&AuditFamily::ALL, what.b).unwrap_or(AuditFamily::ALL[0]),
                action: text(what.spoil == 0, "checked"),
                subject: String::new(),
                outcome,
                execution,
                detail: json(what, true),
            });
        }
        Concrete::Observe(Observation {
            context,
            kind: pick(&TelemetryKind::ALL, what.b).unwrap_or(TelemetryKind::Other),
            name: text(what.spoil == 0, "latency"),
            observed_ns: what.a.is_multiple_of(3).then_some(i64::from(what.b)),
            execution,
            outcome,
            attributes: json(what, true),
        })
    }

    fn configuration(&self, what: What) -> Concrete {
        let document = pick(&DOCUMENTS, what.a).unwrap_or("").to_owned();
        let version = self.model.document_version(&document);
        let expected_version = expected(version, what);
        let (author, reason) = ("operator".to_owned(), text(what.spoil == 0, "because"));
        if what.kind == "rollback" {
            let to_version = u64::from(what.b) % (version + 2);
            return Concrete::Rollback(Rollback {
                context: self.context(what),
                document,
                to_version,
                author,
                reason,
                expected_version,
            });
        }
        let content = match what.spoil {
            2..7 => b"forbidden".to_vec(),
            7 => vec![b'x'; PAYLOAD_MAX + 1],
            _ => format!("content {} {}", what.b, what.c).into_bytes(),
        };
        Concrete::Change(Change {
            context: self.context(what),
            document,
            content,
            author,
            reason,
            expected_version,
        })
    }

    fn metadata(&self, what: What) -> Concrete {
        let context = self.context(what);
        let module = text(
            what.spoil == 0,
            pick(&["gate", "host"], what.a).unwrap_or(""),
        );
        let capability = pick(&CAPABILITIES[1..], what.a).unwrap_or("");
        let capability = match what.spoil {
            0 => "message".to_owned(),
            _ => capability.to_owned(),
        };
        let expected_version = expected(self.model.versions().1, what);
        let definition = CapabilityDefinition {
            version: what.b.to_string(),
            description: String::new(),
            parameters: json(what, true),
        };
        let reason = String::new();
        match what.kind {
            "identify" => Concrete::Identify(Identify {
                context,
                runtime: RuntimeId::from_bytes([what.a.saturating_sub(8); 16]),
                version: "1".to_owned(),
            }),
            "set_module" => Concrete::SetModule(SetModule {
                context,
                module,
                version: what.b.to_string(),
            }),
            "remove_module" => Concrete::RemoveModule(RemoveModule { context, module }),
            "register_capability" => Concrete::RegisterCapability(RegisterCapability {
                context,
                capability,
                definition,
                expected_version,
            }),
            "change_capability" => Concrete::ChangeCapability(ChangeCapability {
                context,
                capability,
                definition,
                expected_version,
            }),
            "switch_capability" => Concrete::SwitchCapability(SwitchCapability {
                context,
                capability,
                enabled: !what.b.is_multiple_of(4),
                reason,
                expected_version,
            }),
            "unregister_capability" => Concrete::UnregisterCapability(UnregisterCapability {
                context,
                capability,
                reason,
                expected_version,
            }),
            "transition" => Concrete::Transition(Transition {
                context,
                to: pick(&State::ALL, what.a).unwrap_or(State::Idle),
                expected: pick(&State::ALL, what.b).filter(|_| what.c.is_multiple_of(8)),
            }),
            _ => Concrete::SavePosition(self.position(context, what)),
        }
    }

    /// Anything that is durable for sure, or what never will be.
    fn position(&self, context: Context, what: What) -> SavePosition {
        let name = pick(&["export", "alerts"], what.a).unwrap_or("");
        let acknowledged = self.model.sent.values().map(|sent| sent.placed.last);
        let acknowledged = acknowledged.max().unwrap_or(0);
        let seq = match what.b {
            0..16 => BEYOND + u64::from(what.b),
            b => u64::from(b) * acknowledged / 255,
        };
        let stands = self.model.positions.get(name).map_or(0, |(seq, _)| *seq);
        SavePosition {
            context,
            name: text(what.spoil == 0, name),
            seq,
            expected: expected(stands, what),
        }
    }
}

pub(crate) fn text(empty: bool, text: &str) -> String {
    if empty {
        String::new()
    } else {
        text.to_owned()
    }
}

fn expected(version: u64, what: What) -> Option<u64> {
    match what.c % 8 {
        0 => Some(version + 1),
        1 => Some(version.saturating_sub(1)),
        2..5 => Some(version),
        _ => None,
    }
}

fn ending(what: What) -> Ending {
    match what.c % 4 {
        0 => Ending::Failed(Failure {
            code: text(what.spoil == 0, "exit"),
            message: "it failed".to_owned(),
            result: json(what, true),
        }),
        1 => Ending::Cancelled("no longer wanted".to_owned()),
        _ => Ending::Completed(json(what, false)),
    }
}

/// JSON, or where it is to be spoilt none, or too much of it.
pub(crate) fn json(what: What, optional: bool) -> Vec<u8> {
    match what.spoil {
        9 | 10 => b"{".to_vec(),
        11 => [b"\"", vec![b'x'; PAYLOAD_MAX].as_slice(), b"\""].concat(),
        _ if optional && what.b.is_multiple_of(2) => Vec::new(),
        _ => format!("{{\"b\":{}, \"a\":[{}]}}", what.b, what.c).into_bytes(),
    }
}

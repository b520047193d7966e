// SPDX-License-Identifier: Apache-2.0
//! Who may do what: the policy document, the gate built from it, and the checks the gate lacks.
//!
//! `femtoclaw_policy` decides whether a capability may be used at all. Its gate ignores conditions
//! and arguments, iterates policies in random order, registers capabilities enabled, and keeps its
//! registry to itself. Hence: exactly one policy is loaded, the gate is built anew from the ledger's
//! registry, and what concerns arguments is decided here, after it.

use femtoclaw_ledger::events::Decision;
use femtoclaw_policy::{Capability, CapabilityGate, CapabilityRegistry, Policy, Rule};
use serde::{Deserialize, Serialize};

use crate::capabilities::Call;
use crate::protocol::{MESSAGE, Request, shortened};

/// The configuration document `policy`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    /// The author's name for this state of it.
    pub(crate) version: String,
    /// In order; the first that names a capability, or `*`, decides. None: denied.
    pub(crate) rules: Vec<DocumentRule>,
    /// Programs that `process.run` may start, by name.
    pub(crate) programs: Vec<String>,
    /// What `fs.*` may see under the root: these files, and all under these directories.
    pub(crate) paths: Vec<String>,
    /// How long a program may run.
    pub(crate) timeout_ms: u64,
    /// Bytes kept of each of a program's outputs, and of a file.
    pub(crate) output_bytes_max: u64,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DocumentRule {
    /// A capability's name, or `*`.
    pub(crate) capability: String,
    /// What it says.
    pub(crate) effect: Effect,
}

/// What a rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Effect {
    /// It may be used.
    Allow,
    /// It may not.
    Deny,
}

impl Document {
    /// What the first run writes.
    pub(crate) fn first() -> Self {
        let rule = |capability: &str, effect| DocumentRule {
            capability: capability.to_owned(),
            effect,
        };
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            version: "1".to_owned(),
            rules: vec![
                rule(MESSAGE, Effect::Allow),
                rule("process.run", Effect::Allow),
                rule("fs.stat", Effect::Deny),
                rule("fs.read", Effect::Allow),
                rule("fs.list", Effect::Allow),
                rule("*", Effect::Deny),
            ],
            programs: owned(&["echo", "true", "false", "sleep"]),
            paths: owned(&["README.md", "Cargo.toml", "src", "examples"]),
            timeout_ms: 500,
            output_bytes_max: 16 << 10,
        }
    }

    /// Reads it; also the check before it becomes a version.
    ///
    /// # Errors
    /// What is wrong with it. No default ever takes its place.
    pub(crate) fn parse(content: &[u8]) -> Result<Self, String> {
        let document: Self = serde_json::from_slice(content).map_err(|error| error.to_string())?;
        if document.timeout_ms == 0 || document.timeout_ms > 60_000 {
            return Err("timeout_ms is not in 1..=60000".to_owned());
        }
        if document.output_bytes_max > 256 << 10 {
            return Err("output_bytes_max is more than 256 KiB".to_owned());
        }
        if let Some(name) = document.programs.iter().find(|name| name.contains('/')) {
            return Err(format!("program {name:?} is a path, not a name"));
        }
        Ok(document)
    }

    /// The document's bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// A decision, and the call where it is AUTHORIZED.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// One of the five.
    pub(crate) decision: Decision,
    /// Why; empty where the gate gives no reason.
    pub(crate) reason: String,
    /// What to do.
    pub(crate) call: Option<Call>,
}

/// Decides, under one policy and one registry.
pub(crate) struct Gate {
    document: Document,
    gate: CapabilityGate,
}

impl Gate {
    /// The gate for this policy and the ledger's registry: names and whether each is enabled.
    pub(crate) fn new<'a>(
        document: Document,
        registered: impl IntoIterator<Item = (&'a str, bool)>,
    ) -> Self {
        let mut registry = CapabilityRegistry::new();
        for (name, enabled) in registered.into_iter().chain([(MESSAGE, true)]) {
            registry.register(Capability::new(name, ""));
            // It comes out of `new` enabled; ours are disabled until the ledger says otherwise.
            if !enabled {
                registry.disable(name);
            }
        }
        let mut policy = Policy::new("policy", &document.version);
        for rule in &document.rules {
            policy = policy.with_rule(match rule.effect {
                Effect::Allow => Rule::allow(&rule.capability),
                Effect::Deny => Rule::deny(&rule.capability),
            });
        }
        let mut gate = CapabilityGate::new().with_registry(registry);
        gate.add_policy(policy);
        Self { document, gate }
    }

    /// The policy it decides by.
    pub(crate) fn document(&self) -> &Document {
        &self.document
    }

    /// The gate first, then the arguments' form, then what the policy says of them.
    pub(crate) fn decide(&self, request: &Request) -> Verdict {
        use femtoclaw_policy::Decision as Gated;
        // It ignores the arguments, so it gets none: they are never turned into a `Value`.
        let gated = self
            .gate
            .authorize(&request.capability, &serde_json::Value::Null);
        let decision = match gated {
            Gated::Authorized => return self.decide_arguments(request),
            Gated::DeniedCapabilityNotFound => Decision::DeniedCapabilityNotFound,
            Gated::DeniedCapabilityDisabled => Decision::DeniedCapabilityDisabled,
            Gated::DeniedPolicyViolation => Decision::DeniedPolicyViolation,
        };
        denied(decision, "the capability gate")
    }

    fn decide_arguments(&self, request: &Request) -> Verdict {
        let call = match Call::parse(&request.capability, &request.arguments) {
            Ok(call) => call,
            Err(problem) => return denied(Decision::DeniedArgumentInvalid, problem),
        };
        match self.violation(&call) {
            Some(problem) => denied(Decision::DeniedPolicyViolation, problem),
            None => Verdict {
                decision: Decision::Authorized,
                reason: String::new(),
                call: Some(call),
            },
        }
    }

    fn violation(&self, call: &Call) -> Option<String> {
        match call {
            Call::Run { program, .. } => (!self.document.programs.contains(program))
                .then(|| format!("program {program:?} is not on the list")),
            Call::Read { path } | Call::List { path } | Call::Stat { path } => {
                let allowed = self
                    .document
                    .paths
                    .iter()
                    .any(|under| path.starts_with(under));
                (!allowed).then(|| format!("path {} is not on the list", path.display()))
            }
            Call::Message | Call::SystemInfo => None,
        }
    }
}

fn denied(decision: Decision, reason: impl Into<String>) -> Verdict {
    Verdict {
        decision,
        reason: shortened(&reason.into()),
        call: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(capability: &str, arguments: &str) -> Decision {
        let registered = ["process.run", "fs.read", "fs.list", "fs.stat"].map(|name| (name, true));
        let gate = Gate::new(
            Document::first(),
            registered.into_iter().chain([("system.info", false)]),
        );
        let request = Request {
            capability: capability.to_owned(),
            arguments: arguments.as_bytes().to_vec(),
        };
        let verdict = gate.decide(&request);
        assert_eq!(
            verdict.call.is_some(),
            verdict.decision == Decision::Authorized
        );
        verdict.decision
    }

    #[test]
    fn each_of_the_five_decisions() {
        use Decision::*;
        let cases = [
            ("message", r#"{"content":"x"}"#, Authorized),
            (
                "process.run",
                r#"{"program":"echo","args":["x"]}"#,
                Authorized,
            ),
            (
                "process.run",
                r#"{"program":"sh","args":["-c","x"]}"#,
                DeniedPolicyViolation,
            ),
            (
                "process.run",
                r#"{"program":"/bin/echo"}"#,
                DeniedPolicyViolation,
            ),
            ("process.run", r#"{"program":1}"#, DeniedArgumentInvalid),
            (
                "process.run",
                r#"{"program":"echo","program":"sh"}"#,
                DeniedArgumentInvalid,
            ),
            (
                "process.run",
                r#"{"program":"echo","args":["a\u0000b"]}"#,
                DeniedArgumentInvalid,
            ),
            ("fs.read", r#"{"path":"src/lib.rs"}"#, Authorized),
            ("fs.read", r#"{"path":"./src/lib.rs"}"#, Authorized),
            ("fs.read", r#"{"path":"srcs"}"#, DeniedPolicyViolation),
            (
                "fs.read",
                r#"{"path":"agent-data/LEDGER"}"#,
                DeniedPolicyViolation,
            ),
            ("fs.read", r#"{"path":"../x"}"#, DeniedArgumentInvalid),
            (
                "fs.read",
                r#"{"path":"src/../.git/config"}"#,
                DeniedArgumentInvalid,
            ),
            (
                "fs.read",
                r#"{"path":"/etc/passwd"}"#,
                DeniedArgumentInvalid,
            ),
            ("fs.stat", r#"{"path":"src"}"#, DeniedPolicyViolation),
            ("system.info", "{}", DeniedCapabilityDisabled),
            ("net.get", "{}", DeniedCapabilityNotFound),
        ];
        for (capability, arguments, decision) in cases {
            assert_eq!(
                decide(capability, arguments),
                decision,
                "{capability} {arguments}"
            );
        }
    }

    #[test]
    fn a_policy_reads_back_and_a_bad_one_is_refused() {
        let document = Document::first();
        assert_eq!(Document::parse(&document.to_bytes()), Ok(document.clone()));
        let bad: [fn(&mut Document); 3] = [
            |document| document.timeout_ms = 0,
            |document| document.output_bytes_max = 1 << 30,
            |document| document.programs.push("/bin/sh".to_owned()),
        ];
        for change in bad {
            let mut document = document.clone();
            change(&mut document);
            assert!(
                Document::parse(&document.to_bytes()).is_err(),
                "{document:?}"
            );
        }
        assert!(Document::parse(b"{}").is_err());
    }
}

// SPDX-License-Identifier: Apache-2.0
//! A gate asks persons whether an execution may begin (EU AI Act, Art. 14).

use std::collections::BTreeSet;

use super::check::{self, Checked, Fields, invalid};
use super::fields::fields;
use super::measure::Cutter;
use super::parties::{self, AskedParties};
use super::setters::setters;
use super::{Basis, CommandContent, Context};
use crate::config::{ASKED_MAX, KEPT_BYTES, Limits};
use crate::events::{ExecutionId, Party};

fields! {
    /// A gate's word that an execution may begin if persons approve it: who is asked, by what rule, how many must
    /// approve, until when, and what they are shown.
    ///
    /// Roles and the rule are names: the redactor is not given them, but each identity, as `asked.issuer` and `asked.id`.
    ///
    /// Example: [`execution_log`](crate::execution_log).
    #[derive(Clone, PartialEq, Eq)]
    pub struct ApprovalRequest {
        /// Common to all commands.
        nested pub context: Context,
        /// Its id; `None`: the ledger makes one.
        kept pub execution: Option<ExecutionId>,
        /// The protocol output as received, where there is one: digest, length and the first 64 KiB
        /// are kept.
        optional pub input: Option<Vec<u8>>,
        /// The capability asked for.
        name pub capability: String,
        /// The arguments: JSON of any shape, kept byte for byte.
        json pub arguments: Vec<u8>,
        /// Why persons are asked; may be empty.
        text pub reason: String,
        /// What the request rests on.
        nested pub basis: Basis,
        /// Who may answer: these identities, at most 64.
        nested pub(crate) asked: AskedParties,
        /// Who may answer: whoever has one of these roles, at most 64.
        name pub asked_roles: Vec<String>,
        /// The rule by which they are asked.
        name pub rule: String,
        /// How many different identities must approve, from 1 to 64.
        kept pub approvers_needed: u32,
        /// Until when it may be approved and started, in nanoseconds since 1970, by the ledger's time.
        kept pub until_ns: i64,
        /// What they are shown, any bytes: an approval names its digest.
        bytes pub shown: Vec<u8>,
    }
}

impl ApprovalRequest {
    /// What persons are asked about, by which rule, and until when (nanoseconds since 1970). One approval is enough,
    /// the arguments are `{}`, and all else is empty until said; at least one identity or role must be.
    #[must_use]
    pub fn new(
        capability: impl Into<String>,
        rule: impl Into<String>,
        until_ns: i64,
        basis: Basis,
    ) -> Self {
        Self {
            context: Context::new(),
            execution: None,
            input: None,
            capability: capability.into(),
            arguments: b"{}".to_vec(),
            reason: String::new(),
            basis,
            asked: AskedParties::default(),
            asked_roles: Vec::new(),
            rule: rule.into(),
            approvers_needed: 1,
            until_ns,
            shown: Vec::new(),
        }
    }

    /// Asks this identity too.
    #[must_use]
    pub fn ask(mut self, party: Party) -> Self {
        self.asked.0.push(party);
        self
    }

    /// Asks whoever has this role too.
    #[must_use]
    pub fn ask_role(mut self, role: impl Into<String>) -> Self {
        self.asked_roles.push(role.into());
        self
    }

    /// Who is asked by identity.
    #[must_use]
    pub fn asked(&self) -> &[Party] {
        &self.asked.0
    }

    fn askable(&self, limits: &Limits) -> Checked {
        let asked = &self.asked.0;
        at_most("asked", asked.len())?;
        at_most("asked_roles", self.asked_roles.len())?;
        self.asked.check(limits)?;
        for role in &self.asked_roles {
            check::name("asked_roles", role, limits)?;
        }
        if asked.is_empty() && self.asked_roles.is_empty() {
            return Err(invalid("asked", "names nobody, and no role"));
        }
        let different = asked.iter().collect::<BTreeSet<_>>().len();
        if different < asked.len() {
            return Err(invalid("asked", "names an identity twice"));
        }
        let needed = self.approvers_needed as usize;
        if !(1..=ASKED_MAX).contains(&needed) {
            return Err(invalid("approvers_needed", "is not between 1 and 64"));
        }
        if self.asked_roles.is_empty() && needed > different {
            return Err(invalid("approvers_needed", "is more than who is asked"));
        }
        Ok(())
    }
}

setters!(ApprovalRequest {
    /// With its command id, parent and trace.
    set context = context: Context;
    /// With an id of the caller's own.
    some execution = execution: ExecutionId;
    /// With the protocol output as received.
    some_into input = input: Vec<u8>;
    /// With these arguments: JSON, kept byte for byte.
    into arguments = arguments: Vec<u8>;
    /// With these arguments, as JSON.
    json arguments_json = arguments: Vec<u8>;
    /// With the gate's reason.
    into reason = reason: String;
    /// So many different identities must approve.
    set approvers_needed = approvers_needed: u32;
    /// With what persons are shown.
    into shown = shown: Vec<u8>;
});

fn at_most(field: &'static str, count: usize) -> Checked {
    if count > ASKED_MAX {
        return Err(invalid(
            field,
            format!("has {count} names, at most {ASKED_MAX}"),
        ));
    }
    Ok(())
}

impl CommandContent for ApprovalRequest {
    fn validate(&self, limits: &Limits) -> Checked {
        check::id("execution", self.execution.is_some_and(|id| id.is_nil()))?;
        if self.input.as_ref().is_some_and(Vec::is_empty) {
            return Err(invalid("input", "is empty"));
        }
        check::name("capability", &self.capability, limits)?;
        check::optional_name("policy_version", self.basis.policy_version(), limits)?;
        check::name("rule", &self.rule, limits)?;
        check::text("reason", &self.reason, limits)?;
        self.askable(limits)?;
        check::payload("shown", &self.shown, limits)?;
        check::payload("arguments", &self.arguments, limits)?;
        check::json("arguments", &self.arguments)
    }

    fn digest(&self, fields: &mut Fields) {
        fields
            .option(self.execution.as_ref().map(|id| id.as_bytes().as_slice()))
            .option(self.input.as_deref())
            .text(&self.capability)
            .bytes(&self.arguments)
            .text(&self.reason)
            .text(&self.rule)
            .number(u64::from(self.approvers_needed))
            .bytes(&self.until_ns.to_le_bytes())
            .bytes(&self.shown);
        parties::digest(&self.asked.0, fields);
        fields.number(self.asked_roles.len() as u64);
        for role in &self.asked_roles {
            fields.text(role);
        }
        self.basis.grounds.digest(fields);
    }

    fn content_len(&self) -> usize {
        let input = self
            .input
            .as_ref()
            .map_or(0, |input| input.len().min(KEPT_BYTES));
        let asked = parties::content_len(&self.asked.0);
        let roles: usize = self.asked_roles.iter().map(|role| role.len() + 8).sum();
        let names = self.capability.len() + self.rule.len() + self.basis.policy_version().len();
        let contents = self.arguments.len() + self.reason.len() + self.shown.len();
        input + asked + roles + names + contents + 256
    }

    fn cut(&mut self, by: &mut Cutter<'_>) {
        self.input.iter_mut().for_each(|input| by.input(input));
    }

    fn execution(&self) -> Option<ExecutionId> {
        self.execution
    }

    fn decides(&self) -> bool {
        true
    }
}

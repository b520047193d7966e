// SPDX-License-Identifier: Apache-2.0
//! What belongs to a command besides its content.

use super::check::{self, Checked, Fields};
use super::given::{Buffer, Given, Hidden, Redactor};
use super::parties::{self, Delegation};
use crate::config::Limits;
use crate::error::AppendError;
use crate::events::{CommandId, ParentId, Party, SubjectId, TraceId};

/// What is common to all commands: its id, what it belongs to, whom it is about, and on whose behalf it is sent.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Context {
    pub(super) command: Option<CommandId>,
    pub(super) parent: Option<ParentId>,
    pub(super) trace: Option<TraceId>,
    pub(super) delegation: Delegation,
    pub(super) subject: Option<NamedSubject>,
}

/// Everything that has a command's context.
pub(crate) trait InContext {
    fn context(&self) -> &Context;
    fn context_mut(&mut self) -> &mut Context;
}

/// Whom a command is about.
#[derive(Clone)]
pub(super) struct NamedSubject {
    /// The caller's own id. Neither hashed nor stored.
    pub(super) id: String,
    /// `None` until the ledger has taken the command.
    pub(super) pseudonym: Option<SubjectId>,
}

/// Two are the same where they have the same id: the pseudonym says no more.
impl PartialEq for NamedSubject {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for NamedSubject {}

impl Context {
    /// No parent, no trace, about and on behalf of nobody, and a command id that the ledger makes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The command's id: sent again with the same content, it is answered with the first receipt.
    #[must_use]
    pub const fn command(mut self, command: CommandId) -> Self {
        self.command = Some(command);
        self
    }

    /// The session or execution that asked for it.
    #[must_use]
    pub const fn parent(mut self, parent: ParentId) -> Self {
        self.parent = Some(parent);
        self
    }

    /// The trace it belongs to.
    #[must_use]
    pub const fn trace(mut self, trace: TraceId) -> Self {
        self.trace = Some(trace);
        self
    }

    /// On whose behalf the agent acts: a chain that begins with the principal and ends with whoever acts. It is kept in the
    /// record of the decision, as the caller states it: the ledger asks no issuer. Only a command that decides on an
    /// execution takes one; any other is refused with it (`invalid`). At most
    /// [`Limits::delegation_max`](crate::Limits::delegation_max) parties. The redactor is given each issuer and id, as
    /// `on_behalf_of.issuer` and `on_behalf_of.id`.
    ///
    /// ```
    /// use femtoclaw_ledger::{Context, Party};
    ///
    /// let person = Party::new("https://id.example", "mary");
    /// let agent = Party::new("spiffe://agents.example", "payments");
    /// let context = Context::new().on_behalf_of([person.clone(), agent]);
    /// assert_eq!(context.delegation().first(), Some(&person));
    /// ```
    #[must_use]
    pub fn on_behalf_of(mut self, chain: impl Into<Vec<Party>>) -> Self {
        self.delegation = Delegation(chain.into());
        self
    }

    /// Whom it is about, by the caller's own id: one line, as long as a name may be, taken byte for byte. The ledger stores a
    /// pseudonym in its place ([`SubjectId`]), which it makes with a key that is not in the journal; so the redactor is not
    /// given the id, and neither a record nor a command's digest is made of it. All records of an execution have the subject
    /// of its first command: a later one that names another is refused (`other_subject`). Other commands, also those that
    /// merely name an execution, have the subject that they name themselves.
    ///
    /// ```
    /// use femtoclaw_ledger::Context;
    ///
    /// let context = Context::new().subject("customer 4711");
    /// assert!(!format!("{context:?}").contains("4711"));
    /// ```
    #[must_use]
    pub fn subject(mut self, id: impl Into<String>) -> Self {
        self.subject = Some(NamedSubject {
            id: id.into(),
            pseudonym: None,
        });
        self
    }

    /// The command id, where one was given.
    #[must_use]
    pub const fn command_id(&self) -> Option<CommandId> {
        self.command
    }

    /// The parent, where one was given.
    #[must_use]
    pub const fn parent_id(&self) -> Option<ParentId> {
        self.parent
    }

    /// The trace, where one was given.
    #[must_use]
    pub const fn trace_id(&self) -> Option<TraceId> {
        self.trace
    }

    /// On whose behalf, from the principal to whoever acts; empty where nobody is named.
    #[must_use]
    pub fn delegation(&self) -> &[Party] {
        &self.delegation.0
    }

    /// The pseudonym of whom it is about; nil where nobody is named, or the ledger has not taken the command yet.
    pub(crate) fn subject_id(&self) -> SubjectId {
        let pseudonym = self.subject.as_ref().and_then(|subject| subject.pseudonym);
        pseudonym.unwrap_or_default()
    }

    /// The same, about somebody whose pseudonym is known already.
    pub(crate) fn about(mut self, pseudonym: SubjectId) -> Self {
        self.subject = Some(NamedSubject {
            id: String::new(),
            pseudonym: Some(pseudonym),
        });
        self
    }

    /// Asks for the pseudonym, also where there is one: that may be another ledger's.
    pub(super) fn name_subject(
        &mut self,
        pseudonym: impl FnOnce(&str) -> Result<SubjectId, AppendError>,
    ) -> Checked {
        if let Some(subject) = &mut self.subject {
            subject.pseudonym = Some(pseudonym(&subject.id)?);
        }
        Ok(())
    }

    /// `decides`: it decides on an execution, and so takes a chain of delegation.
    pub(super) fn validate(&self, decides: bool, limits: &Limits) -> Checked {
        check::id("command", self.command.is_some_and(|id| id.is_nil()))?;
        check::id("parent", self.parent.is_some_and(|id| id.is_nil()))?;
        check::id("trace", self.trace.is_some_and(|id| id.is_nil()))?;
        if let Some(subject) = &self.subject {
            check::name("subject", &subject.id, limits)?;
        }
        // What is dropped in silence would be believed to be on the record.
        if !decides && !self.delegation().is_empty() {
            let problem = "belongs to a decision on an execution: say there on whose behalf";
            return Err(check::invalid("on_behalf_of", problem));
        }
        self.delegation.check(limits)
    }

    pub(super) fn digest(&self, fields: &mut Fields) {
        fields
            .option(self.parent.as_ref().map(|id| id.as_bytes().as_slice()))
            .option(self.trace.as_ref().map(|id| id.as_bytes().as_slice()));
    }

    /// Behind all fields of the command, and only where something is said: a command that says nothing of it has the digest
    /// that it always had, and more fields are other fields.
    pub(super) fn digest_more(&self, fields: &mut Fields) {
        if !self.delegation().is_empty() {
            fields.text("on_behalf_of");
            parties::digest(self.delegation(), fields);
        }
        let subject = self.subject_id();
        if !subject.is_nil() {
            fields.text("subject").bytes(subject.as_bytes());
        }
    }

    /// Bytes of what a record holds of it beside its header.
    pub(super) fn content_len(&self) -> usize {
        let subject = self.subject.as_ref().map_or(0, |subject| subject.id.len());
        parties::content_len(self.delegation()) + subject
    }
}

impl Given for Context {
    fn redact(&mut self, by: &mut Redactor<'_>) -> Checked {
        self.delegation.redact(by)
    }

    fn fit(&mut self) {
        self.delegation.fit();
        self.subject.iter_mut().for_each(|subject| subject.id.fit());
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let chain = self.delegation().iter();
        let hidden: Vec<_> = chain
            .map(|party| (Hidden::new(&party.issuer), Hidden::new(&party.id)))
            .collect();
        let subject = self.subject.as_ref().map(|it| Hidden::new(&it.id));
        f.debug_struct("Context")
            .field("command", &self.command)
            .field("parent", &self.parent)
            .field("trace", &self.trace)
            .field("on_behalf_of", &hidden)
            .field("subject", &subject)
            .finish()
    }
}

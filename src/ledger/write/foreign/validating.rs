// SPDX-License-Identifier: Apache-2.0
//! Validators are asked, and contents to restore are read, before an order is sent.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::actors::{Earlier, Prepared, earlier};
use crate::commands::given::shortened;
use crate::commands::{Command, Rollback};
use crate::error::AppendError;
use crate::events::Store;
use crate::integrity::digest;

use super::calls::on_a_thread;
use super::{CALLS_MAX, Foreign};
use crate::ledger::blocking::blocking;
use crate::ledger::write::submit::Core;

impl Foreign {
    /// All validators accept, one after the other, each on a thread of its own.
    ///
    /// # Errors
    /// `Rejected` by one of them; `CallbackFailed`, `CallbackTimedOut`; `Busy` where as many calls as
    /// there may be have not come back within the budget.
    async fn validated(
        &self,
        command: &'static str,
        document: &str,
        content: Arc<[u8]>,
    ) -> Result<(), AppendError> {
        for (validator, seat) in &self.validators {
            let room = Arc::clone(&self.validating).acquire_owned();
            let Ok(Ok(room)) = tokio::time::timeout(seat.budget(), room).await else {
                let (what, limit) = ("validators' calls", CALLS_MAX as u64);
                return Err(AppendError::Busy { what, limit });
            };
            let (validator, content) = (Arc::clone(validator), Arc::clone(&content));
            let named = document.to_owned();
            let work = move || validator.validate(&named, &content);
            let verdict = on_a_thread(seat, command, room, work).await?;
            seat.well();
            verdict.map_err(|problem| AppendError::Rejected {
                document: document.to_owned(),
                validator: seat.name().to_owned(),
                problem: shortened(&problem),
            })?;
        }
        Ok(())
    }
}

impl Core {
    /// Finds out what the configuration's decision needs. The decision says what is wrong: see
    /// [`Prepared`].
    pub(in crate::ledger) async fn prepared(&self, store: Store, commands: &[Command]) -> Prepared {
        let validated = !self.foreign.validators.is_empty();
        let mut prepared = Prepared::new(validated);
        if store != Store::Configuration {
            return prepared;
        }
        let mut bytes = 0;
        for command in commands {
            match command {
                Command::Change(change) if validated => {
                    let content = || change.content.as_slice().into();
                    let hash = digest(&change.content);
                    self.judge(&mut prepared, command, &change.document, hash, content)
                        .await;
                }
                Command::Rollback(rollback) => {
                    let restored = self.restored(rollback, &mut bytes, &mut prepared).await;
                    if let Some(content) = restored.filter(|_| validated) {
                        let hash = digest(&content);
                        self.judge(&mut prepared, command, &rollback.document, hash, || content)
                            .await;
                    }
                }
                _ => {}
            }
        }
        prepared
    }

    async fn judge(
        &self,
        prepared: &mut Prepared,
        command: &Command,
        document: &str,
        hash: crate::events::Hash,
        content: impl FnOnce() -> Arc<[u8]>,
    ) {
        if !prepared.is_judged(document, &hash) {
            let asked = self.foreign.validated(command.kind(), document, content());
            let outcome = asked.await;
            prepared.judge(document, hash, outcome);
        }
    }

    /// The content that a rollback restores, where it is a version by now; `bytes` counts those of
    /// the whole group.
    async fn restored(
        &self,
        rollback: &Rollback,
        bytes: &mut usize,
        prepared: &mut Prepared,
    ) -> Option<Arc<[u8]>> {
        let (document, version) = (rollback.document.as_str(), rollback.to_version);
        if let Some(known) = prepared.restored(document, version) {
            return known.clone().ok();
        }
        let content = match self.earlier(document, version).await {
            Earlier::Unknown => return None,
            Earlier::Recent(content) => Ok(content),
            Earlier::Past => self.read_earlier(document, version).await,
        };
        let content = content.and_then(|content| {
            *bytes += content.len();
            let limits = &self.shared.limits;
            if *bytes > limits.commit_bytes_max {
                return Err(AppendError::CommitTooLarge {
                    records: 1,
                    records_max: limits.commit_records_max as u64,
                    bytes: *bytes as u64,
                    bytes_max: limits.commit_bytes_max as u64,
                });
            }
            Ok(content)
        });
        prepared.restore(document, version, content.clone());
        content.ok()
    }

    async fn earlier(&self, document: &str, version: u64) -> Earlier {
        let (reply, answer) = oneshot::channel();
        earlier(
            self.stores.of(Store::Configuration),
            document,
            version,
            reply,
        );
        // A store that has ended takes no order either.
        answer.await.unwrap_or(Earlier::Unknown)
    }

    async fn read_earlier(&self, document: &str, version: u64) -> Result<Arc<[u8]>, AppendError> {
        let (past, document) = (Arc::clone(&self.shared.past), document.to_owned());
        let read = blocking(move || past.configuration(&document, version)).await?;
        let content = read.ok_or(AppendError::ViewLag { lag: 0 })?;
        Ok(content.into())
    }
}

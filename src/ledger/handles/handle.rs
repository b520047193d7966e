// SPDX-License-Identifier: Apache-2.0
//! What every handle does: asks its store, and reads the views that answer for it.

use std::sync::Arc;
use std::time::Duration;

use crate::access::Grant;
use crate::actors::{Answered, Refusal};
use crate::commands::{Command, Receipt};
use crate::error::{AccessError, AppendError, ReadError};
use crate::events::{Store, StoreMask};

use super::super::blocking::blocking;
use super::super::inner::Inner;
use super::super::read::views::{ViewSet, unviewable};

/// How long a read waits for its view to hold what was acknowledged before.
const OWN_WRITES_MAX: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub(crate) struct Handle {
    pub(super) inner: Arc<Inner>,
    pub(super) grant: Grant,
}

pub(in crate::ledger) fn handle(
    inner: &Arc<Inner>,
    grant: &Grant,
    store: Store,
) -> Result<Handle, AccessError> {
    let core = &inner.core;
    let has_some = core.known(&grant.0).and_then(|()| {
        let append = grant.0.may_append(store);
        append.or_else(|error| {
            grant
                .0
                .may_read(StoreMask::NONE.with(store))
                .map_err(|_| error)
        })
    });
    if let Err(error) = &has_some {
        core.shared
            .self_records
            .refused(grant.name(), error.code(), true, || {
                format!("handle: {error}")
            });
    }
    has_some.map(|()| Handle {
        inner: Arc::clone(inner),
        grant: grant.clone(),
    })
}

/// What is read of a store.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted {
    /// Names, states, versions, places and times.
    Standing(Store),
    /// The texts and bytes that components wrote.
    Payloads(Store),
}

impl Wanted {
    const fn store(self) -> Store {
        match self {
            Self::Standing(store) | Self::Payloads(store) => store,
        }
    }
}

impl Handle {
    pub(in crate::ledger) fn new(inner: &Arc<Inner>, grant: &Grant) -> Self {
        Self {
            inner: Arc::clone(inner),
            grant: grant.clone(),
        }
    }

    pub(super) fn ask(
        &self,
        command: Command,
    ) -> impl Future<Output = Result<Answered, AppendError>> + Send {
        let answer = self.try_ask(command);
        async move { answer.await.map_err(|refusal| refusal.error) }
    }

    pub(super) fn try_ask(
        &self,
        command: Command,
    ) -> impl Future<Output = Result<Answered, Refusal>> + Send {
        self.inner.core.submit_one(&self.grant, command)
    }

    pub(super) fn receipt(
        &self,
        command: Command,
    ) -> impl Future<Output = Result<Receipt, AppendError>> + Send {
        let answer = self.ask(command);
        async move { answer.await.map(|answered| answered.receipt) }
    }

    pub(super) fn may_read(&self, wanted: Wanted) -> Result<(), AccessError> {
        let core = &self.inner.core;
        match wanted {
            Wanted::Standing(store) => core.may_read(&self.grant.0, StoreMask::NONE.with(store)),
            Wanted::Payloads(store) => core.may_read_payloads(&self.grant.0, store),
        }
    }

    /// Reads a view that holds everything that this ledger acknowledged to the store before the
    /// call, by whichever handle. Waits for it without blocking a thread, at most for
    /// [`OWN_WRITES_MAX`]; a view that is halted or being made again is an error at once.
    pub(super) async fn read<R: Send + 'static>(
        &self,
        wanted: Wanted,
        read: impl FnOnce(&ViewSet) -> Result<R, crate::projections::ViewError> + Send + 'static,
    ) -> Result<R, ReadError> {
        let durable = &self.inner.core.shared.durable;
        let acknowledged = durable.acknowledged(wanted.store());
        self.read_behind(acknowledged, wanted, read).await
    }

    /// The same, with the view that has read up to the record `seq`.
    pub(super) async fn read_behind<R: Send + 'static>(
        &self,
        seq: u64,
        wanted: Wanted,
        read: impl FnOnce(&ViewSet) -> Result<R, crate::projections::ViewError> + Send + 'static,
    ) -> Result<R, ReadError> {
        self.may_read(wanted)?;
        let inner = &self.inner;
        let serves = inner.set.serves(wanted.store(), seq, OWN_WRITES_MAX);
        let serves = inner.core.phase.unless_closed(serves).await;
        serves.ok_or(ReadError::Closed)?.map_err(unviewable)?;
        self.read_now(wanted, read).await
    }

    /// The same, with the view as it is.
    pub(super) async fn read_now<R: Send + 'static>(
        &self,
        wanted: Wanted,
        read: impl FnOnce(&ViewSet) -> Result<R, crate::projections::ViewError> + Send + 'static,
    ) -> Result<R, ReadError> {
        self.may_read(wanted)?;
        let set = self.inner.set.clone();
        let read = blocking(move || read(&set).map_err(unviewable)).await;
        // Taken back while it was read: nothing is given any more.
        self.may_read(wanted)?;
        read
    }
}

// SPDX-License-Identifier: Apache-2.0
//! At a close: what views hold in memory becomes their last segments, and a record vouches for them, so that the next
//! opening has nothing to read again. It is worth some time and no failure: without it, an opening reads more.

use std::time::Duration;

use tokio::sync::oneshot;

use super::deadline::Deadline;
use crate::ledger::inner::Inner;
use crate::projections::Views;

/// It takes at most half of the time that is left, and no more than this.
const MOST: Duration = Duration::from_secs(5);

/// Behind it nothing is vouched for any more: the ledger's last records come next.
pub(super) async fn seal(inner: &Inner, views: &Views, deadline: &Deadline) {
    if inner.core.writer.sealed().is_none() {
        let most = deadline.half_left(MOST);
        let sealed = async {
            written(views, most).await;
            inner.vouching.settled().await;
        };
        if deadline.within_half(MOST, sealed).await.is_none() {
            tracing::warn!("views were not sealed in time; the next opening reads more");
        }
    }
    inner.vouching.close();
}

/// In a thread of its own, which is left behind where it does not come back.
async fn written(views: &Views, most: Duration) {
    let seal = views.seal_tails();
    let (told, written) = oneshot::channel::<()>();
    let work = move || {
        seal(most);
        // Nobody may be waiting any more.
        drop(told);
    };
    let builder = std::thread::Builder::new().name("ledger-sealing".into());
    match builder.spawn(work) {
        // It is told by being dropped.
        Ok(_) => drop(written.await),
        Err(error) => tracing::warn!(%error, "no thread to seal views"),
    }
}

// SPDX-License-Identifier: Apache-2.0
//! When a checkpoint is signed, or copied again, by itself.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::metrics;
use crate::vitals::VitalPart;

use super::copies::Backoff;
use super::sign::{Signing, sign};
use super::{Checkpoints, cosign};
use crate::ledger::background::tasks::Job;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Due {
    Sign,
    /// Only to the destinations that have not got the newest one.
    Copy,
}

impl Checkpoints {
    /// What is to be done now, if anything.
    fn due(&self, head: u64, now_ns: u64) -> Option<Due> {
        let options = self.options()?;
        let since = head.saturating_sub(self.covered.load(Ordering::Acquire));
        let age = Duration::from_nanos(now_ns.saturating_sub(self.last_ns.load(Ordering::Acquire)));
        let gauge = |metric: metrics::Metric, value| metric.gauge(&[]).set(value);
        gauge(metrics::CHECKPOINT_AGE_SECONDS, age.as_secs_f64());
        gauge(metrics::CHECKPOINT_LAG_RECORDS, since as f64);
        let copy_ns = self.destinations.oldest_ns(now_ns).unwrap_or(0);
        gauge(
            metrics::CHECKPOINT_COPY_AGE_SECONDS,
            Duration::from_nanos(copy_ns).as_secs_f64(),
        );
        // Where another history was met, nothing is signed or copied until somebody has decided.
        if self.fork.found().is_some() {
            return None;
        }
        let by_records = options.every_records > 0 && since >= options.every_records;
        let by_age = since > 0 && !options.every.is_zero() && age >= options.every;
        if (by_records || by_age) && self.signing().is_over(now_ns) {
            return Some(Due::Sign);
        }
        self.destinations.any_due(now_ns).then_some(Due::Copy)
    }
}

/// Signing or copying in the background; over when it is dropped, however it ended.
struct SigningUnderWay(Signing);

impl Drop for SigningUnderWay {
    fn drop(&mut self) {
        let Signing { core, checkpoints } = &self.0;
        if std::thread::panicking() {
            let now_ns = core.shared.clock.monotonic_ns();
            checkpoints.signing().failed(now_ns);
        }
        checkpoints.under_way.store(false, Ordering::Release);
    }
}

impl Job for Signing {
    /// Signs, or copies again, in the background where it is time to.
    fn tick(&self, now_ns: u64) {
        let due = self
            .checkpoints
            .due(self.core.reader.head().count(), now_ns);
        let Some(due) = due else { return };
        if !self.checkpoints.under_way.swap(true, Ordering::AcqRel) {
            let under_way = SigningUnderWay(self.clone());
            let vital = self.core.shared.vitals.start(VitalPart::Checkpoints);
            tokio::spawn(async move {
                let signing = &under_way.0;
                let done = match due {
                    Due::Sign => sign(signing).await.map(|_| ()),
                    Due::Copy => cosign::copy_again(signing).await,
                };
                match &done {
                    Err(error) => {
                        tracing::error!(%error, "no checkpoint was signed");
                        let now_ns = signing.core.shared.clock.monotonic_ns();
                        signing.checkpoints.signing().failed(now_ns);
                    }
                    Ok(()) => *signing.checkpoints.signing() = Backoff::default(),
                }
                vital.done();
            });
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Where each document's last version stands in the journal: known once its commit is durable.

use std::sync::Arc;

use super::ConfigurationState;
use crate::actors::in_force::DocumentInForce;
use crate::events::{Event, RecordHeader, Seq};

impl ConfigurationState {
    /// Counts changes: a change makes one record.
    pub(crate) const fn mark(&self) -> u64 {
        self.version
    }

    /// The changes decided last have their place behind the record `head`.
    pub(crate) fn behind(&mut self, head: u64) {
        let decided = self.unplaced.iter_mut().rev();
        for change in decided.take_while(|change| change.after == 0) {
            change.after = head;
        }
    }

    /// One commit is durable: its last change is number `mark`, its last record `last`.
    pub(crate) fn committed(&mut self, mark: u64, last: Seq) {
        while let Some(change) = self.unplaced.front()
            && change.version <= mark
        {
            let found = self.documents.get_mut(&change.document);
            if let Some(document) = found.filter(|found| found.changed == change.version) {
                document.seq = Seq::new(last.get().saturating_sub(mark - change.version));
            }
            self.unplaced.pop_front();
        }
    }

    /// A record that was on its way when this state was saved.
    pub(crate) fn place(&mut self, header: &RecordHeader, event: &Event) {
        if let Event::ConfigurationChanged(changed) = event
            && let Some(document) = self.documents.get_mut(changed.document.as_str())
            && document.seq.is_none()
            && document.digests.len() as u64 == changed.version
        {
            document.seq = Some(header.seq);
        }
    }

    /// All documents, each as it is in force; an error names one without its record.
    pub(crate) fn documents_in_force(
        &self,
    ) -> impl Iterator<Item = Result<(Arc<str>, DocumentInForce), String>> {
        self.documents.iter().map(|(name, document)| {
            let last = document.digests.last().zip(document.seq);
            let (digest, seq) = last.ok_or_else(|| format!("document {name:?} has no record"))?;
            let in_force = DocumentInForce {
                version: document.digests.len() as u64,
                digest: *digest,
                seq,
            };
            Ok((Arc::clone(name), in_force))
        })
    }
}

impl super::ConfigurationPortrait {
    /// Its missing places are behind this record; `None` where none is missing.
    pub(crate) fn unplaced_after(&self) -> Option<u64> {
        let missing = self.documents.iter().any(|(_, _, seq)| seq.is_none());
        missing.then_some(self.unplaced_after)
    }
}

// SPDX-License-Identifier: Apache-2.0
//! What a group of changes that is refused puts back: of the documents that it names, and no others.

use super::{BeforeChanges, ConfigurationState, DocumentBefore};
use crate::commands::Command;

impl ConfigurationState {
    pub(super) fn before(&self, commands: &[Command]) -> BeforeChanges {
        let named = commands.iter().filter_map(|command| match command {
            Command::Change(change) => Some(&change.document),
            Command::Rollback(rollback) => Some(&rollback.document),
            _ => None,
        });
        let before = |name: &String| {
            let found = self.documents.get(name.as_str());
            let before = found.map(|document| DocumentBefore {
                versions: document.digests.len(),
                changed: document.changed,
                seq: document.seq,
            });
            (name.clone(), before)
        };
        BeforeChanges {
            version: self.version,
            streams: self.streams.clone(),
            documents: named.map(before).collect(),
            recent: self.recent.clone(),
            recent_bytes: self.recent_bytes,
            unplaced: self.unplaced.len(),
        }
    }

    pub(super) fn put_back(&mut self, saved: BeforeChanges) {
        for (name, before) in saved.documents {
            let Some(before) = before else {
                self.documents.remove(name.as_str());
                continue;
            };
            if let Some(document) = self.documents.get_mut(name.as_str()) {
                document.digests.truncate(before.versions);
                document.changed = before.changed;
                document.seq = before.seq;
            }
        }
        self.version = saved.version;
        self.streams = saved.streams;
        self.recent = saved.recent;
        self.recent_bytes = saved.recent_bytes;
        self.unplaced.truncate(saved.unplaced);
    }
}

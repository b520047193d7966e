// SPDX-License-Identifier: Apache-2.0
//! What a file holds: sparse pages and a length.

use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) const PAGE: u64 = 4096;
/// What a medium writes as a whole, or not at all.
pub(crate) const SECTOR: u64 = 512;

type Page = [u8; PAGE as usize];

/// Pages that were never written read as zeros. Nothing is kept beyond the length.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Content {
    pages: BTreeMap<u64, Arc<Page>>,
    len: u64,
}

impl Content {
    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    /// Pages that take room.
    pub(crate) fn pages(&self) -> u64 {
        self.pages.len() as u64
    }

    /// Pages that a write would newly take.
    pub(crate) fn pages_needed(&self, offset: u64, len: u64) -> u64 {
        if len == 0 {
            return 0;
        }
        let touched = offset / PAGE..=(offset + len - 1) / PAGE;
        let held = self.pages.range(touched.clone()).count() as u64;
        touched.end() - touched.start() + 1 - held
    }

    pub(crate) fn read(&self, offset: u64, len: u64) -> Vec<u8> {
        let end = offset.saturating_add(len).min(self.len);
        let mut bytes = vec![0; end.saturating_sub(offset) as usize];
        for (page, at, part) in parts(offset, bytes.len() as u64) {
            if let Some(held) = self.pages.get(&page) {
                let to = (page * PAGE + at as u64 - offset) as usize;
                bytes[to..to + part].copy_from_slice(&held[at..at + part]);
            }
        }
        bytes
    }

    /// Writes, and grows to the end of what was written.
    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) {
        self.put(offset, data);
        self.len = self.len.max(offset + data.len() as u64);
    }

    /// Writes blocks without telling the length; [`Self::trim`] ends a series of these.
    pub(crate) fn put(&mut self, offset: u64, data: &[u8]) {
        for (page, at, part) in parts(offset, data.len() as u64) {
            let from = (page * PAGE + at as u64 - offset) as usize;
            let held = self
                .pages
                .entry(page)
                .or_insert_with(|| Arc::new([0; PAGE as usize]));
            Arc::make_mut(held)[at..at + part].copy_from_slice(&data[from..from + part]);
        }
    }

    pub(crate) fn grow(&mut self, len: u64) {
        self.len = self.len.max(len);
    }

    pub(crate) fn set_len(&mut self, len: u64) {
        self.len = len;
        self.trim();
    }

    /// Takes pages without changing what is read.
    pub(crate) fn allocate(&mut self, offset: u64, len: u64) {
        for (page, ..) in parts(offset, len) {
            self.pages
                .entry(page)
                .or_insert_with(|| Arc::new([0; PAGE as usize]));
        }
    }

    /// Drops what lies beyond the length.
    pub(crate) fn trim(&mut self) {
        let whole = self.len.div_ceil(PAGE);
        drop(self.pages.split_off(&whole));
        let tail = (self.len % PAGE) as usize;
        if tail > 0
            && let Some(page) = self.pages.get_mut(&(self.len / PAGE))
            && page[tail..].iter().any(|byte| *byte != 0)
        {
            Arc::make_mut(page)[tail..].fill(0);
        }
    }
}

/// A range by pages: the page, where in it, how many bytes.
fn parts(offset: u64, len: u64) -> impl Iterator<Item = (u64, usize, usize)> {
    let end = offset + len;
    let mut at = offset;
    std::iter::from_fn(move || {
        if at >= end {
            return None;
        }
        let (page, inside) = (at / PAGE, at % PAGE);
        let part = (PAGE - inside).min(end - at);
        at += part;
        Some((page, inside as usize, part as usize))
    })
}

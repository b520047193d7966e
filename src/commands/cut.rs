// SPDX-License-Identifier: Apache-2.0
//! Commands that are too large to be kept whole are cut before they wait: one that waits costs what
//! will be stored of it, whatever its caller handed over.

use super::measure::{Cutter, Whole};
use super::{Command, Cut};
use crate::config::Limits;

impl Command {
    /// Gives back what it holds beyond its bytes; whether something of it is too large to be kept whole.
    pub(crate) fn is_oversize(&mut self, limits: &Limits) -> bool {
        self.fit();
        let mut cutter = Cutter {
            limits,
            cuts: false,
            found: false,
            whole: Whole::default(),
        };
        self.show(&mut cutter);
        cutter.found
    }

    /// Cuts what is too large to be kept whole. Right before it waits: after the redactor and every
    /// check have seen all of it, and not before its digest was taken.
    pub(crate) fn cut(mut self, limits: &Limits, opening: u64) -> Self {
        if !self.is_oversize(limits) {
            return self;
        }
        let digest = self.content_digest();
        let mut cutter = Cutter {
            limits,
            cuts: true,
            found: false,
            whole: Whole {
                digest,
                ..Whole::default()
            },
        };
        self.show(&mut cutter);
        Self::Cut(Cut {
            whole: cutter.whole,
            command: Box::new(self),
            opening,
        })
    }

    /// Gives back what its buffers hold beyond their bytes: what waits takes as much as is counted of it.
    pub(crate) fn fit(&mut self) {
        if let Some(content) = self.content_mut() {
            content.fit();
        }
    }

    /// Nothing of what was cut before.
    fn show(&mut self, cutter: &mut Cutter<'_>) {
        if let Some(content) = self.content_mut() {
            content.cut(cutter);
        }
    }

    /// What is to be decided on, and what is known of what was cut of it.
    pub(crate) fn parts(&self) -> (&Self, Whole) {
        match self {
            Self::Cut(cut) => (&cut.command, cut.whole),
            whole => (whole, Whole::default()),
        }
    }
}

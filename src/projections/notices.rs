// SPDX-License-Identifier: Apache-2.0
//! What happened to views, and who is told.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::callbacks::{CallbackKind, Callbacks};
use crate::locks::whole;

/// Is told what happened to the views.
///
/// Example: [`Source`](crate::projections::Source).
pub type Listener = Arc<dyn Fn(&Notice) + Send + Sync>;

/// Who is told what happened to views.
pub(super) struct Notices {
    /// Lock: a runner that has something to tell, for a copy; nothing is called under it.
    listener: Mutex<Option<Listener>>,
}

impl Notices {
    pub(super) const fn of(listener: Option<Listener>) -> Self {
        Self {
            listener: Mutex::new(listener),
        }
    }

    /// A listener that panics is told no more.
    pub(super) fn tell(&self, notice: &Notice) {
        let Some(listener) = whole(self.listener.lock()).clone() else {
            return;
        };
        let seat = Callbacks::unwatched().seat(CallbackKind::Listener, "views", Duration::MAX);
        if seat.call(|| listener(notice)).is_err() {
            *whole(self.listener.lock()) = None;
        }
    }
}

/// Something happened to the views that an operator wants to know.
///
/// Example: [`Source`](crate::projections::Source).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// Damaged views were moved away; they are being made again.
    SetAside {
        /// What was wrong.
        cause: String,
        /// Where they are kept.
        to: PathBuf,
    },
    /// A new generation of a view serves.
    Rebuilt {
        /// The view.
        view: &'static str,
        /// How far it had read by then.
        position: u64,
    },
    /// Views cannot be brought up to date for now.
    Halted {
        /// Why.
        cause: String,
    },
}

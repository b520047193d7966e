// SPDX-License-Identifier: Apache-2.0
//! The files that a view lies in, for who verifies them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::database::{Damage, Meaning};
use crate::locks::whole;
use crate::projections::segments::{Segment, SegmentError};
use crate::projections::storage::Generation;

use super::View;

/// How often a manifest is looked at that may only be under way, and how long between two looks.
const LOOKS_MAX: usize = 8;
const PAUSE: Duration = Duration::from_millis(25);

/// A file that a view lies in, or lay in when it was asked.
#[derive(Clone)]
pub(crate) struct ViewFile {
    view: View,
    segment: Arc<Segment>,
}

impl View {
    /// The files of the generation that serves, as they are now: they never change, and go when others have taken
    /// their place.
    pub(crate) fn files(&self) -> Vec<ViewFile> {
        let layers = self.serving().map(|serving| serving.layers());
        let file = |segment: &Arc<Segment>| ViewFile {
            view: self.clone(),
            segment: Arc::clone(segment),
        };
        layers.map_or_else(Vec::new, |layers| layers.segments().map(file).collect())
    }

    /// Whether the manifest says what was written to it, as far as the view serves; else the view is set aside and
    /// made again. Blocks for as long as one that is being written may take.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn check_manifest(&self) -> Result<(), Damage> {
        let mut looks = 1;
        loop {
            let Some(serving) = self.serving() else {
                return Ok(());
            };
            let Err(damage) = serving.check_manifest() else {
                return Ok(());
            };
            if looks == LOOKS_MAX || damage.meaning() != Meaning::Damaged {
                self.told(serving.incarnation, &damage);
                return Err(damage);
            }
            looks += 1;
            std::thread::sleep(PAUSE);
        }
    }

    fn serving(&self) -> Option<Arc<Generation>> {
        whole(self.shared.state.lock()).serving.clone()
    }

    /// A view of which a file is not what it was is set aside and made again.
    fn told(&self, incarnation: u64, damage: &Damage) {
        if damage.meaning() == Meaning::Damaged {
            let cause = format!("view {}: {damage}", self.name());
            self.control.complain(incarnation, cause);
        }
    }
}

impl ViewFile {
    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    pub(crate) fn path(&self) -> &Path {
        self.segment.path()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.segment.bytes()
    }

    /// The last record that it is made of. No other file of the view ends with it.
    pub(crate) fn last_seq(&self) -> u64 {
        self.segment.head().last_seq
    }

    /// It was read, and this is wrong with it: a view that still lies in it is set aside and made again. False where
    /// it does not any more, and nothing is wrong.
    pub(crate) fn is_wrong(&self, damage: &Damage) -> bool {
        let Some(serving) = self.view.serving() else {
            return false;
        };
        let layers = serving.layers();
        let is_used = layers.segments().any(|it| Arc::ptr_eq(it, &self.segment));
        if is_used {
            self.view.told(serving.incarnation, damage);
        }
        is_used
    }

    /// Begins to read it.
    pub(crate) fn begin(&self) -> ViewFileReading {
        ViewFileReading {
            segment: Arc::clone(&self.segment),
            part: 0,
        }
    }

    /// Reads all of it. `step` is told of every piece and says whether to go on; gives false where it did not.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub(crate) fn check(&self, step: &mut dyn FnMut(u64) -> bool) -> Result<bool, Damage> {
        let mut reading = self.begin();
        loop {
            match reading.piece()? {
                0 => return Ok(true),
                read if !step(read) => return Ok(false),
                _ => {}
            }
        }
    }
}

/// A file of a view that is being read.
pub(crate) struct ViewFileReading {
    segment: Arc<Segment>,
    part: usize,
}

impl ViewFileReading {
    /// Reads the next piece and gives its length; 0 at the end, where the whole was what it is to be.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub(crate) fn piece(&mut self) -> Result<u64, Damage> {
        let read = self.segment.check_part(self.part).map_err(Damage::from)?;
        self.part += 1;
        Ok(read.unwrap_or(0))
    }
}

impl From<SegmentError> for Damage {
    fn from(error: SegmentError) -> Self {
        match error {
            SegmentError::Damaged {
                path,
                offset,
                problem,
            } => Self::at(&path, offset, problem),
            SegmentError::Io { path, source } => Self::io(&path, source),
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
//! A view's directory: its manifest, and a directory for each generation.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::database;
use crate::projections::error::HaltReason;

use super::manifest::{Manifest, StatedManifest};

const MANIFEST: &str = "manifest.json";

/// `views/<name>/`.
#[derive(Clone)]
pub(in crate::projections) struct ViewPlace {
    /// `views/`.
    pub(in crate::projections) views: PathBuf,
    pub(in crate::projections) name: &'static str,
}

impl ViewPlace {
    pub(super) fn path(&self) -> PathBuf {
        self.views.join(self.name)
    }

    fn manifest(&self) -> PathBuf {
        self.path().join(MANIFEST)
    }

    /// Makes the view's directory where it is missing.
    pub(super) fn ensure(&self) -> Result<(), HaltReason> {
        for path in [&self.views, &self.path()] {
            database::ensure_private(path).map_err(|error| told(path, &error))?;
        }
        Ok(())
    }

    pub(super) fn read_manifest(&self) -> Result<Option<StatedManifest>, HaltReason> {
        let path = self.manifest();
        let manifest = Manifest::read(&path)?;
        Ok(manifest.map(|manifest| StatedManifest { path, manifest }))
    }

    pub(super) fn write_manifest(&self, manifest: Manifest) -> Result<StatedManifest, HaltReason> {
        let path = self.manifest();
        manifest.write(&path)?;
        Ok(StatedManifest { path, manifest })
    }

    /// The directory of a generation.
    pub(super) fn generation(&self, version: u32, number: u64) -> PathBuf {
        self.path().join(format!("v{version}.g{number}"))
    }

    /// A new, empty directory for a generation.
    pub(super) fn create_generation(&self, version: u32, number: u64) -> Result<(), HaltReason> {
        let path = self.generation(version, number);
        remove(&path).map_err(|error| told(&path, &error))?;
        database::ensure_private(&path).map_err(|error| told(&path, &error))
    }

    /// Removes all generations but one.
    pub(super) fn drop_others(&self, keep: Option<(u32, u64)>) -> Result<(), HaltReason> {
        let kept = keep.map(|(version, number)| self.generation(version, number));
        for path in self.generations()? {
            if Some(&path) != kept.as_ref() {
                remove(&path).map_err(|error| told(&path, &error))?;
            }
        }
        Ok(())
    }

    /// A number that no generation has that there is.
    pub(super) fn next_number(&self) -> Result<u64, HaltReason> {
        let generations = self.generations()?;
        let numbers = generations.iter().filter_map(|path| {
            let name = path.file_name()?.to_str()?;
            let (_, number) = name.rsplit_once(".g")?;
            number.parse::<u64>().ok()
        });
        Ok(numbers.max().unwrap_or(0).saturating_add(1))
    }

    fn generations(&self) -> Result<Vec<PathBuf>, HaltReason> {
        let path = self.path();
        let list = || -> io::Result<Vec<PathBuf>> {
            let mut found = Vec::new();
            for entry in fs::read_dir(&path)? {
                let entry = entry?;
                let name = entry.file_name();
                let named = name.to_str().is_some_and(|name| {
                    name.strip_prefix('v')
                        .is_some_and(|rest| rest.contains(".g"))
                });
                if named {
                    found.push(entry.path());
                }
            }
            Ok(found)
        };
        list().map_err(|error| told(&path, &error))
    }
}

/// The file of a segment.
pub(super) fn segment_file(generation: &Path, first: u64, last: u64) -> PathBuf {
    generation.join(format!("{first:020}-{last:020}.segment"))
}

/// Files of a generation that its manifest does not name: what a kill left.
pub(super) fn drop_strays(generation: &Path, named: &[PathBuf]) -> Result<(), HaltReason> {
    let clear = || -> io::Result<()> {
        for entry in fs::read_dir(generation)? {
            let path = entry?.path();
            if !named.contains(&path) {
                remove(&path)?;
            }
        }
        Ok(())
    };
    clear().map_err(|error| told(generation, &error))
}

pub(super) fn told(path: &Path, error: &io::Error) -> HaltReason {
    match database::files::is_odd(error) {
        true => HaltReason::Damage(format!("{}: {error}", path.display())),
        false => HaltReason::io(path, error),
    }
}

/// Removes what is there, if something is; follows no link.
fn remove(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    match found.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    }
}

/// Moves a view's directory out of the way, as `quarantine/views-<n>/<name>`, or whatever stands in the place of
/// `views/`, as `quarantine/views-<n>`; nothing in it is changed or deleted.
pub(in crate::projections) fn set_aside(
    place: &ViewPlace,
    quarantine: &Path,
) -> io::Result<PathBuf> {
    database::ensure_private(quarantine)?;
    let from = match fs::symlink_metadata(&place.views)?.is_dir() {
        true => place.path(),
        false => place.views.clone(),
    };
    let mut number = 1_u64;
    loop {
        let to = quarantine.join(format!("views-{number}"));
        number += 1;
        if from == place.views {
            if fs::symlink_metadata(&to).is_ok() {
                continue;
            }
            fs::rename(&from, &to)?;
            database::sync_parent(&from)?;
            database::sync_parent(&to)?;
            return Ok(to);
        }
        match database::create_private(&to) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            made => made?,
        }
        database::sync_parent(&to)?;
        let inside = to.join(place.name);
        fs::rename(&from, &inside)?;
        database::sync_parent(&from)?;
        database::sync_parent(&inside)?;
        return Ok(inside);
    }
}

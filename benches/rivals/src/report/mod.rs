// SPDX-License-Identifier: Apache-2.0
//! `docs/PERFORMANCE.md` and its charts, from the figures that the other verbs kept.

mod ahead;
mod aims;
mod charts;
mod curves;
mod model;
mod sections;

use std::fs;
use std::path::Path;

use clap::Args;
use serde::de::DeserializeOwned;

use crate::history::History;
use crate::memory::Memory;
use crate::soak::Soak;
use crate::stations::Stations;
use crate::table::Table;
use model::Shares;

const SEQUENCER_SHARE: f64 = 0.28;
const STORE_SHARE: f64 = 0.33;
const NVME_SYNC_US: f64 = 100.0;

#[derive(Debug, Clone, Args)]
pub(crate) struct Plan {
    /// The page. Default: docs/PERFORMANCE.md.
    #[arg(long)]
    pub(crate) page: Option<std::path::PathBuf>,
    /// Part of the host's threads' work that the sequencer does, by a profile of a cycle.
    #[arg(long, default_value_t = SEQUENCER_SHARE)]
    sequencer_share: f64,
    /// The same of the busiest store's actor.
    #[arg(long, default_value_t = STORE_SHARE)]
    store_share: f64,
    /// Microseconds of a sync on the NVMe disk that the model imagines.
    #[arg(long, default_value_t = NVME_SYNC_US)]
    nvme_sync_us: f64,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            page: None,
            sequencer_share: SEQUENCER_SHARE,
            store_share: STORE_SHARE,
            nvme_sync_us: NVME_SYNC_US,
        }
    }
}

/// All figures that are there.
#[derive(Default)]
pub(crate) struct Results {
    /// The main one first.
    pub(crate) tables: Vec<Table>,
    pub(crate) soaks: Vec<Soak>,
    pub(crate) histories: Vec<History>,
    pub(crate) memory: Option<Memory>,
    pub(crate) stations: Option<Stations>,
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

impl Results {
    /// What lies in a directory, told apart by the files' names.
    pub(crate) fn read(directory: &Path) -> Result<Self, String> {
        let mut results = Self::default();
        let entries =
            fs::read_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths
            .iter()
            .filter(|path| path.extension().is_some_and(|it| it == "json"))
        {
            let name = path
                .file_stem()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            match name.split('-').next().unwrap_or_default() {
                "table" => results.tables.push(read(path)?),
                "soak" => results.soaks.push(read(path)?),
                "history" => results.histories.push(read(path)?),
                "memory" => results.memory = Some(read(path)?),
                "stations" => results.stations = Some(read(path)?),
                _ => {}
            }
        }
        results
            .histories
            .sort_by_key(|history| history.plan.records);
        Ok(results)
    }
}

/// Writes the page and the charts; the charts lie beside the figures.
pub(crate) fn write(plan: &Plan, results: &Path, page: &Path) -> Result<(), String> {
    let figures = Results::read(results)?;
    let shares = Shares {
        sequencer: plan.sequencer_share,
        store: plan.store_share,
    };
    let drawn = curves::draw(&figures, results)?;
    let beside = relative(results, page);
    let text = sections::page(&figures, shares, plan.nvme_sync_us, &drawn, &beside);
    fs::write(page, text).map_err(|error| format!("{}: {error}", page.display()))?;
    println!("{}", page.display());
    Ok(())
}

/// The charts' directory as the page names it.
fn relative(results: &Path, page: &Path) -> String {
    let (results, page) = (
        fs::canonicalize(results),
        page.parent().map(fs::canonicalize),
    );
    match (results, page) {
        (Ok(results), Some(Ok(parent))) => {
            let inner = results.strip_prefix(&parent).map(Path::to_owned);
            inner.unwrap_or(results).display().to_string()
        }
        _ => ".".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From stored figures, all kinds of which are in `testdata/`.
    #[test]
    fn a_report_is_made_of_stored_figures() {
        let directory = tempfile::tempdir().unwrap();
        let results = directory.path().join("performance");
        fs::create_dir(&results).unwrap();
        let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
        for entry in fs::read_dir(stored).unwrap().flatten() {
            fs::copy(entry.path(), results.join(entry.file_name())).unwrap();
        }
        let page = directory.path().join("PERFORMANCE.md");
        write(&Plan::default(), &results, &page).unwrap();
        let text = fs::read_to_string(&page).unwrap();
        for part in [
            "## Aims",
            "## Where a rival is ahead",
            "## Soaks",
            "## A long history",
            "## Beyond",
            "Allocator",
        ] {
            assert!(text.contains(part), "no {part} in\n{text}");
        }
        for chart in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            assert!(
                !chart.ends_with(".svg") || directory.path().join(chart).exists(),
                "{chart}"
            );
        }
        assert!(!text.contains("NaN"), "{text}");
    }

    /// Nothing was measured: the page says so in each place.
    #[test]
    fn a_report_of_nothing_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let page = directory.path().join("PERFORMANCE.md");
        write(&Plan::default(), directory.path(), &page).unwrap();
        assert!(fs::read_to_string(&page).unwrap().contains("not measured"));
    }
}

// SPDX-License-Identifier: Apache-2.0
//! What the model says of other machines.

use std::fmt::Write;

use super::{head, row};
use crate::report::model::{Model, Shares};
use crate::show;
use crate::stations::{Station, Stations};

pub(super) fn write_model(
    text: &mut String,
    stations: Option<&Stations>,
    shares: Shares,
    nvme_sync_us: f64,
) {
    text.push_str("## Beyond these processors\n\n");
    let Some(stations) = stations else {
        return text.push_str("The stations were not measured.\n\n");
    };
    let _ = writeln!(
        text,
        "A model, not a measurement. A command visits a pool of processors and stations that serve one command at a time: each \
         thread of the ledger's own, the sequencer, the actor of its store. Demands are processor time a command as measured by \
         thread. No station can be busy for more than all of the time, so the rate is at most processors ÷ the sum of all demands, and \
         at most 1 ÷ the largest demand on one station. *Expected* is that bound times what this machine reached of its own bound. \
         Threads do not tell actors apart: a profile of a cycle gives the sequencer {:.0} % of the host's threads' work and the busiest \
         store's actor {:.0} %, which is assumed. A sync is taken to last {nvme_sync_us:.0} µs, and frames to be full when the writer is \
         the wall.\n",
        shares.sequencer * 100.0,
        shares.store * 100.0
    );
    let most = stations.plan.callers.iter().max().copied().unwrap_or(0);
    for station in stations.stations.iter().filter(|it| it.callers == most) {
        write_station(
            text,
            station,
            &Model::new(station, stations.machine.cores, shares, nvme_sync_us),
        );
    }
}

fn write_station(text: &mut String, station: &Station, model: &Model) {
    let title = station.system.title();
    let _ = writeln!(
        text,
        "### {title}, {} callers\n",
        show::count(station.callers as f64)
    );
    let _ = writeln!(
        text,
        "Measured: {} commands a second sustained, {:.1} µs of processor each, {:.0} records a frame, {} a frame's append, of which \
         {} sync. That is {:.0} % of the bound.\n",
        show::count(station.round.sustained()),
        model.total,
        station.frame_records / station.frames.max(1) as f64,
        show::duration(station.commit_seconds * 1e9 / station.frames.max(1) as f64),
        show::duration(station.sync_seconds * 1e9 / station.frames.max(1) as f64),
        model.efficiency * 100.0
    );
    head(
        text,
        &["threads", "µs a command", "of the busiest", "it is busy"],
    );
    for demand in station.demands() {
        let busy = Model::utilisation(demand.busiest, station.round.sustained());
        let micros = [demand.all, demand.busiest].map(|it| format!("{it:.2}"));
        let [all, busiest] = micros;
        row(
            text,
            &[demand.name, all, busiest, format!("{:.0} %", busy * 100.0)],
        );
    }
    text.push('\n');
    head(text, &["processors", "at most", "expected", "wall"]);
    for cores in [2, 4, 8, 16, 32] {
        let said = model.at(cores);
        row(
            text,
            &[
                cores.to_string(),
                show::count(said.bound),
                show::count(said.expected),
                said.wall,
            ],
        );
    }
    if let [first, second, ..] = model.serial.as_slice() {
        let _ = writeln!(
            text,
            "\nFrom {:.1} processors on, more of them bring nothing: *{}* works {:.2} µs for each command, one after the other. \
             The next wall behind it is *{}* ({:.2} µs).\n",
            model.wall_cores(),
            first.name,
            first.demand,
            second.name,
            second.demand
        );
    }
}

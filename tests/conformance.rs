//! One test per requirement, named after its id: `requirements.md` part 1, and the ids of part 2
//! that this version answers for. The tests lie in `tests/conformance/`, by subject.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic and look at the clock, its helpers too"
)]

#[path = "conformance/access.rs"]
mod access;
#[path = "conformance/audit.rs"]
mod audit;
#[path = "conformance/clock.rs"]
mod clock;
#[path = "conformance/components.rs"]
mod components;
#[path = "conformance/configuration.rs"]
mod configuration;
#[path = "conformance/crypto.rs"]
mod crypto;
#[path = "conformance/durability.rs"]
mod durability;
#[path = "conformance/executions.rs"]
mod executions;
#[path = "conformance/integrity.rs"]
mod integrity;
#[path = "conformance/limits.rs"]
mod limits;
#[path = "conformance/load.rs"]
mod load;
#[path = "conformance/observability.rs"]
mod observability;
#[path = "conformance/recovery.rs"]
mod recovery;
#[path = "conformance/support.rs"]
mod support;
#[path = "conformance/tamper.rs"]
mod tamper;
#[path = "conformance/telemetry.rs"]
mod telemetry;

/// Every id that has a test.
const IDS: &str = "S2.1 S2.2 S3.1 S4.1 S5.1 S5.2 S6.1 S6.2 S6.3 S6.4 S7.1 S7.2 S8.1 S8.2 S8.3 S9.1 \
    S9.2 S10.1 S10.2 S11.1 S12.1 S13.1 S13.2 S14.1 S16.1 S17.1 S18.1 S18.2 S19.1 S20.1 S21.1 \
    S22.1 S23.1 S24.1 A1 A2 A3 A5 P2 T1 T2 R1 X1 X2";

#[test]
fn every_id_has_a_test() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let functions = text.match_indices("fn ").map(|(at, _)| &text[at + 3..]);
        let name = |rest: &str| rest.split('(').next().unwrap_or_default().to_owned();
        names.extend(functions.map(name));
    }
    for id in IDS.split_whitespace() {
        let prefix = format!("{}_", id.to_lowercase().replace('.', "_"));
        let found: Vec<_> = names
            .iter()
            .filter(|name| name.starts_with(&prefix))
            .collect();
        assert!(!found.is_empty(), "{id} has no test");
    }
}

// SPDX-License-Identifier: Apache-2.0
//! What asks for no grant, and why.

/// Files and folders below `src`.
pub(crate) const PLACES: &[(&str, &str)] = &[
    (
        "ledger/operate/read_only/",
        "whoever may read the files reads all",
    ),
    ("ledger/operate/salvage/", "the same"),
    ("ledger/options.rs", "before there is a ledger"),
    ("ledger/attest/destination.rs", "the same"),
    ("ledger/attest/checkpoints/options.rs", "the same"),
    ("ledger/attest/witness_destination.rs", "the same"),
    ("ledger/recover/recovery.rs", "a report"),
    (
        "ledger/operate/online_check.rs",
        "says what is damaged, and shows no record",
    ),
    ("ledger/operate/verify/", "the same"),
    ("ledger/operate/scrub/", "the same"),
    ("ledger/operate/health.rs", "no record"),
    (
        "ledger/attest/proofs.rs",
        "digests alone, and signing is the root's",
    ),
    (
        "ledger/attest/witness.rs",
        "made by the root; heads of other logs",
    ),
];

/// Functions.
pub(crate) const FUNCTIONS: &[(&str, &str)] = &[
    ("ledger/open_ledger.rs open", "gives the root"),
    ("ledger/open_ledger.rs open_on", "the same"),
    ("ledger/open_ledger.rs id", "a name"),
    (
        "ledger/open_ledger.rs recovery",
        "what an opening found in files",
    ),
    ("ledger/open_ledger.rs head", "a place and a hash"),
    ("ledger/open_ledger.rs watch_head", "the same"),
    (
        "ledger/open_ledger.rs in_force",
        "names, versions and digests",
    ),
    ("ledger/root.rs rebuild_view", "the root's"),
    ("ledger/open_ledger.rs view_digests", "digests"),
    ("ledger/read/view_waits.rs at_least", "waits"),
    ("ledger/read/view_waits.rs projection_at_least", "waits"),
    ("ledger/read/view_waits.rs view_positions", "places"),
    ("ledger/lifecycle/close.rs close", "the root's"),
    ("ledger/lifecycle/close.rs close_at_once", "the root's"),
    ("ledger/lifecycle/reopen.rs reopen", "the root's"),
    ("ledger/root.rs grant", "the root's"),
    ("ledger/root.rs accept_clock", "the root's"),
    (
        "ledger/attest/checkpoints/key_change.rs change_key",
        "the root's",
    ),
    (
        "ledger/attest/export.rs export",
        "the root's; no payload is in it",
    ),
    (
        "ledger/read/follow.rs lag_max",
        "of a follower that was given",
    ),
    ("ledger/read/follow.rs next_seq", "a place"),
    (
        "ledger/handles/execution_log.rs executions",
        "says what to look for",
    ),
    (
        "ledger/handles/executions.rs status",
        "says what to look for",
    ),
    (
        "ledger/handles/executions.rs awaiting",
        "says what to look for",
    ),
    (
        "ledger/handles/awaiting.rs capability",
        "says what to look for",
    ),
    (
        "ledger/handles/awaiting.rs component",
        "says what to look for",
    ),
    ("ledger/handles/awaiting.rs asked", "says what to look for"),
    (
        "ledger/handles/awaiting.rs asked_role",
        "says what to look for",
    ),
    ("ledger/handles/awaiting.rs after", "says what to look for"),
    (
        "ledger/handles/executions.rs denied",
        "says what to look for",
    ),
    (
        "ledger/handles/executions.rs decision",
        "says what to look for",
    ),
    (
        "ledger/handles/executions.rs capability",
        "says what to look for",
    ),
    (
        "ledger/handles/executions.rs component",
        "says what to look for",
    ),
    (
        "ledger/handles/executions.rs subject",
        "says what to look for",
    ),
    (
        "ledger/handles/executions.rs parent",
        "says what to look for",
    ),
    (
        "ledger/handles/executions.rs on_behalf_of",
        "says what to look for",
    ),
    (
        "ledger/handles/executions.rs configuration_version",
        "says what to look for",
    ),
    (
        "ledger/handles/executions.rs approval",
        "says what to look for",
    ),
    (
        "ledger/handles/executions.rs after",
        "says what to look for",
    ),
    (
        "ledger/handles/executions.rs before",
        "says what to look for",
    ),
    (
        "ledger/handles/running.rs detach",
        "of a handle that was given",
    ),
    (
        "ledger/handles/running.rs started",
        "of an answer that was given",
    ),
    ("ledger/handles/running.rs running", "the same"),
];

//! What asks for no grant, and why.

/// Files and folders below `src`.
pub(crate) const PLACES: &[(&str, &str)] = &[
    ("ledger/read_only/", "whoever may read the files reads all"),
    ("ledger/salvage/", "the same"),
    ("ledger/options.rs", "before there is a ledger"),
    ("ledger/destination.rs", "the same"),
    ("ledger/checkpoints/options.rs", "the same"),
    ("ledger/witnessed.rs", "the same"),
    ("ledger/recovery.rs", "a report"),
    (
        "ledger/verify/",
        "says what is damaged, and shows no record",
    ),
    ("ledger/scrub/", "the same"),
    ("ledger/health.rs", "no record"),
    (
        "ledger/proofs.rs",
        "digests alone, and signing is the root's",
    ),
    ("ledger/witness.rs", "made by the root; heads of other logs"),
];

/// Functions.
pub(crate) const FUNCTIONS: &[(&str, &str)] = &[
    ("ledger/mod.rs open", "gives the root"),
    ("ledger/mod.rs open_on", "the same"),
    ("ledger/mod.rs id", "a name"),
    ("ledger/mod.rs recovery", "what an opening found in files"),
    ("ledger/mod.rs head", "a place and a hash"),
    ("ledger/mod.rs watch_head", "the same"),
    ("ledger/mod.rs in_force", "names, versions and digests"),
    ("ledger/root.rs rebuild_view", "the root's"),
    ("ledger/mod.rs view_digests", "digests"),
    ("ledger/views.rs at_least", "waits"),
    ("ledger/views.rs projection_at_least", "waits"),
    ("ledger/views.rs view_positions", "places"),
    ("ledger/close.rs close", "the root's"),
    ("ledger/close.rs close_at_once", "the root's"),
    ("ledger/reopen.rs reopen", "the root's"),
    ("ledger/root.rs grant", "the root's"),
    ("ledger/root.rs accept_clock", "the root's"),
    ("ledger/checkpoints/keys.rs change_key", "the root's"),
    ("ledger/export.rs export", "the root's; no payload is in it"),
    ("ledger/follow.rs lag_max", "of a follower that was given"),
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

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The ledger beside a bare file, SQLite, redb and PostgreSQL (benches/rivals, a crate of its own).
# `scripts/rivals.sh table`, `soak`, `history`, `memory`, `stations` measure and keep figures in docs/performance;
# `report` makes docs/PERFORMANCE.md of them; `quick` does all of it in its short form and keeps nothing.
# MIMALLOC=1 measures with that allocator in every process.
set -euo pipefail
cd "$(dirname "$0")/.."
features=()
[ -z "${MIMALLOC:-}" ] || features=(--features mimalloc)
exec cargo run --locked --release --quiet --manifest-path benches/rivals/Cargo.toml "${features[@]}" -- "$@"

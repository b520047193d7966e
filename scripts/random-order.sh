#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the tests again and again, each time in another order and with load beside it: what passes only in its usual
# company, or only on an idle machine, fails here.
#
#   scripts/random-order.sh 30                 30 times everything
#   scripts/random-order.sh 2 conformance lib  twice these targets alone (lib: the tests inside the library)
#   SEED=7 scripts/random-order.sh 1           the same order again; each run says its seed
#
# Stable Rust has no shuffle: the binaries come in a random order, the names of their tests are shuffled and handed
# over in chunks, so that each time others run beside each other, and the number of threads is another for each binary.
# LOAD (default: one for each processor) is the number of busy loops beside them, at a lower priority, each of which
# also writes and syncs a file; LIMIT (default: 900) the seconds that one chunk may take.
set -euo pipefail
cd "$(dirname "$0")/.."

times=${1:?how many times}
shift
seed=${SEED:-$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')}
load=${LOAD:-$(nproc)}
limit=${LIMIT:-900}
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0

work=$(mktemp -d)
beside=()
cleanup() {
    for one in "${beside[@]}"; do kill "$one" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

# Lines in a random order, always the same one for a seed.
shuffled() { awk -v seed="$1" 'BEGIN { srand(seed) } { printf "%.9f\t%s\n", rand(), $0 }' | sort | cut -f2-; }
# A number from 0 below $2, by the seed $1.
drawn() { awk -v seed="$1" -v below="$2" 'BEGIN { srand(seed); print int(rand() * below) }'; }

# Every test binary: its target, the directory of its package, its path. The program itself is built too, and is none.
which=(--workspace)
for target in "$@"; do
    if [ "$target" = lib ]; then which+=(--lib); else which+=(--test "$target"); fi
done
cargo test --locked "${which[@]}" --no-run --message-format=json 2>"$work/build" |
    sed -n 's/.*"manifest_path":"\([^"]*\)\/Cargo.toml".*"kind":\["\([^"]*\)"\].*"name":"\([^"]*\)".*"profile":{[^}]*"test":true.*"executable":"\([^"]*\)".*/\2 \3 \1 \4/p' |
    awk '{ print ($1 == "lib") ? "lib" : $2, $3, $4 }' | sort -u >"$work/binaries" || {
    cat "$work/build" >&2
    exit 1
}
for target in "$@"; do
    grep -q "^$target " "$work/binaries" || { echo "no such target: $target" >&2 && exit 2; }
done
[ -s "$work/binaries" ] || { echo "cargo named no test binary" >&2 && exit 2; }

busy() {
    while :; do
        for ((at = 0; at < 200000; at++)); do :; done
        dd if=/dev/zero of="$work/busy-$1" bs=64k count=16 conv=fsync 2>/dev/null || return 0
    done
}
for ((one = 0; one < load; one++)); do
    nice -n 5 bash -c "$(declare -f busy); work='$work'; busy $one" &
    beside+=($!)
done

failed=0 ran=0
for ((run = 1; run <= times; run++, seed++)); do
    echo "run $run of $times, SEED=$seed, $(wc -l <"$work/binaries") binaries"
    since=$SECONDS number=0
    while read -r name directory program; do
        number=$((number + 1))
        (cd "$directory" && "$program" --list --format terse 2>/dev/null) |
            sed -n 's/: test$//p' | shuffled $((seed + number)) >"$work/names"
        total=$(wc -l <"$work/names")
        [ "$total" -gt 0 ] || continue
        threads=$((1 + $(drawn $((seed + number)) 8)))
        # Three chunks or fewer, so that a large binary is not started a hundred times.
        split -l $(((total + 2) / 3)) "$work/names" "$work/chunk."
        for chunk in "$work"/chunk.*; do
            mapfile -t names <"$chunk"
            rm "$chunk"
            code=0
            (cd "$directory" && CARGO_MANIFEST_DIR=$directory timeout "$limit" "$program" --exact \
                --test-threads="$threads" "${names[@]}") >"$work/log" 2>&1 </dev/null || code=$?
            ran=$((ran + ${#names[@]}))
            [ $code -eq 0 ] && continue
            failed=$((failed + 1))
            echo "FAILED $name (code $code) with --test-threads=$threads: SEED=$seed"
            sed -n '/^failures:$/,$p' "$work/log" | tail -n 80
            [ $code -ne 124 ] || { echo "longer than $limit s; what it said last:" && tail -n 5 "$work/log"; }
        done
    done < <(shuffled "$seed" <"$work/binaries")
    echo "run $run: $((SECONDS - since)) s, $ran tests so far, $failed chunks failed so far"
done
[ "$failed" -eq 0 ]

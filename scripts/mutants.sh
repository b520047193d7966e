#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Breaks the library in every small way that cargo-mutants knows (a function that does nothing, `<` for `<=`,
# a `!` too few), one at a time, and says which of them no test notices.
#
#   scripts/mutants.sh                     the files that decide what is written, and 300 of the others
#   scripts/mutants.sh --list              only says which they are
#   scripts/mutants.sh --shard 0/8         each eighth of them, from the first: as 1/8 … 7/8, one after the other
#                                          or on several machines
#   scripts/mutants.sh --random 0          without the others;  --random 50 --seed 7: other ones
#   scripts/mutants.sh src/access.rs …     those of these files alone
#   scripts/mutants.sh --sum               counts what all shards so far have found, and names what was missed
#
# The same commit, seed and number choose the same ones. A run is some two minutes each on two cores. What
# cargo-mutants says of each lies in MUTANTS_OUT (default: target/mutants), one directory a shard; a shard that was
# stopped goes on where it was, without those that were caught or do not build. It works on a copy of the tree.
#
# cargo-mutants is installed where it is missing. MUTANTS_TESTS: other tests than those below; MUTANTS_TIMEOUT (default: 900):
# the seconds that they may take, since a measured limit is long where the machine was busy.
set -euo pipefail
cd "$(dirname "$0")/.."

# What decides: rights, room, commands, the stores' actors, and both ends of a command's way.
deciding=(src/access.rs src/admission.rs 'src/commands/**/*.rs' 'src/commands.rs' 'src/actors/store/**/*.rs' src/actors/store.rs
    'src/actors/execution_log/**/*.rs' src/actors/execution_log.rs 'src/ledger/submit/**/*.rs' src/ledger/submit.rs
    'src/ledger/close/**/*.rs' src/ledger/close.rs)
read -r -a tests <<<"${MUTANTS_TESTS:---lib --test conformance --test ordering}"

random=300 seed=1 shard='' only=() list=false sum=false
while [ $# -gt 0 ]; do
    case $1 in
        --random) random=$2 && shift ;;
        --seed) seed=$2 && shift ;;
        --shard) shard=$2 && shift ;;
        --list) list=true ;;
        --sum) sum=true ;;
        -*) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
        *) only+=("$1") && random=0 ;;
    esac
    shift
done
[[ $shard =~ ^$|^[0-9]+/[1-9][0-9]*$ ]] || { echo "a shard is K/N, K from 0" >&2 && exit 2; }
out=$(realpath -m "${MUTANTS_OUT:-target/mutants}")

# Lines of one outcome, of these shards.
of() {
    local outcome=$1 directory
    shift
    for directory in "$@"; do
        # Where a shard went on, what was caught before is beside what was caught now, and so is what did not build.
        { cat "$directory"/mutants.out/{,previously_}"$outcome.txt" 2>/dev/null || true; } |
            { [ "$outcome" = unviable ] && cat - "$directory/unviable" || grep -vxFf "$directory/unviable" || true; } |
            sort -u | comm -12 - <(sort -u "$directory/chosen")
    done
}

# One line of counts, and the names that somebody must look at.
told() {
    local caught missed timeout unviable
    caught=$(of caught "$@" | grep -c . || true)
    missed=$(of missed "$@" | grep -c . || true)
    timeout=$(of timeout "$@" | grep -c . || true)
    unviable=$(of unviable "$@" | grep -c . || true)
    of missed "$@" | sed 's/^/MISSED  /'
    of timeout "$@" | sed 's/^/TIMEOUT /'
    echo "$((caught + missed + timeout)) mutants found: $caught caught, $missed missed, $timeout timeouts" \
        "($unviable more did not build)"
}

if $sum; then
    shopt -s nullglob
    shards=("$out"/*/)
    [ ${#shards[@]} -gt 0 ] || { echo "nothing was run into $out" >&2 && exit 2; }
    told "${shards[@]}"
    exit
fi

command -v cargo-mutants >/dev/null || cargo install --locked cargo-mutants >&2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# cargo-mutants' own list, of these files (or of all but these, with -e): one line each, with its place.
named() {
    local option=$1 arguments=()
    shift
    for file in "$@"; do arguments+=("$option" "$file"); done
    listed --no-config "${arguments[@]}"
}
listed() { cargo mutants --list --colors never --package femtoclaw-ledger "$@"; }
if [ ${#only[@]} -gt 0 ]; then
    named -f "${only[@]}" >"$work/chosen"
else
    named -f "${deciding[@]}" >"$work/chosen"
    named -e "${deciding[@]}" >"$work/others"
    # By a number each that the seed decides.
    awk -v seed="$seed" 'BEGIN { srand(seed) } { printf "%.9f %s\n", rand(), $0 }' "$work/others" | sort >"$work/drawn"
    awk -v most="$random" "NR <= most" "$work/drawn" | cut -d" " -f2- | sort >>"$work/chosen"
fi
if [ -n "$shard" ]; then
    awk -v at="${shard%/*}" -v of="${shard#*/}" 'NR % of == (at + 1) % of' "$work/chosen" >"$work/shard"
    mv "$work/shard" "$work/chosen"
fi
if $list; then
    cat "$work/chosen"
    exit
fi
echo "$(wc -l <"$work/chosen") mutants, each until one of these notices: ${tests[*]}" >&2
[ -s "$work/chosen" ] || exit 0

# Chosen by their whole names, which hold line and column.
{
    echo 'examine_re = ['
    sed "s/[][\\.*^\$()+?{}|]/\\\\&/g; s/.*/'''^&\$''',/" "$work/chosen"
    echo ']'
} >"$work/mutants.toml"

at=$out/${shard:+shard-${shard/\//-of-}}
[ -n "$shard" ] || at=$out/whole
mkdir -p "$at/mutants.out"
# cargo-mutants (27.1) also takes fields of structures that no expression names: told that those are done, it passes
# them over. Nor is one of an earlier choice counted.
cp "$work/chosen" "$at/chosen"
touch "$at/mutants.out/unviable.txt"
cat "$at/mutants.out/unviable.txt" >>"$at/unviable"
listed --config "$work/mutants.toml" | sort | comm -23 - <(sort "$work/chosen") >>"$at/mutants.out/caught.txt"

# Nobody debugs a mutant.
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0 CARGO_INCREMENTAL=1 RUST_BACKTRACE=0
# 2: some were missed, 3: some took too long. Both are answers.
code=0
cargo mutants --config "$work/mutants.toml" --package femtoclaw-ledger --output "$at" --iterate --colors never \
    --timeout "${MUTANTS_TIMEOUT:-900}" --build-timeout 1800 --no-shuffle -- --locked "${tests[@]}" || code=$?
cat "$at/mutants.out/unviable.txt" >>"$at/unviable"
case $code in
    0 | 2 | 3) told "$at" ;;
    *) echo "cargo-mutants failed with code $code" >&2 && exit "$code" ;;
esac

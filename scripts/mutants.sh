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
#   scripts/mutants.sh --rest              what was missed so far, with the tests that were not asked (add --shard)
#   scripts/mutants.sh --alone             those that need a build each, by cargo-mutants (add --shard)
#   scripts/mutants.sh --sum               counts what all shards so far have found, and names what was missed
#
# cargo-mutants lists them. `scripts/switches` (a crate of its own) then builds the library once with all of them in it,
# each behind a switch that an environment variable sets; measures what each test costs and which switches it comes by;
# and tries each mutant with those tests alone, quick ones first, until one fails. Some can have no switch (constant
# functions, `impl Trait`, `let` in a condition, what does not build beside the others): `alone.txt` names them.
#
# What a run costs: one build, two minutes on two idle cores; each test once; then some two seconds a mutant with
# MUTANTS_JOBS=5 on two cores (default: 2; tests wait more than they compute). A build for each, as --alone does, is
# half a minute a mutant. TMPDIR should be in memory (/dev/shm): tests run twice as fast there; the copy of the tree and
# its target directory are in it too, some 3 GiB.
#
# The same commit, seed and number choose the same ones. What was found lies in MUTANTS_OUT (default: target/mutants),
# one directory a shard; a shard that was stopped goes on where it was. `by.txt` says which test noticed what. Those that
# nothing can notice are in `tests/mutations/equivalent`, each with its reason; they are counted by themselves.
#
# cargo-mutants is installed where it is missing. MUTANTS_TESTS: other test targets than those below; MUTANTS_TIMEOUT
# (default: 900): the seconds that the tests of one mutant may take with --alone.
set -euo pipefail
cd "$(dirname "$0")/.."

# What decides: rights, room, commands, the stores' actors, and both ends of a command's way.
deciding=(src/access.rs src/admission.rs 'src/commands/**/*.rs' 'src/commands.rs' 'src/actors/store/**/*.rs' src/actors/store.rs
    'src/actors/execution_log/**/*.rs' src/actors/execution_log.rs 'src/ledger/**/submit.rs' 'src/ledger/**/submit/**/*.rs'
    'src/ledger/**/close.rs' 'src/ledger/**/close/**/*.rs')
read -r -a tests <<<"${MUTANTS_TESTS:-lib conformance ordering}"
known=$PWD/tests/mutations/equivalent

random=300 seed=1 shard='' only=() list=false sum=false rest=false alone=false
while [ $# -gt 0 ]; do
    case $1 in
        --random) random=$2 && shift ;;
        --seed) seed=$2 && shift ;;
        --shard) shard=$2 && shift ;;
        --list) list=true ;;
        --sum) sum=true ;;
        --rest) rest=true ;;
        --alone) alone=true ;;
        -*) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
        *) only+=("$1") && random=0 ;;
    esac
    shift
done
[[ $shard =~ ^$|^[0-9]+/[1-9][0-9]*$ ]] || { echo "a shard is K/N, K from 0" >&2 && exit 2; }
out=$(realpath -m "${MUTANTS_OUT:-target/mutants}")

# Lines of one outcome, of these shards; what the rest of the tests noticed was not missed.
of() {
    local outcome=$1 directory
    shift
    for directory in "$@"; do
        case $outcome in
            missed) noted "$directory" missed | comm -23 - <(noted "$directory/rest" caught timeout) ;;
            unviable) cat "$directory"/alone/mutants.out/{,previously_}unviable.txt 2>/dev/null || true ;;
            *) noted "$directory" "$outcome" && noted "$directory/rest" "$outcome" ;;
        esac
    done | sort -u
}
# What a directory says of these outcomes, by switch or alone.
noted() {
    local directory=$1 outcome
    shift
    for outcome in "$@"; do
        cat "$directory/$outcome.txt" "$directory"/alone/mutants.out/{,previously_}"$outcome.txt" 2>/dev/null || true
    done | { [ -e "$directory/passed" ] && grep -vxFf "$directory/passed" || cat; } | sort -u
}

# Of names, those that the list of what nothing can notice has (or, with -v, has not): it knows no line numbers.
equivalent() {
    awk -F'\t' -v with="${1:+v}" 'NR == FNR { if ($0 !~ /^#/) known[$1]; next }
        { name = $0; sub(/:[0-9]+:[0-9]+:/, ":", name); if ((name in known) != (with == "v")) print }' "$known" -
}

# One line of counts, and the names that somebody must look at.
told() {
    local caught missed timeout unviable same
    caught=$(of caught "$@" | wc -l)
    missed=$(of missed "$@" | equivalent -v | wc -l)
    same=$(of missed "$@" | equivalent | wc -l)
    timeout=$(of timeout "$@" | wc -l)
    unviable=$(of unviable "$@" | wc -l)
    of missed "$@" | equivalent -v | sed 's/^/MISSED  /'
    of timeout "$@" | sed 's/^/TIMEOUT /'
    echo "$((caught + missed + same + timeout)) mutants run: $caught caught, $timeout timeouts, $missed missed, $same" \
        "more that nothing can notice ($unviable did not build)"
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
# A line that names no mutant any more (its function has another name) would call nothing the same.
gone=$(comm -23 <(grep -v '^#' "$known" | cut -f1 | sort -u) <(listed --no-config | sed 's/:[0-9]*:[0-9]*:/:/' | sort -u))
[ -z "$gone" ] || { echo "tests/mutations/equivalent names no mutant: $gone" >&2 && exit 2; }
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
at=$out/whole
[ -z "$shard" ] || at=$out/shard-${shard/\//-of-}
mkdir -p "$at"

# Nobody debugs a mutant.
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0 CARGO_INCREMENTAL=1 RUST_BACKTRACE=0

# One build each, by cargo-mutants. They are chosen by their whole names, which hold line and column.
by_itself() {
    local code=0 options=() test
    for test in "${tests[@]}"; do
        if [ "$test" = lib ]; then options+=(--lib); else options+=(--test "$test"); fi
    done
    {
        echo 'examine_re = ['
        sed "s/[][\\.*^\$()+?{}|]/\\\\&/g; s/.*/'''^&\$''',/" "$at/alone.txt"
        echo ']'
    } >"$work/mutants.toml"
    # cargo-mutants (27.1) also takes fields of structures that no expression names: told that those are done, it
    # passes them over.
    mkdir -p "$at/alone/mutants.out"
    listed --config "$work/mutants.toml" | sort | comm -23 - <(sort "$at/alone.txt") | tee "$at/passed" \
        >>"$at/alone/mutants.out/caught.txt"
    # 2: some were missed, 3: some took too long. Both are answers.
    cargo mutants --config "$work/mutants.toml" --package femtoclaw-ledger --output "$at/alone" --iterate \
        --colors never --timeout "${MUTANTS_TIMEOUT:-900}" --build-timeout 1800 --no-shuffle -- --locked \
        "${options[@]}" || code=$?
    case $code in
        0 | 2 | 3) ;;
        *) echo "cargo-mutants failed with code $code" >&2 && exit "$code" ;;
    esac
}

if $alone; then
    [ -s "$at/alone.txt" ] || { echo "without --alone first" >&2 && exit 2; }
    by_itself
    told "$at"
    exit
fi

into=$at
if $rest; then
    noted "$at" missed >"$work/chosen"
    into=$at/rest
    mkdir -p "$into"
    mapfile -t tests < <(cd tests && for it in *.rs */main.rs; do echo "${it%%[./]*}"; done |
        grep -vxE 'architecture|conformance|ordering' | sort -u)
fi
echo "$(wc -l <"$work/chosen") mutants, each until one of these notices: ${tests[*]}" >&2
[ -s "$work/chosen" ] || exit 0

# The copy is the tree as it is, and nothing else: cargo builds again what has another time.
base=${TMPDIR:-/tmp}/femtoclaw-ledger-mutants
tree=$base/tree
mkdir -p "$tree"
exec 9>"$base/lock"
flock -n 9 || { echo "another run uses $base" >&2 && exit 2; }
git ls-files --cached --others --exclude-standard | while read -r file; do
    if [ -e "$file" ] && ! cmp -s "$file" "$tree/$file"; then
        mkdir -p "$tree/$(dirname "$file")"
        cp "$file" "$tree/$file"
    fi
done
(cd "$tree" && find . -type f -printf '%P\n') | while read -r file; do
    [ -e "$file" ] || rm "$tree/$file"
done
listed --no-config --json >"$work/list.json"
export CARGO_TARGET_DIR=$base/target
cargo build -q --locked --manifest-path scripts/switches/Cargo.toml
"$CARGO_TARGET_DIR/debug/switches" "$work/list.json" "$work/chosen" "$tree" "$into" "${tests[@]}"
told "$at"

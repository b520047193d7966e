#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Shows that tests can fail: every patch under tests/mutations breaks the library in one place, and
# the test that it names must notice. The tests are first seen to pass on the unpatched tree.
#
#   scripts/mutations.sh            all patches
#   scripts/mutations.sh a b        those whose names contain a or b
#   scripts/mutations.sh --every 2  each second one, by name
#   scripts/mutations.sh --changed BASE 6
#                                   those that are new, or touch a file that differs from the commit BASE
#                                   (14 of them, spread, where there are more), and each sixth of the others
#   scripts/mutations.sh --fit      builds nothing: that every patch still fits the source
#
# It works on a copy. The copy and its build directory (MUTATIONS_TARGET_DIR; default: one under the
# system's temporary directory) are kept between runs, so that a patch costs one incremental build.
set -euo pipefail
cd "$(dirname "$0")/.."
source=$PWD

shopt -s nullglob
all=("$source"/tests/mutations/*.patch)

# The first line of a patch: `Breaks: TARGET TEST`. A target is a file or directory of tests/, `cli/` and one of
# cli/tests/, or `lib`, the tests inside the library.
target_of() { sed -n '1s,^Breaks: \([a-z_/]*\) .*$,\1,p' "$1"; }
test_of() { sed -n '1s,^Breaks: [a-z_/]* \(.*\)$,\1,p' "$1"; }

is_target() {
    local place=tests/$1
    if [[ $1 == cli/* ]]; then place=cli/tests/${1#cli/}; fi
    [ "$1" = lib ] || [ -e "$place.rs" ] || [ -e "$place/main.rs" ]
}

# Whatever is run of them, all must fit: a patch that lost its place or its test shows nothing.
unfit=0
for patch in "${all[@]}"; do
    if ! is_target "$(target_of "$patch")"; then
        echo "names no target of tests: ${patch#"$source"/}" >&2
        unfit=$((unfit + 1))
    fi
    if ! why=$(patch --dry-run -s -f -p1 -r - <"$patch"); then
        echo "does not fit the source: ${patch#"$source"/}: $why" >&2
        unfit=$((unfit + 1))
    fi
done
[ $unfit -eq 0 ] || exit 1
if [ "${1:-}" = --fit ]; then
    echo "${#all[@]} mutations, all fit"
    exit
fi

export CARGO_TARGET_DIR=${MUTATIONS_TARGET_DIR:-${TMPDIR:-/tmp}/femtoclaw-ledger-mutations}
# Nobody debugs a mutant, and half the time of a build is its debug information.
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0 CARGO_INCREMENTAL=1 RUST_BACKTRACE=0
# A mutant may hang; that is no proof. Seconds for building, and for running one test.
limit=${MUTATIONS_LIMIT_SECONDS:-900}

mkdir -p "$CARGO_TARGET_DIR"
exec 9>"$CARGO_TARGET_DIR/lock"
flock -n 9 || { echo "another run uses $CARGO_TARGET_DIR" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$CARGO_TARGET_DIR/tree

# The copy gets what differs and loses what is gone. What is copied is new by its time stamp: cargo
# rebuilds by that, and must never take a mutant's build for the original's.
mkdir -p "$tree"
git ls-files --cached --others --exclude-standard | while read -r file; do
    if [ -e "$file" ]; then echo "$file"; fi
done | sort >"$work/files"
(cd "$tree" && find . -type f -printf '%P\n' | sort) | comm -13 "$work/files" - |
    while read -r file; do rm "$tree/$file"; done
while read -r file; do
    if ! cmp -s "$file" "$tree/$file"; then
        mkdir -p "$(dirname "$tree/$file")"
        cp "$file" "$tree/$file"
        touch "$tree/$file"
    fi
done <"$work/files"

broken_by() { sed -n 's,^+++ b/\([^[:space:]]*\).*,\1,p' "$1"; }

# Chooses of all those that what differs from the commit $1 concerns, and each $2th of the others. Where
# the commit is not here (a clone of the newest alone), nothing differs, and it is said.
choose() {
    local patch most=14
    if ! git diff --name-only "$1" -- >"$work/changed" 2>/dev/null; then
        echo "commit $1 is not here: only each ${2}th runs" >&2
        : >"$work/changed"
    fi
    local concerned=() others=()
    for patch in "${all[@]}"; do
        if { broken_by "$patch" && echo "${patch#"$source"/}"; } | grep -qxFf - "$work/changed"; then
            concerned+=("$patch")
        else
            others+=("$patch")
        fi
    done
    local count=${#concerned[@]} step at
    step=$((count > most ? (count + most - 1) / most : 1))
    for ((at = 0; at < count; at += step)); do patches+=("${concerned[at]}"); done
    echo "$count mutations touch what changed since $1, ${#patches[@]} of them run"
    for ((at = 0; at < ${#others[@]}; at += $2)); do patches+=("${others[at]}"); done
}

patches=()
if [ "${1:-}" = --every ]; then
    for ((at = 0; at < ${#all[@]}; at += $2)); do patches+=("${all[at]}"); done
elif [ "${1:-}" = --changed ]; then
    choose "$2" "${3:-6}"
else
    for patch in "${all[@]}"; do
        [ $# -gt 0 ] || patches+=("$patch")
        for part in "$@"; do
            if [[ $(basename "$patch" .patch) == *"$part"* ]]; then
                patches+=("$patch")
                break
            fi
        done
    done
fi
[ ${#patches[@]} -gt 0 ] || { echo "no such mutation" >&2; exit 2; }

# Builds one test target, gives its program.
built() {
    local name=$1 which=(-p femtoclaw-ledger --test "$1")
    case $1 in
        lib) name=femtoclaw_ledger which=(-p femtoclaw-ledger --lib) ;;
        cli/*) name=${1#cli/} which=(-p femtoclaw-ledger-cli --test "${1#cli/}") ;;
    esac
    (cd "$tree" && timeout "$limit" cargo test -q --locked "${which[@]}" --no-run \
        --message-format=json 2>"$work/log") </dev/null >"$work/messages" || return
    sed -n 's/.*"name":"'"$name"'".*"executable":"\([^"]*\)".*/\1/p' "$work/messages"
}

# Runs these tests of one target; what they printed is in $work/log. 0: all passed, 1: some failed,
# anything else: no verdict.
run() {
    local program status=0
    program=$(built "$1") && [ -x "$program" ] || return 2
    shift
    (cd "$tree" && timeout "$limit" "$program" --exact "$@") </dev/null >"$work/log" 2>&1 || status=$?
    if [ $status -eq 0 ] && grep -q "^test result: ok. $# passed" "$work/log"; then
        return 0
    fi
    if [ $status -eq 101 ] && grep -q '^test result: FAILED. ' "$work/log"; then
        return 1
    fi
    return 2
}

for patch in "${patches[@]}"; do echo "$(target_of "$patch") $(test_of "$patch")"; done |
    sort -u >"$work/tests"
for target in $(cut -d' ' -f1 "$work/tests" | uniq); do
    mapfile -t tests < <(sed -n "s,^$target ,,p" "$work/tests")
    if ! run "$target" "${tests[@]}"; then
        echo "unpatched, not all tests of $target pass:" >&2
        tail -n 40 "$work/log" >&2
        exit 1
    fi
done
echo "$(wc -l <"$work/tests") tests pass on the unpatched tree, $SECONDS s"

caught=0
for patch in "${patches[@]}"; do
    name=$(basename "$patch" .patch) test=$(test_of "$patch")
    since=$SECONDS outcome=0
    broken_by "$patch" >"$work/patched"
    (cd "$tree" && xargs cp --parents -t "$work" <"$work/patched")
    if (cd "$tree" && patch -s -p1 --no-backup-if-mismatch -r - <"$patch") >"$work/log" 2>&1; then
        run "$(target_of "$patch")" "$test" || outcome=$?
    else
        outcome=3
    fi
    case $outcome in
        1)
            caught=$((caught + 1))
            echo "caught     $name by $test, $((SECONDS - since)) s"
            ;;
        0) echo "NOT CAUGHT $name: $test passes" ;;
        3)
            echo "NOT CAUGHT $name: the patch does not apply"
            cat "$work/log"
            ;;
        *)
            echo "NOT CAUGHT $name: no verdict of $test"
            tail -n 20 "$work/log"
            ;;
    esac
    while read -r file; do
        cp "$work/$file" "$tree/$file"
        touch "$tree/$file"
    done <"$work/patched"
done
echo "${#patches[@]} mutations, $caught caught, $SECONDS s"
[ "$caught" -eq "${#patches[@]}" ]

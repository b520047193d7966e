#!/usr/bin/env bash
# Shows that tests can fail: every patch under tests/mutations breaks the library in one place, and
# the test that it names must notice. The tests are first seen to pass on the unpatched tree.
#
#   scripts/mutations.sh            all patches
#   scripts/mutations.sh a b        those whose names contain a or b
#
# It works on a copy; CARGO_TARGET_DIR (default: a directory under the system's temporary one) is
# kept between runs, so that a patch costs one incremental build.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree
export CARGO_TARGET_DIR=${MUTATIONS_TARGET_DIR:-${TMPDIR:-/tmp}/femtoclaw-ledger-mutations}
# Nobody debugs a mutant, and half the time of a build is its debug information.
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0 RUST_BACKTRACE=0
# A mutant may hang; that is no proof. Seconds for building and running one test.
limit=${MUTATIONS_LIMIT_SECONDS:-300}

mkdir "$tree"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$tree"

wanted() {
    [ $# -eq 1 ] && return 0
    local name=$1 part
    shift
    for part in "$@"; do
        case $name in *"$part"*) return 0 ;; esac
    done
    return 1
}

shopt -s nullglob
patches=()
for patch in "$PWD"/tests/mutations/*.patch; do
    if wanted "$(basename "$patch" .patch)" "$@"; then
        patches+=("$patch")
    fi
done

[ ${#patches[@]} -gt 0 ] || { echo "no such mutation" >&2; exit 2; }

# The first line of a patch: `Breaks: TARGET TEST`.
target_of() { sed -n '1s/^Breaks: \([a-z_]*\) .*$/\1/p' "$1"; }
test_of() { sed -n '1s/^Breaks: [a-z_]* \(.*\)$/\1/p' "$1"; }

# Builds, then runs one test; what it printed is in $work/log. 0 passed, 1 failed, 2 anything else.
run() {
    if ! (cd "$tree" && timeout "$limit" cargo test -q --locked --test "$1" --no-run) \
        >"$work/log" 2>&1; then
        return 2
    fi
    local status=0
    (cd "$tree" && timeout "$limit" cargo test -q --locked --test "$1" -- --exact "$2") \
        >"$work/log" 2>&1 || status=$?
    if [ $status -eq 0 ] && grep -q '^test result: ok. 1 passed' "$work/log"; then
        return 0
    fi
    if [ $status -eq 101 ] && grep -q '^test result: FAILED. 0 passed; 1 failed' "$work/log"; then
        return 1
    fi
    return 2
}

for patch in "${patches[@]}"; do echo "$(target_of "$patch") $(test_of "$patch")"; done |
    sort -u >"$work/tests"
while read -r target test; do
    if ! run "$target" "$test" </dev/null; then
        echo "unpatched, $target $test does not pass:" >&2
        tail -n 30 "$work/log" >&2
        exit 1
    fi
done <"$work/tests"
echo "$(wc -l <"$work/tests") tests pass on the unpatched tree"

caught=0
for patch in "${patches[@]}"; do
    name=$(basename "$patch" .patch) target=$(target_of "$patch") test=$(test_of "$patch")
    if ! (cd "$tree" && patch -s -p1 <"$patch") >"$work/log" 2>&1; then
        echo "NOT CAUGHT $name: the patch does not apply"
        cat "$work/log"
        exit 1
    fi
    outcome=0
    run "$target" "$test" </dev/null || outcome=$?
    case $outcome in
        1)
            caught=$((caught + 1))
            echo "caught     $name by $test"
            ;;
        0) echo "NOT CAUGHT $name: $test passes" ;;
        *)
            echo "NOT CAUGHT $name: no verdict of $test"
            tail -n 20 "$work/log"
            ;;
    esac
    (cd "$tree" && patch -s -p1 -R <"$patch")
done
echo "${#patches[@]} mutations, $caught caught"
[ "$caught" -eq "${#patches[@]}" ] && [ "$caught" -gt 0 ]

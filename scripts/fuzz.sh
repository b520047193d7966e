#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Gives every parser of outside bytes what a fuzzer makes up: each target of fuzz/ for SECONDS (default 20), from the
# seeds in fuzz/seeds and what fuzz/corpus has from before. A panic, an overflow, a run of over 10 s, or more than
# 512 MiB of memory is a failure, and the input stays in fuzz/artifacts.
#
#   scripts/fuzz.sh                     # all
#   scripts/fuzz.sh 300 bundle note     # these, for five minutes each
#
# libFuzzer comes with the crate libfuzzer-sys and is built by a C++ compiler; coverage is asked of stable Rust as cargo
# fuzz asks for it. Without the address sanitizer: no line here is unsafe. Where there is no C++ compiler it says so.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-20}
shift || true
if ! command -v c++ >/dev/null; then
    echo "fuzz: SKIPPED, no C++ compiler for libFuzzer (Debian: g++)"
    exit 0
fi
target=$(rustc -vV | sed -n 's/^host: //p')
flags=(
    --cfg fuzzing
    -Cpasses=sancov-module
    -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares
    -Ccodegen-units=1
)
# Given with a target, the flags are not those of build scripts.
RUSTFLAGS="${flags[*]}" cargo build --locked --release --quiet --target "$target" --manifest-path fuzz/Cargo.toml
built=fuzz/target/$target/release
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(bundle key note policy proof record tiles witness)
for name in "${targets[@]}"; do
    corpus=fuzz/corpus/$name artifacts=fuzz/artifacts/$name
    mkdir -p "$corpus" "$artifacts"
    seeds=("fuzz/seeds/$name")
    [ "$name" != bundle ] || seeds=(cli/tests/verifier/evidence/golden)
    log=$artifacts/log
    if ! "$built/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=512 -max_len=65536 -print_final_stats=1 \
        -artifact_prefix="$artifacts/" "$corpus" "${seeds[@]}" >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        echo "fuzz: $name failed, see $artifacts" >&2
        exit 1
    fi
    stat() { sed -n "s/^stat::$1: *//p" "$log"; }
    echo "fuzz: $name: $(stat number_of_executed_units) inputs, $(stat peak_rss_mb) MiB at most, nothing found"
done

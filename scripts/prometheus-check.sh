#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Holds the metrics against the real thing: `promtool check metrics` on the scraped page, and a
# Prometheus on loopback that scrapes the example. `up` must be 1, and the counter of appended
# records must equal the head that the example prints.
#
# usage: prometheus-check.sh [path of the agent_runtime program]
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in prometheus promtool curl; do
    if ! command -v "$tool" >/dev/null; then
        echo "prometheus-check: SKIPPED, $tool is not installed (scripts/install-ci-tools.sh)"
        exit 0
    fi
done
program=${1:-${CARGO_TARGET_DIR:-target}/release/examples/agent_runtime}
[ -x "$program" ] || {
    echo "prometheus-check: no program $program; build it first" >&2
    exit 1
}

work=$(mktemp -d)
example=
prometheus=
cleanup() {
    for pid in $example $prometheus; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap cleanup EXIT

fail() {
    echo "prometheus-check: FAILED, $1" >&2
    tail -n 20 "$work"/*.log >&2
    exit 1
}
# Waits up to 60 s until a command succeeds.
await() {
    local what=$1 deadline=$((SECONDS + 60))
    shift
    until "$@"; do
        [ $SECONDS -lt $deadline ] || fail "$what"
        sleep 0.3
    done
}
alive() { kill -0 "$1" 2>/dev/null || fail "a process ended early"; }

# The example picks a port; so does Prometheus below. Both say which.
"$program" --data "$work/ledger" --metrics 127.0.0.1:0 --concurrency 8 --json --serve \
    >"$work/example.jsonl" 2>"$work/example.log" &
example=$!
served() { alive "$example"; grep -q '^{"head":' "$work/example.jsonl"; }
await "the example did not get through its session" served
target=$(sed -n 's,^metrics at http://\(.*\)/metrics$,\1,p' "$work/example.log")

curl -fsS "http://$target/health" && echo
curl -fsS "http://$target/metrics" -o "$work/page.txt"
promtool check metrics <"$work/page.txt" || fail "promtool finds fault with the page"
families=$(grep -c '^# TYPE femtoclaw_ledger_' "$work/page.txt" || true)
[ "$families" -ge 30 ] || fail "only $families metrics on the page"
if grep '^# TYPE .* summary$' "$work/page.txt"; then
    fail "a histogram turned into a summary"
fi

cat >"$work/prometheus.yml" <<YAML
global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs:
  - { job_name: ledger, static_configs: [{ targets: ["$target"] }] }
YAML
prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/tsdb" \
    --web.listen-address=127.0.0.1:0 --log.level=info >"$work/prometheus.log" 2>&1 &
prometheus=$!
listens() {
    alive "$prometheus"
    server=$(sed -n 's/.*msg="Listening on" address=\(127\.0\.0\.1:[0-9]*\).*/\1/p' "$work/prometheus.log" | head -n 1)
    [ -n "$server" ] && curl -fs "http://$server/-/ready" >/dev/null
}
await "Prometheus did not start" listens

# The value of an instant query; empty where there is none.
query() { promtool query instant "http://$server" "$1" 2>/dev/null | sed -n 's/.* => \([0-9.e+]*\) .*/\1/p'; }
up() { [ "$(query 'up{job="ledger"}')" = 1 ]; }
await "Prometheus does not see the example" up

# The ledger may write one more record on its own after the last request (what it did in the
# interval), so the newest head that was printed counts, and Prometheus gets a moment to see it.
equal() {
    alive "$example"
    head=$(sed -n 's/^{"head":\([0-9]*\)}$/\1/p' "$work/example.jsonl" | tail -n 1)
    counted=$(query femtoclaw_ledger_appended_records_total)
    [ -n "$head" ] && [ "$head" -gt 0 ] && [ "$counted" = "$head" ]
}
await "the counter never equals the head" equal

kill -TERM "$example"
code=0
wait "$example" || code=$?
example=
[ "$code" -eq 0 ] || fail "the example ended with code $code after SIGTERM"
echo "prometheus-check: ok, $families metrics, up == 1, appended records == head == $head"

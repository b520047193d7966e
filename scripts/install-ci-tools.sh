#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what the CI stages need beside Rust: Prometheus with promtool (Debian's package), curl, and Go
# with golang.org/x/mod and a BLAKE3, which checks proofs and payloads with code that is not ours; fuse3 for the power-loss bench;
# PostgreSQL for the suite of rivals.
# Never fails for want of them: the stage that needs them says that it was skipped, and why.
set -euo pipefail

missing=()
command -v prometheus >/dev/null && command -v promtool >/dev/null || missing+=(prometheus)
command -v curl >/dev/null || missing+=(curl ca-certificates)
command -v go >/dev/null || missing+=(golang-go)
[ -d /usr/share/gocode/src/golang.org/x/mod/sumdb/tlog ] || missing+=(golang-golang-x-mod-dev)
[ -d /usr/share/gocode/src/lukechampine.com/blake3 ] || missing+=(golang-lukechampine-blake3-dev)
command -v initdb >/dev/null || [ -n "$(ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null)" ] || missing+=(postgresql)
# Root mounts by itself.
if [ -e /dev/fuse ] && [ "$(id -u)" -ne 0 ]; then
    command -v fusermount3 >/dev/null || missing+=(fuse3)
fi
if [ ${#missing[@]} -eq 0 ]; then
    echo "install-ci-tools: prometheus, promtool, curl, go, golang.org/x/mod, its BLAKE3, PostgreSQL and what mounts are there"
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "install-ci-tools: SKIPPED, no apt-get here; install ${missing[*]} by hand" >&2
    exit 0
fi
sudo=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
        echo "install-ci-tools: SKIPPED, not root and no password-less sudo; ${missing[*]} not installed" >&2
        exit 0
    fi
    sudo=(sudo -n)
fi
install() {
    # RUNLEVEL=1 keeps the package from starting its service: the checks start their own.
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get install -y --no-install-recommends "${missing[@]}"
}
if ! { "${sudo[@]}" apt-get update && install; } >&2; then
    echo "install-ci-tools: SKIPPED, apt-get could not install ${missing[*]}" >&2
    exit 0
fi
echo "install-ci-tools: installed ${missing[*]}"

#!/bin/sh
# Writes the lock files in requirements/ from pyproject.toml. Needs uv, and the network.
#
# Everything is resolved together first, so that any two locks can be installed side by side.
set -eu
cd "$(dirname "$0")/.."

together=$(mktemp)
trap 'rm -f "$together"' EXIT

compile() {
    uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
        --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" ${UPGRADE:+--upgrade} "$@"
}

compile --all-extras --group dev --group build --output-file "$together"
for extra in cpu cuda12 cuda13 metal; do
    compile --extra "$extra" --extra code --group build --constraints "$together" --output-file "requirements/$extra.txt"
done
for extra in ddgs mcp otel; do
    compile --extra "$extra" --group build --constraints "$together" --output-file "requirements/$extra.txt"
done
compile --extra contracts --extra ddgs --extra mcp --extra otel --group dev --group build --constraints "$together" \
    --output-file requirements/dev.txt

#!/bin/sh
# As root on a Debian without OpenBLAS, installs it: on a CPU it makes MLX some twenty times faster. Does nothing
# elsewhere, and never fails: Cortex works without it, and `cortex serve` says how to get it.
set -u
cd "$(dirname "$0")/.."

is_found() { .venv/bin/python -c 'import sys, cortex_adapters.mlx.openblas as o; sys.exit(o.load_openblas() is None)'; }

if [ "$(uname -s)" = Linux ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && ! is_found; then
    apt-get update && apt-get install --yes --no-install-recommends libopenblas0-pthread
fi
exit 0

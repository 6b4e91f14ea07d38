#!/bin/sh
# Makes .venv hold what the named files of requirements/ lock, and Cortex itself. When it holds them already, this does
# nothing and needs no network.
#
# Usage: scripts/set_up.sh ENGINE LOCK...        for example: scripts/set_up.sh cpu starter dev
set -eu
cd "$(dirname "$0")/.."

is_recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
can_make_environments() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

find_python() {
    for name in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
        if is_recent "$name" && can_make_environments "$name"; then echo "$name"; return; fi
    done
    for name in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
        if is_recent "$name"; then echo "$name"; return; fi
    done
    echo "Cortex needs Python 3.11 or newer, and found none. Install one, or name it: make run PYTHON=/path/to/python3" >&2
    return 1
}

require_venv_module() {
    if can_make_environments "$1"; then return; fi
    package=$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update && apt-get install --yes --no-install-recommends "$package"
    else
        echo "This Python cannot make virtual environments. On Debian or Ubuntu: sudo apt-get install $package" >&2
        return 1
    fi
}

create_environment() {
    python=$(find_python)
    require_venv_module "$python"
    "$python" -m venv --clear .venv
}

# What an installation depends on: where it is, and what the files say.
fingerprint() {
    pwd
    for lock in "$@"; do cat "requirements/$lock.txt"; done
    cat pyproject.toml
}

install_locks() {
    for lock in "$@"; do set -- "$@" --requirement "requirements/$lock.txt"; shift; done
    .venv/bin/python -m pip install --disable-pip-version-check --no-input --no-deps --only-binary :all: --require-hashes "$@"
    .venv/bin/python -m pip install --disable-pip-version-check --no-input --no-deps --no-build-isolation --no-index \
        --quiet --editable .
}

for lock in "$@"; do
    if [ ! -f "requirements/$lock.txt" ]; then
        echo "There is no requirements/$lock.txt. EXTRA is one of cpu, cuda12, cuda13 and metal." >&2
        exit 2
    fi
done
# The engines put different files in the same place, so an environment keeps the engine that it was made for.
engine=$1
made_for=.venv/.engine
stamp=".venv/.installed-$(echo "$*" | tr ' ' '-')"
if [ "$(cat "$made_for" 2>/dev/null)" != "$engine" ] || ! .venv/bin/python -c '' 2>/dev/null; then
    create_environment
    echo "$engine" >"$made_for"
fi
wanted=$(fingerprint "$@" | cksum)
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    install_locks "$@"
    echo "$wanted" >"$stamp"
fi

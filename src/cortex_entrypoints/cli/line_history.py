"""Line editing at a prompt, with a history that outlives the program."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import readline
except ModuleNotFoundError:  # some builds of Python lack it
    readline = None  # type: ignore[assignment]

_MOST_LINES = 1000


@contextmanager
def line_history() -> Iterator[None]:
    """Makes `input` edit lines and recall earlier ones; a history that cannot be read or kept is left out."""
    if readline is None:
        yield
        return
    file = _history_file()
    _read(file)
    try:
        yield
    finally:
        _write(file)


def _history_file() -> Path:
    state_home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state_home) / "cortex" / "chat_history"


def _read(file: Path) -> None:
    try:
        readline.read_history_file(file)
    except OSError:
        readline.clear_history()


def _write(file: Path) -> None:
    readline.set_history_length(_MOST_LINES)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
        readline.write_history_file(file)
    except OSError:
        return

"""A process that is killed while it writes leaves one text or the other, and at most a hidden file."""

import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 5
TEXTS = {letter * 300_000 for letter in "ab"}

WRITER = """
import asyncio, pathlib, sys
from cortex_adapters.workspace_files import DirectoryWorkspace

async def main():
    workspace = DirectoryWorkspace(pathlib.Path(sys.argv[1]))
    print("writing", flush=True)
    while True:
        for letter in "ab":
            await workspace.write_file("a.txt", letter * 300_000)

asyncio.run(main())
"""


def test_a_killed_write_leaves_one_text_or_the_other(root: Path) -> None:
    (root / "a.txt").write_text("a" * 300_000)
    for round_ in range(ROUNDS):
        _write_and_die(root, after_s=0.01 + 0.013 * round_)
        assert (root / "a.txt").read_text() in TEXTS
    assert all(path.name == "a.txt" or path.name.startswith(".cortex-") for path in root.iterdir())


def _write_and_die(root: Path, *, after_s: float) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(root)], stdout=subprocess.PIPE, env={"PYTHONPATH": ":".join(sys.path)}
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        time.sleep(after_s)
        process.kill()

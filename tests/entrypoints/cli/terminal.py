"""A terminal with a person before it."""

import os
import pty
import select
import signal
import subprocess
import sys
import time


class Terminal:
    """A program that believes it talks with a person."""

    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        self._controller, terminal = pty.openpty()
        command = [sys.executable, "-m", "cortex_entrypoints.cli.main", *arguments]
        self.process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, env=environment)
        os.close(terminal)
        self.seen = ""
        self._passed = 0

    def type(self, line: str) -> None:
        os.write(self._controller, f"{line}\n".encode())

    def interrupt(self) -> None:
        """Does what Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)

    def wait_for(self, text: str) -> None:
        """Reads until the text comes after what was waited for before."""
        deadline = time.monotonic() + 60
        while (found := self.seen.find(text, self._passed)) < 0:
            assert time.monotonic() < deadline, f"{text!r} did not come after {self.seen!r}"
            if select.select([self._controller], [], [], 1)[0]:
                self.seen += os.read(self._controller, 4096).decode()
        self._passed = found + len(text)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._controller)

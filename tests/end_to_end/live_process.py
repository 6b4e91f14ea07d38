"""`cortex serve` as a person starts it: a process of its own."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

_URL = re.compile(r"http://127\.0\.0\.1:\d+")
_LAST_LINE_OF_GREETING = "Ctrl-C"
_START_PATIENCE_S = 120.0


@dataclass(slots=True)
class LiveProcess:
    """A running server.

    Attributes:
        process: The process.
        output: The lines that it has printed so far.
        url: Where it listens, without a slash at the end; set once it does.
    """

    process: "subprocess.Popen[str]"
    output: list[str] = field(default_factory=list)
    url: str = ""
    _listening: threading.Event = field(default_factory=threading.Event)

    def wait_until_listening(self) -> None:
        """Returns when the server has printed its URL."""
        heard = self._listening.wait(_START_PATIENCE_S)
        assert heard, "".join(self.output)
        assert self.url, "".join(self.output)

    def stop(self) -> int:
        """Sends SIGTERM and returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def read_output(self) -> None:
        """Reads lines until the process ends."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line)
            found = _URL.search(line)
            if found and not self.url:
                self.url = found[0]
            if line.startswith(_LAST_LINE_OF_GREETING):
                self._listening.set()
        self._listening.set()


@contextmanager
def live_process(settings: Mapping[str, str]) -> Iterator[LiveProcess]:
    """Starts `cortex serve` on a free port with these environment variables; it is gone after the block."""
    environment = os.environ | {"PORT": "0", "HOST": "127.0.0.1", "HF_HUB_OFFLINE": "1", **settings}
    process = subprocess.Popen(
        [sys.executable, "-m", "cortex_entrypoints.cli.main", "serve"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    server = LiveProcess(process)
    reader = threading.Thread(target=server.read_output)
    reader.start()
    try:
        server.wait_until_listening()
        yield server
    finally:
        process.kill()
        reader.join()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()

"""Has grammars tried out in a process of its own before one is let near the engine.

llguidance bounds most of what a grammar may take, but not all: a schema of some kilobytes can have it compare regular
expressions for years, without a way to stop it.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import SIGKILL, SIGPROF
from typing import Final

from llguidance import LLParserLimits

PROCESSOR_S: Final = 2.0
"""Processor time for one grammar; usual ones take milliseconds."""
PATIENCE_S: Final = 6.0
"""Time for one however busy the machine is; below the deadline of what waits for it."""
LIMITS: Final[Mapping[str, int | bool]] = {
    # A quarter of llguidance's own: some milliseconds of the engine's thread at most (14,000 a millisecond).
    "step_lexer_fuel": 50_000,
    "step_max_items": 20_000,
    # Memory: 1 to 2 kB a state.
    "max_lexer_states": 50_000,
    "max_grammar_size": 100_000,
    "verbose_errors": False,
}
_PROGRAM: Final = Path(__file__).with_name("grammar_trial.py")


def parser_limits() -> LLParserLimits:
    """Builds the limits that hold for trials and for what is made of a grammar afterwards."""
    return LLParserLimits(**LIMITS)  # type: ignore[arg-type]


class GrammarTrials:
    """Keeps one such process for a tokenizer, and replaces it when it ends over a grammar; any thread may call it.

    Args:
        tokenizer: The tokenizer, as the JSON of Hugging Face's library.
        eos_tokens: Ids of the tokens that end an answer.
    """

    def __init__(self, tokenizer: str, eos_tokens: Sequence[int]) -> None:
        self._introduction = {"tokenizer": tokenizer, "eos_tokens": list(eos_tokens), "limits": LIMITS}
        self._lock = threading.Lock()
        self._is_closed = False
        self._process = self._start()

    def complaint_of(self, rules: str, /) -> str:
        """Tries a grammar; returns what is wrong with it, empty if nothing is."""
        with self._lock:
            complaint = self._ask(rules)
            if complaint is None:
                complaint = self._why_it_ended()
                if not self._is_closed:
                    self._process = self._start()
            return complaint

    def close(self) -> None:
        """Ends the process, whatever it is trying; what is tried from now on is too late."""
        self._is_closed = True
        self._process.kill()
        with self._lock:
            self._process.kill()  # it may be another one by now
            self._process.communicate()

    def _start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(  # noqa: S603 - its own program
            [sys.executable, "-P", str(_PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        _write(process, self._introduction)
        self._is_new = True
        return process

    def _ask(self, rules: str) -> str | None:
        """Returns what the process says; None when it ended instead."""
        assert self._process.stdout is not None
        if self._process.stdout.closed:
            return None
        if self._is_new:
            self._process.stdout.readline()
            self._is_new = False
        patience = threading.Timer(PATIENCE_S, self._process.kill)
        patience.start()
        _write(self._process, {"rules": rules, "processor_s": PROCESSOR_S})
        answer = self._process.stdout.readline()
        patience.cancel()
        return str(json.loads(answer)) if answer else None

    def _why_it_ended(self) -> str:
        self._process.communicate()
        was_slow = self._process.returncode in (-SIGPROF, -SIGKILL)
        return "it takes too long to understand" if was_slow else "it is too complex"


def _write(process: subprocess.Popen[str], message: object) -> None:
    """Writes a line; a process that has ended is found out when its answer is read."""
    assert process.stdin is not None
    try:
        process.stdin.write(f"{json.dumps(message)}\n")
        process.stdin.flush()
    except BrokenPipeError:
        pass

"""A program that tries grammars out, one a line, and may hang, swell or crash over one: nothing else is lost with it.

It is run by its path, so that it starts without MLX. It reads lines of JSON: first the tokenizer, then what to try; it
answers each with a line of JSON that says what is wrong with it, or null.
"""

import contextlib
import json
import random
import resource
import signal
import sys
import threading
from typing import Final

from llguidance import LLMatcher, LLParserLimits, LLTokenizer

STACK_BYTES: Final = 256 * 2**20
WALKED_TOKENS: Final = 8
MEMORY_BYTES: Final = 2 * 2**30
"""Address space beyond which it is refused more; macOS does not hold to it."""


def main() -> None:
    """Reads until its input ends."""
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    first = json.loads(sys.stdin.readline())
    tokenizer = LLTokenizer(first["tokenizer"], eos_token=first["eos_tokens"])
    limits = LLParserLimits(**first["limits"])
    _answer("")
    for line in sys.stdin:
        trial = json.loads(line)
        # Counts this process's own time, whatever else runs here; its default action ends it, wherever it is.
        signal.setitimer(signal.ITIMER_PROF, trial["processor_s"])
        matcher = LLMatcher(tokenizer, trial["rules"], log_level=0, limits=limits)
        _walk(matcher)
        signal.setitimer(signal.ITIMER_PROF, 0)
        _answer(matcher.get_error())


def _walk(matcher: LLMatcher) -> None:
    """Says a few tokens: what is too complex to be followed mostly shows at once."""
    draws = random.Random(0)  # noqa: S311 - any walk will do
    for _ in range(WALKED_TOKENS):
        mask = matcher.compute_bitmask()
        allowed = [index for index, bits in enumerate(mask) if bits]
        if matcher.is_stopped() or not allowed:
            return
        index = draws.choice(allowed)
        matcher.consume_token(8 * index + (mask[index] & -mask[index]).bit_length() - 1)
    matcher.compute_bitmask()


def _answer(complaint: str) -> None:
    print(json.dumps(complaint), flush=True)  # noqa: T201 - what its parent reads


if __name__ == "__main__":
    threading.stack_size(STACK_BYTES)
    thread = threading.Thread(target=main)
    thread.start()
    thread.join()

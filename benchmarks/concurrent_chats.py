"""Measures what batching is worth: eight chats at once against the same eight in a row, in one run.

usage: python benchmarks/concurrent_chats.py [--model starter] [--chats 8] [--max-tokens 48] [--repeats 3]

Prints one JSON object. `ratio` is the median of time at once / time in a row; below 1 is a gain. `answers_equal` tells
whether each answer at temperature 0 was the same both times.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

from cortex_domain import GenerationRequest, ModelId, SamplingParameters, collect, user_message
from cortex_entrypoints import Cortex, Settings, open_cortex

QUESTIONS = (
    "What is the capital of France?",
    "Write a haiku about the sea.",
    "Why is the sky blue?",
    "Tell me a short joke.",
    "What is two and two?",
    "Name three colours.",
    "Say hello in French.",
    "What do bees make?",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One measurement: seconds, and the answers in the order of the questions."""

    seconds: float
    answers: tuple[str, ...]


async def main() -> None:
    """Runs the benchmark and prints its result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--chats", type=int, default=8)
    parser.add_argument("--max-tokens", type=int, default=48)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    async with open_cortex(Settings(default_model=options.model)) as cortex:
        status = await cortex.default_model_preparation.prepare_default()
        if status.reason is not None:
            parser.error(status.reason)
        requests = [_request(ModelId(options.model), number, options.max_tokens) for number in range(options.chats)]
        await _at_once(cortex, requests)  # loads the model and warms it up
        pairs = [(await _in_a_row(cortex, requests), await _at_once(cortex, requests)) for _ in range(options.repeats)]
    print(json.dumps(_summary(pairs, options), indent=2))  # noqa: T201


def _request(model: ModelId, number: int, max_tokens: int) -> GenerationRequest:
    return GenerationRequest(
        model=model,
        messages=(user_message(QUESTIONS[number % len(QUESTIONS)]),),
        sampling=SamplingParameters(temperature=0),
        max_tokens=max_tokens,
    )


async def _in_a_row(cortex: Cortex, requests: Sequence[GenerationRequest]) -> Round:
    async def answer_all() -> list[str]:
        return [await _answer(cortex, request) for request in requests]

    return await _timed(cortex, answer_all())


async def _at_once(cortex: Cortex, requests: Sequence[GenerationRequest]) -> Round:
    return await _timed(cortex, asyncio.gather(*(_answer(cortex, request) for request in requests)))


async def _answer(cortex: Cortex, request: GenerationRequest) -> str:
    async with cortex.generate_text(request) as events:
        return (await collect(events)).text


async def _timed(cortex: Cortex, answering: Awaitable[Sequence[str]]) -> Round:
    began_s = cortex.clock.monotonic_s()
    answers = await answering
    return Round(seconds=cortex.clock.monotonic_s() - began_s, answers=tuple(answers))


def _summary(pairs: Sequence[tuple[Round, Round]], options: argparse.Namespace) -> dict[str, object]:
    return {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "model": options.model,
        "chats": options.chats,
        "max_tokens": options.max_tokens,
        "in_a_row_s": round(statistics.median(in_a_row.seconds for in_a_row, _ in pairs), 2),
        "at_once_s": round(statistics.median(at_once.seconds for _, at_once in pairs), 2),
        "ratio": round(statistics.median(at_once.seconds / in_a_row.seconds for in_a_row, at_once in pairs), 3),
        "answers_equal": all(in_a_row.answers == at_once.answers for in_a_row, at_once in pairs),
    }


if __name__ == "__main__":
    asyncio.run(main())

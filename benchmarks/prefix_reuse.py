"""Measures what reuse is worth: the first token of a prompt whose beginning is new, in memory, or on disk.

usage: python benchmarks/prefix_reuse.py [--model starter] [--words 2000] [--repeats 3]

Prints one JSON object. Each round asks with a new long system prompt, asks another question after the same one, starts
Cortex again and asks a third. `warm_ratio` and `restart_ratio` are the medians of the cold time to first token divided
by the other one; above 1 is a gain. The engine runs in a worker process, as the server's does.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cortex_domain import (
    GenerationRequest,
    GenerationResult,
    ModelId,
    SamplingParameters,
    collect,
    system_message,
    user_message,
)
from cortex_entrypoints import Cortex, EnginePlacement, Settings, open_cortex

WORDS = ("river", "stone", "cloud", "horse", "lamp", "seven", "green", "walks", "under", "quiet", "bread", "north")


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """The three answers of a round."""

    cold: GenerationResult
    warm: GenerationResult
    restarted: GenerationResult


async def main() -> None:
    """Runs the benchmark and prints its result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--words", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        settings = Settings(default_model=options.model, prefix_cache_dir=Path(directory))
        rounds = [await _measure(settings, options.words, seed) for seed in range(options.repeats)]
    print(json.dumps(_summary(rounds, options.model), indent=2))  # noqa: T201


async def _measure(settings: Settings, words: int, seed: int) -> Round:
    numbers = random.Random(seed)  # noqa: S311 - a text, not a secret
    rules = " ".join(numbers.choice(WORDS) for _ in range(words))
    async with open_cortex(settings, placement=EnginePlacement.PROCESS) as cortex:
        await cortex.default_model_preparation.prepare_default()
        await _ask(cortex, "Begin.", "Warm up.")
        cold = await _ask(cortex, rules, "What is the first word?")
        warm = await _ask(cortex, rules, "Which word comes last?")
    async with open_cortex(settings, placement=EnginePlacement.PROCESS) as cortex:
        await cortex.default_model_preparation.prepare_default()
        await _ask(cortex, "Begin.", "Warm up.")
        return Round(cold=cold, warm=warm, restarted=await _ask(cortex, rules, "How many words are there?"))


async def _ask(cortex: Cortex, rules: str, question: str) -> GenerationResult:
    request = GenerationRequest(
        model=ModelId(cortex.default_model),
        messages=(system_message(rules), user_message(question)),
        sampling=SamplingParameters(temperature=0),
        max_tokens=4,
    )
    async with cortex.generate_text(request) as events:
        return await collect(events)


def _summary(rounds: list[Round], model: str) -> dict[str, object]:
    return {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "model": model,
        "prompt_tokens": rounds[0].cold.usage.prompt_tokens,
        "cached_tokens_warm": min(measured.warm.usage.cached_prompt_tokens for measured in rounds),
        "cached_tokens_restarted": min(measured.restarted.usage.cached_prompt_tokens for measured in rounds),
        "cold_ms": _median_ms([measured.cold for measured in rounds]),
        "warm_ms": _median_ms([measured.warm for measured in rounds]),
        "restarted_ms": _median_ms([measured.restarted for measured in rounds]),
        "warm_ratio": _median_ratio([(measured.cold, measured.warm) for measured in rounds]),
        "restart_ratio": _median_ratio([(measured.cold, measured.restarted) for measured in rounds]),
    }


def _median_ms(results: list[GenerationResult]) -> float:
    return round(statistics.median(result.timings.time_to_first_token_ms for result in results), 1)


def _median_ratio(pairs: list[tuple[GenerationResult, GenerationResult]]) -> float:
    ratios = [cold.timings.time_to_first_token_ms / other.timings.time_to_first_token_ms for cold, other in pairs]
    return round(statistics.median(ratios), 1)


if __name__ == "__main__":
    asyncio.run(main())

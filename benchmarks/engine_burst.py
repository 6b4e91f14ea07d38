"""Measures Cortex's engine against mlx-lm's own batch generator, in one process and one run.

usage: python benchmarks/engine_burst.py MODEL_DIR [--sequences 1 8 32 64] [--prompt-tokens 80] [--max-tokens 96]
                                         [--temperature 0.7] [--repeats 5]

MODEL_DIR is a model that mlx-lm loads; random weights will do, because no answer ends early. A burst is that many
sequences at once, prompts of random tokens, each read and answered to its full length. Both sides do the same bursts in
turns: mlx-lm's `BatchGenerator` with one shared sampler and room for all sequences, and Cortex's engine with everything
that it does besides: text, stop texts, events, a seed a sequence. Prints one JSON object a burst size: medians of
tokens/s, prompt included, and the median of their ratio.
"""

import argparse
import json
import platform
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from cortex_adapters.mlx.device import current_device
from cortex_adapters.mlx.engine import Engine
from cortex_adapters.mlx.jobs import Job, JobId, JobProgress
from cortex_domain import ModelFiles, ModelId, SamplingParameters, user_message

from mlx_lm.generate import BatchGenerator  # isort: skip - after OpenBLAS
from mlx_lm.sample_utils import make_sampler  # isort: skip

MODEL = ModelId("benchmarks/model")
Prompts = list[list[int]]


def main() -> None:
    """Runs the benchmark and prints its results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--sequences", type=int, nargs="+", default=[1, 8, 32, 64])
    parser.add_argument("--prompt-tokens", type=int, default=80)
    parser.add_argument("--max-tokens", type=int, default=96)
    parser.add_argument("--temperature", type=float, default=0.7)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    engine = Engine()
    model = engine.load(ModelFiles(model_id=MODEL, directory=options.model, revision=None, size_bytes=0))
    numbers = random.Random(0)  # noqa: S311
    for count in options.sequences:
        prompts = [
            [numbers.randrange(model.vocabulary_size) for _ in range(options.prompt_tokens)] for _ in range(count)
        ]
        sides: list[Callable[[], int]] = [
            lambda prompts=prompts: _burst_of_mlx_lm(model.network, prompts, options),  # type: ignore[misc]
            lambda prompts=prompts: _burst_of_cortex(engine, prompts, options),  # type: ignore[misc]
        ]
        for side in sides:
            side()  # compiles what this burst size needs
        pairs = [tuple(_tokens_per_s(side) for side in sides) for _ in range(options.repeats)]
        print(json.dumps(_summary(count, pairs, options)), flush=True)  # noqa: T201
    engine.close()


def _tokens_per_s(burst: Callable[[], int]) -> float:
    began_s = time.perf_counter()
    return burst() / (time.perf_counter() - began_s)


def _burst_of_mlx_lm(network: object, prompts: Prompts, options: argparse.Namespace) -> int:
    generator = BatchGenerator(network, completion_batch_size=max(len(prompts), 32))
    sampler = make_sampler(temp=options.temperature)
    generator.insert(
        [list(prompt) for prompt in prompts],
        max_tokens=[options.max_tokens] * len(prompts),
        samplers=[sampler] * len(prompts),
    )
    tokens, unfinished = 0, len(prompts)
    while unfinished:
        _, responses = generator.next()  # type: ignore[no-untyped-call]
        tokens += len(responses)
        unfinished -= sum(response.finish_reason is not None for response in responses)
    generator.close()  # type: ignore[no-untyped-call]
    return tokens


def _burst_of_cortex(engine: Engine, prompts: Prompts, options: argparse.Namespace) -> int:
    for number, prompt in enumerate(prompts):
        engine.admit(_job(number, options), JobProgress(prompt=tuple(prompt)), max_tokens=options.max_tokens)
    tokens = 0
    while engine.has_work:
        tokens += sum(len(step.tokens) for step in engine.step())
    return tokens


def _job(number: int, options: argparse.Namespace) -> Job:
    return Job(
        id=JobId(number),
        model_id=MODEL,
        messages=(user_message("benchmark"),),
        sampling=SamplingParameters(temperature=options.temperature, top_p=1, seed=number),
        max_tokens=options.max_tokens,
        default_max_tokens=options.max_tokens,
        stop=(),
        owner="",
        accepted_s=time.monotonic(),
    )


def _summary(count: int, pairs: list[tuple[float, ...]], options: argparse.Namespace) -> dict[str, object]:
    return {
        "device": f"{current_device()}, {platform.machine()}",
        "sequences": count,
        "prompt_tokens": options.prompt_tokens,
        "max_tokens": options.max_tokens,
        "mlx_lm_tokens_per_s": round(statistics.median(mlx_lm for mlx_lm, _ in pairs), 1),
        "cortex_tokens_per_s": round(statistics.median(cortex for _, cortex in pairs), 1),
        "ratio": round(statistics.median(cortex / mlx_lm for mlx_lm, cortex in pairs), 3),
    }


if __name__ == "__main__":
    main()

"""mlx-lm's batch generator as something that `cortex bench` can measure: no server, no text, no events.

usage: cortex bench URL --compare-program "python benchmarks/mlx_lm_generator.py MODEL_DIR"

One `BatchGenerator` a burst, with one sampler object that all sequences share and room for all of them: the most that
mlx-lm gives in process. Prompts are tokenised before the clock starts. On a Linux CPU, preload OpenBLAS as Cortex does.
`cortex_entrypoints.bench.program_target` says what is read and written.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx_lm import load
from mlx_lm.generate import BatchGenerator
from mlx_lm.sample_utils import make_sampler


@dataclass(kw_only=True)
class Answer:
    """One sequence; seconds since the burst began."""

    prompt_tokens: int
    texts_s: list[float] = field(default_factory=list)
    ended_s: float = 0.0
    completion_tokens: int = 0
    finish_reason: str = ""


def main() -> None:
    """Answers bursts until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a directory that mlx-lm loads")
    model, tokenizer = load(str(parser.parse_args().model))[:2]
    say({"name": "mlx-lm's BatchGenerator", "details": {"version": version("mlx-lm"), "device": device()}})
    for line in sys.stdin:
        burst = json.loads(line)
        prompts = [tokenized(tokenizer, prompt) for prompt in burst["prompts"]]
        say({"answers": [asdict(answer) for answer in answer_all(model, tokenizer, prompts, burst)]})


def device() -> str:
    """Names what MLX computes on: cpu or gpu."""
    return "cpu" if mx.default_device().type == mx.cpu else "gpu"


def say(fields: dict[str, Any]) -> None:
    """Writes one line."""
    print(json.dumps(fields), flush=True)  # noqa: T201


def tokenized(tokenizer: Any, prompt: str) -> list[int]:  # noqa: ANN401
    """Renders one user message with the model's own template."""
    return list(tokenizer.apply_chat_template([{"role": "user", "content": prompt}], add_generation_prompt=True))


def answer_all(model: Any, tokenizer: Any, prompts: list[list[int]], burst: dict[str, Any]) -> Sequence[Answer]:  # noqa: ANN401
    """Runs one burst to its end."""
    began_s = time.perf_counter()
    stop_tokens = [[token] for token in tokenizer.eos_token_ids]
    generator = BatchGenerator(model, stop_tokens=stop_tokens, completion_batch_size=max(len(prompts), 32))
    sampler = make_sampler(temp=burst["temperature"], top_p=burst["top_p"])
    max_tokens, samplers = [burst["max_tokens"]] * len(prompts), [sampler] * len(prompts)
    numbers = generator.insert(prompts, max_tokens=max_tokens, samplers=samplers)
    answers = {number: Answer(prompt_tokens=len(prompt)) for number, prompt in zip(numbers, prompts, strict=True)}
    unfinished = len(prompts)
    while unfinished:
        _, responses = generator.next()  # type: ignore[no-untyped-call]
        now_s = time.perf_counter() - began_s
        for response in responses:
            note(answers[response.uid], response, now_s)
            unfinished -= response.finish_reason is not None
    generator.close()  # type: ignore[no-untyped-call]
    return list(answers.values())


def note(answer: Answer, response: Any, now_s: float) -> None:  # noqa: ANN401
    """Adds one token to its answer."""
    answer.texts_s.append(now_s)
    answer.completion_tokens += 1
    if response.finish_reason is not None:
        answer.ended_s, answer.finish_reason = now_s, response.finish_reason


if __name__ == "__main__":
    main()

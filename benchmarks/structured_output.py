"""Measures what holding answers to a grammar costs: decode steps with and without, in pairs, on one engine.

usage: python benchmarks/structured_output.py MODEL_DIRECTORY [--rows 1 16] [--steps 60] [--pairs 8]

MODEL_DIRECTORY holds a model that mlx-lm loads. Each pair decodes the same prompts twice, free and held to a JSON
Schema that does not end before the last step, in turns; free answers are kept from ending too. Prints one JSON object:
for each number of rows the median step of either kind in milliseconds, the median of the pairs' ratios, and what the
host alone needs for the matchers and masks of a step. Only a calm machine gives ratios that can be compared.
"""

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cortex_adapters.mlx.batch_generation import LeanBatchGenerator
from cortex_adapters.mlx.batch_sampling import RowSampler
from cortex_adapters.mlx.grammar_compiler import CompiledGrammar
from cortex_adapters.mlx.grammars import grammar_of
from cortex_adapters.mlx.model_loading import LanguageModel, load_language_model
from cortex_domain.generation import SamplingParameters
from cortex_domain.language_models import ModelFiles, ModelId
from cortex_domain.output_constraints import JsonSchemaOutput

SCHEMA = JsonSchemaOutput(
    schema={
        "type": "array",
        "minItems": 1_000,
        "items": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "maxLength": 20},
                "kind": {"enum": ["river", "stone", "cloud"]},
                "size": {"type": "integer", "minimum": 0, "maximum": 9_999},
                "tags": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]{2,8}$"}, "maxItems": 3},
            },
            "required": ["name", "kind", "size", "tags"],
            "additionalProperties": False,
        },
    }
)
WARM_UP_STEPS = 4


def main() -> None:
    """Measures and prints."""
    options = _options()
    directory = Path(options.model_directory)
    files = ModelFiles(model_id=ModelId("bench/model"), directory=directory, revision=None, size_bytes=1)
    model = load_language_model(files)
    grammar = model.grammars.compile(grammar_of(SCHEMA))
    model.tokenizer.eos_token_ids = set()  # free answers would end by themselves, sooner or later
    measured = {rows: _measure(model, grammar, rows, options.steps, options.pairs) for rows in options.rows}
    model.grammars.close()
    print(json.dumps({"model": directory.name, "rows": measured}, indent=2))  # noqa: T201 - its result


def _measure(model: LanguageModel, grammar: CompiledGrammar, rows: int, steps: int, pairs: int) -> dict[str, float]:
    _decode_s(model, grammar, rows, steps)  # what is done once
    free_s, held_s = [], []
    for _ in range(pairs):
        free_s.append(_decode_s(model, None, rows, steps))
        held_s.append(_decode_s(model, grammar, rows, steps))
    ratios = [held / free for held, free in zip(held_s, free_s, strict=True)]
    return {
        "free_step_ms": round(1000 * statistics.median(free_s), 3),
        "held_step_ms": round(1000 * statistics.median(held_s), 3),
        "ratio": round(statistics.median(ratios), 4),
        "host_ms": round(1000 * rows * _host_s(model, grammar, steps), 3),
    }


def _decode_s(model: LanguageModel, grammar: CompiledGrammar | None, rows: int, steps: int) -> float:
    """Median time of a step in which all rows decode."""
    generator = LeanBatchGenerator(model, rows=rows)
    generator.read_at_most(rows=rows, tokens=512)
    for row in range(rows):
        _insert(generator, model, grammar, row, steps)
    while generator.prompt_rows:
        generator.next()  # type: ignore[no-untyped-call]
    steps_s = [_timed_step_s(generator) for _ in range(steps + WARM_UP_STEPS)]
    generator.close()  # type: ignore[no-untyped-call]
    return statistics.median(steps_s[WARM_UP_STEPS:])


def _insert(
    generator: LeanBatchGenerator, model: LanguageModel, grammar: CompiledGrammar | None, row: int, steps: int
) -> None:
    prompt: list[int] = model.tokenizer.encode(f"Write a list of rivers, stones and clouds. List number {row}:\n")
    sampling = SamplingParameters(temperature=1, top_p=1, seed=row)
    constraint = None if grammar is None else grammar.begin(prompt, ())
    generator.insert_row(
        prompt,
        max_tokens=steps + 2 * WARM_UP_STEPS,
        sampler=RowSampler(sampling, constraint=constraint),
        logits_processors=[],
    )


def _timed_step_s(generator: LeanBatchGenerator) -> float:
    began_s = time.perf_counter()
    generator.next()  # type: ignore[no-untyped-call]
    return time.perf_counter() - began_s


def _host_s(model: LanguageModel, grammar: CompiledGrammar, steps: int) -> float:
    """Mean time in which one row's matcher takes a token and says what may follow, over a document of the schema."""
    text = '[{"name":"the Danube","kind":"river","size":2850,"tags":["long","wide"]},' * 8
    tokens: Sequence[int] = model.tokenizer.encode(text)[:steps]
    constraint = grammar.begin((), ())
    began_s = time.perf_counter()
    for token in tokens:
        constraint.allowed()
        constraint.take(token)
    return (time.perf_counter() - began_s) / len(tokens)


def _options() -> Any:  # noqa: ANN401 - argparse's own
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model_directory")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--pairs", type=int, default=8)
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""Whatever a model draws, its documents are valid: random weights fill all schemas, the starter a tenth or all."""

import asyncio
import json
import os

import jsonschema
import pytest

from cortex_adapters.mlx.grammars import grammar_of
from cortex_domain.event_stream import collect
from cortex_domain.generation import FinishReason, GenerationRequest, GenerationResult, SamplingParameters
from cortex_domain.language_models import ModelFiles, ModelId
from cortex_domain.messages import user_message
from cortex_domain.output_constraints import JsonSchemaOutput
from cortex_entrypoints import Cortex
from tests.adapters.mlx.engine_runs import Ask, driven_engine
from tests.adapters.mlx.schemas import SCHEMAS, Schema

ENOUGH_TOKENS = 480
UNBOUNDED = {"number-17", "number-18", "type-2", "type-3"}
"""What random weights, which draw any digit as soon as the end, may take for ever to say."""
NAMES = list(SCHEMAS)[:: 1 if os.environ.get("CORTEX_ALL_SCHEMAS") else 10]


def test_there_are_two_hundred() -> None:
    assert len(SCHEMAS) == 200


def test_random_weights_fill_every_schema(tiny_files: ModelFiles) -> None:
    grammars = {name: grammar_of(JsonSchemaOutput(schema=schema)) for name, schema in SCHEMAS.items()}
    hot = SamplingParameters(temperature=2, top_p=1, seed=11)
    with driven_engine(tiny_files) as engine:
        asks = [Ask(b"?", sampling=hot, grammar=grammar, max_tokens=ENOUGH_TOKENS) for grammar in grammars.values()]
        runs = dict(zip(grammars, engine.ask_all(asks), strict=True))
        documents = {name: engine.text_of(run) for name, run in runs.items() if run.finish_reason is FinishReason.STOP}
    assert {name for name, run in runs.items() if run.error} == set()
    assert runs.keys() - documents.keys() <= UNBOUNDED
    for name, document in documents.items():
        _require_valid(document, SCHEMAS[name])


@pytest.fixture
async def starter(starter_cortex: Cortex, starter_files: ModelFiles) -> tuple[Cortex, ModelId]:
    await starter_cortex.load_model(starter_files.model_id)
    return starter_cortex, starter_files.model_id


@pytest.mark.real_model
async def test_the_starter_fills_schemas(starter: tuple[Cortex, ModelId]) -> None:
    results = await asyncio.gather(*(_fill(*starter, SCHEMAS[name]) for name in NAMES))
    by_name = dict(zip(NAMES, results, strict=True))
    assert {
        name: result.text for name, result in by_name.items() if result.finish_reason is not FinishReason.STOP
    } == {}
    for name, result in by_name.items():
        _require_valid(result.text, SCHEMAS[name])


async def _fill(cortex: Cortex, model: ModelId, schema: Schema) -> GenerationResult:
    output = JsonSchemaOutput(schema=schema)
    request = GenerationRequest(
        model=model,
        messages=(user_message(f"Write an example of this JSON Schema, nothing else: {output.text[:500]}"),),
        # The penalty ends what would otherwise repeat itself for ever, where a schema lets it.
        sampling=SamplingParameters(temperature=1, top_p=1, frequency_penalty=1, seed=3),
        max_tokens=ENOUGH_TOKENS,
        output=output,
    )
    async with cortex.generate_text(request) as events:
        return await collect(events)


def _require_valid(document: str, schema: Schema) -> None:
    jsonschema.validate(
        json.loads(document),
        schema,
        cls=jsonschema.Draft202012Validator,
        format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
    )

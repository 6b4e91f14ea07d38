"""Answers are held to their grammars: alone, beside others, after a pause, in another engine."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from cortex_adapters.mlx.engine_host import EngineHost
from cortex_adapters.mlx.grammars import Grammar, grammar_of, lark_json, lark_text
from cortex_domain.errors import InvalidRequestError
from cortex_domain.generation import FinishReason, SamplingParameters
from cortex_domain.language_models import ModelFiles
from cortex_domain.output_constraints import (
    ChoiceOutput,
    GrammarOutput,
    GrammarSyntax,
    JsonSchemaOutput,
    OutputConstraint,
    RegexOutput,
)
from tests.adapters.mlx.engine_jobs import run as run_job
from tests.adapters.mlx.engine_runs import Ask, DrivenEngine, driven_engine
from tests.adapters.mlx.tiny_model import END_OF_ANSWER

HOT = SamplingParameters(temperature=1, top_p=1, seed=5)
POINT = JsonSchemaOutput(
    schema={
        "type": "object",
        "properties": {"x": {"type": "integer", "minimum": -99, "maximum": 99}, "on": {"type": "boolean"}},
        "required": ["x", "on"],
        "additionalProperties": False,
    }
)
OUTPUTS: list[tuple[OutputConstraint, str]] = [
    (POINT, r'\{"x":-?\d\d?,"on":(true|false)\}'),
    (RegexOutput(pattern="[ab]{3}/é"), "[ab]{3}/é"),
    (GrammarOutput(grammar='start: "x" | "(" start ")"'), r"\(*x\)*"),
    (GrammarOutput(grammar='root ::= "x" [0-9]', syntax=GrammarSyntax.GBNF), r"x\d"),
    (ChoiceOutput(choices=("yes", "yes, but", 'a "no"')), r'yes|yes, but|a "no"'),
]


@pytest.fixture(scope="module")
def engine(tiny_files: ModelFiles) -> Iterator[DrivenEngine]:
    with driven_engine(tiny_files) as driven:
        yield driven


@pytest.mark.parametrize(("output", "pattern"), OUTPUTS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("sampling", [SamplingParameters(temperature=0), HOT], ids=["greedy", "hot"])
def test_an_answer_is_what_it_is_held_to_and_ends_by_itself(
    engine: DrivenEngine, output: OutputConstraint, pattern: str, sampling: SamplingParameters
) -> None:
    run = engine.ask(b"Say something.", sampling=sampling, grammar=grammar_of(output))
    assert re.fullmatch(pattern, engine.text_of(run)), engine.text_of(run)
    assert run.finish_reason is FinishReason.STOP


def test_rows_that_are_free_draw_what_they_would_draw_alone(engine: DrivenEngine) -> None:
    alone = engine.ask(b"Nobody holds me.", sampling=HOT)
    free, bound, other = engine.ask_all(
        [
            Ask(b"Nobody holds me.", sampling=HOT),
            Ask(b"I am held.", sampling=HOT, grammar=grammar_of(POINT)),
            Ask(b"So am I.", sampling=HOT, grammar=grammar_of(ChoiceOutput(choices=("a", "b")))),
        ]
    )
    assert free.tokens == alone.tokens
    assert json.loads(engine.text_of(bound)).keys() == {"x", "on"}
    assert engine.text_of(other) in "ab"


def test_another_engine_goes_on_from_any_token(engine: DrivenEngine) -> None:
    whole = engine.ask(b"Go on.", sampling=HOT, grammar=grammar_of(POINT))
    for told in range(1, len(whole.tokens)):
        rest = engine.ask(b"Go on.", answer=whole.tokens[:told], sampling=HOT, grammar=grammar_of(POINT))
        assert rest.tokens == whole.tokens


def test_a_text_that_triggers_a_grammar_may_end_within_a_token(engine: DrivenEngine) -> None:
    grammar = Grammar(text='start: "!"', parameter="tools", trigger="go")
    compiled = engine.model.grammars.compile(grammar)
    encode = engine.model.tokenizer.encode
    constraint = compiled.begin(encode("?"), encode("we g"))
    assert not constraint.is_bound
    constraint.take(encode("o")[0])
    assert constraint.is_bound
    constraint.undo(1)
    assert not constraint.is_bound
    assert not compiled.begin(encode("?"), encode("we go and")).is_bound, "What went its own way is left to itself."
    assert compiled.begin(encode("?"), encode("we go!")).is_bound


@pytest.mark.parametrize("host", ["thread"], indirect=True)
async def test_what_cannot_be_followed_is_refused_by_name(host: EngineHost, tiny_files: ModelFiles) -> None:
    await host.load(tiny_files)
    output = JsonSchemaOutput(schema={"type": "object", "not": {"type": "null"}})
    with pytest.raises(InvalidRequestError, match=r"Unimplemented keys.*not") as refusal:
        await run_job(host, grammar=grammar_of(output))
    assert refusal.value.parameter == "output.schema"


def test_literal_text_and_schemas_make_a_grammar(engine: DrivenEngine) -> None:
    rule = f"start: {lark_text('<call>é')} {lark_json({'const': {'a': 1}})} {lark_text('</call>')}"
    run = engine.ask(b"?", grammar=Grammar(text=rule, parameter="tools"))
    assert engine.text_of(run) == '<call>é{"a":1}</call>'


def test_a_special_text_is_its_token(engine: DrivenEngine) -> None:
    rule = f"start: {lark_text('x<|end|>y', ['<|end|>'])}"
    assert rule == 'start: "x" <|end|> "y"'
    compiled = engine.model.grammars.compile(Grammar(text=rule, parameter="tools"))
    constraint = compiled.begin((), engine.model.tokenizer.encode("x"))
    allowed = constraint.allowed()
    assert allowed is not None
    assert [token for token in range(engine.model.vocabulary_size) if _allows(allowed, token)] == [END_OF_ANSWER]


def test_a_grammar_is_compiled_once(engine: DrivenEngine) -> None:
    compile_grammar = engine.model.grammars.compile
    assert compile_grammar(grammar_of(POINT)) is compile_grammar(replace(grammar_of(POINT)))


def _allows(mask: NDArray[np.int32], token: int) -> bool:
    return bool(mask.view(np.uint32)[token // 32] >> np.uint32(token % 32) & 1)

from typing import Any

import pytest

from cortex_domain.errors import InvalidRequestError
from cortex_domain.generation import GenerationRequest
from cortex_domain.language_models import Capability, ModelId
from cortex_domain.messages import user_message
from cortex_domain.output_constraints import (
    MAX_CONSTRAINT_CHARACTERS,
    MAX_OUTPUT_CHOICES,
    MAX_PATTERN_CHARACTERS,
    MAX_SCHEMA_DEPTH,
    ChoiceOutput,
    GrammarOutput,
    GrammarSyntax,
    JsonSchemaOutput,
    OutputConstraint,
    RegexOutput,
)

CYCLE: dict[str, Any] = {}
CYCLE["not"] = CYCLE


def _nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels - 1):
        schema = {"items": schema}
    return schema


@pytest.mark.parametrize(
    ("output", "capability"),
    [
        (JsonSchemaOutput(schema={}), Capability.JSON_SCHEMA_OUTPUT),
        (RegexOutput(pattern="a"), Capability.REGEX_OUTPUT),
        (GrammarOutput(grammar="a"), Capability.LARK_OUTPUT),
        (GrammarOutput(grammar="a", syntax=GrammarSyntax.GBNF), Capability.GBNF_OUTPUT),
        (ChoiceOutput(choices=("a",)), Capability.CHOICE_OUTPUT),
    ],
)
def test_a_request_needs_the_capability_of_its_output(output: OutputConstraint, capability: Capability) -> None:
    request = GenerationRequest(model=ModelId("a/b"), messages=(user_message("hello"),), output=output)
    assert request.needs == {capability: "output"}


def test_a_schema_is_kept_as_it_was_given() -> None:
    given = {"type": "object", "properties": {"b": {"enum": ["ü"]}, "a": {}}}
    output = JsonSchemaOutput(schema=given)
    given["properties"] = {}
    assert output.text == '{"type":"object","properties":{"b":{"enum":["ü"]},"a":{}}}'
    assert output.schema["properties"] == {"b": {"enum": ["ü"]}, "a": {}}
    again = JsonSchemaOutput(schema=output.schema)
    assert again == output
    assert hash(again) == hash(output)


def test_what_is_as_large_as_may_be_is_taken() -> None:
    assert JsonSchemaOutput(schema=_nested(MAX_SCHEMA_DEPTH)).text
    assert RegexOutput(pattern="a" * MAX_PATTERN_CHARACTERS).pattern
    assert GrammarOutput(grammar="a" * MAX_CONSTRAINT_CHARACTERS).grammar
    assert ChoiceOutput(choices=tuple(map(str, range(MAX_OUTPUT_CHOICES)))).choices


@pytest.mark.parametrize(
    "schema",
    [
        _nested(MAX_SCHEMA_DEPTH + 1),
        _nested(100_000),
        CYCLE,
        {"default": "a" * MAX_CONSTRAINT_CHARACTERS},
        {"maximum": float("nan")},
        {"enum": [object()]},
        {"enum": [{1}]},
        {("a",): 1},
        {"enum": ["\ud800"]},
        {"maximum": 10**5000},
    ],
)
def test_a_schema_that_is_none_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        JsonSchemaOutput(schema=schema)
    assert refusal.value.parameter == "output.schema"


@pytest.mark.parametrize("pattern", ["", "a" * (MAX_PATTERN_CHARACTERS + 1), "\ud800"])
def test_a_pattern_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        RegexOutput(pattern=pattern)
    assert refusal.value.parameter == "output.pattern"


@pytest.mark.parametrize("grammar", ["", "a" * (MAX_CONSTRAINT_CHARACTERS + 1), "\ud800"])
def test_a_grammar_that_is_none_is_refused(grammar: str) -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        GrammarOutput(grammar=grammar)
    assert refusal.value.parameter == "output.grammar"


@pytest.mark.parametrize(
    "choices",
    [
        (),
        ("",),
        ("a", "a"),
        ("\ud800",),
        tuple(map(str, range(MAX_OUTPUT_CHOICES + 1))),
        ("a" * MAX_CONSTRAINT_CHARACTERS, "b"),
    ],
)
def test_choices_that_are_none_are_refused(choices: tuple[str, ...]) -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        ChoiceOutput(choices=choices)
    assert refusal.value.parameter == "output.choices"

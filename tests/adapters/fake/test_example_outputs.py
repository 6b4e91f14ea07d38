import json
from typing import Any

import jsonschema
import pytest

from cortex_adapters.fake.example_outputs import example_output
from cortex_domain.errors import InvalidRequestError
from cortex_domain.output_constraints import ChoiceOutput, JsonSchemaOutput, RegexOutput


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": ["string", "null"]},
        {"type": "string", "minLength": 3},
        {"type": "integer", "minimum": 4.5},
        {"type": "number", "minimum": 4.5},
        {"type": "array", "items": {"type": "boolean"}, "minItems": 2},
        {"type": "array", "minItems": 2},
        {"const": {"a": [1]}},
        {"enum": [3, 4]},
        {"type": "object", "properties": {"a": {"type": "null"}, "b": {"not": {}}}, "required": ["a", "c"]},
        {"oneOf": [{"type": "integer"}, {"type": "null"}]},
        {"$ref": "#/$defs/a", "$defs": {"a": {"type": "integer", "title": "A"}}},
    ],
)
def test_an_example_is_valid(schema: dict[str, Any]) -> None:
    jsonschema.validate(json.loads(example_output(JsonSchemaOutput(schema=schema))), schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"not": {}},
        {"type": "nothing"},
        {"type": "array", "minItems": 10**9},
        {"$ref": "#"},
        {"$ref": "#/$defs/b"},
        {"$ref": 5},
        {"enum": []},
        {"anyOf": []},
        {"type": "array", "minItems": 1, "items": False},
    ],
)
def test_what_it_does_not_understand_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        example_output(JsonSchemaOutput(schema=schema))
    assert refusal.value.parameter == "output.schema"


def test_the_first_choice_is_an_example() -> None:
    assert example_output(ChoiceOutput(choices=("b", "a"))) == "b"


def test_it_writes_nothing_by_a_grammar() -> None:
    with pytest.raises(InvalidRequestError):
        example_output(RegexOutput(pattern="a"))

"""Arguments are checked by schemas that strangers wrote, and none of them takes long."""

from typing import Any

import pytest

from cortex_adapters.mcp.argument_check import ArgumentCheck, UnusableToolError

_CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
    "required": ["city"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"city": "Bern", "days": 2}, None),
        ({}, "'city' is a required property"),
        ({"city": 7}, "city: 7 is not of type 'string'"),
        ({"city": "Bern", "days": 0}, "days: 0 is less than the minimum of 1"),
        ({"city": "Bern", "when": 1}, "'when'"),
    ],
)
def test_the_model_is_told_what_is_wrong(arguments: dict[str, Any], error: str | None) -> None:
    said = ArgumentCheck(_CITY).error(arguments)
    assert said == error or (error is not None and error in str(said))


def test_an_error_is_short() -> None:
    said = ArgumentCheck(_CITY).error({"city": ["x" * 100_000]})
    assert said is not None
    assert len(said) <= 600


@pytest.mark.parametrize("schema", [{"type": "nothing"}, {"properties": 7}, {"minimum": "a"}, {"$schema": []}])
def test_what_is_no_schema_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(UnusableToolError):
        ArgumentCheck(schema)


def test_a_deep_schema_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(5_000):
        schema = {"items": schema}
    with pytest.raises(UnusableToolError, match="nested"):
        ArgumentCheck(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:9/schema"},
        {"$ref": "file:///etc/passwd"},
        {"$ref": "#"},
        {"$ref": "#/nowhere"},
        {
            "$defs": {str(n): {"allOf": [{"$ref": f"#/$defs/{n + 1}"}] * 2} for n in range(40)} | {"40": {}},
            "$ref": "#/$defs/0",
        },
    ],
    ids=["network", "file", "itself", "nowhere", "two to the power of forty"],
)
def test_a_schema_that_leads_nowhere_ends_one_use(schema: dict[str, Any]) -> None:
    check = ArgumentCheck(schema)
    with pytest.raises(UnusableToolError):
        check.error({"a": 1})


def test_regular_expressions_are_left_to_the_server() -> None:
    evil = "^(a+)+$"
    schema = {"properties": {"a": {"pattern": evil}}, "patternProperties": {evil: {}}, "additionalProperties": False}
    assert ArgumentCheck(schema).error({"a": "a" * 64 + "!", "a" * 64 + "!": 1}) is None


def test_a_property_may_be_called_as_a_keyword() -> None:
    check = ArgumentCheck({"properties": {"pattern": {"type": "string"}}})
    assert check.error({"pattern": 7}) is not None

"""Writes the shortest thing that comes to mind and satisfies an output constraint."""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from cortex_domain.errors import InvalidRequestError
from cortex_domain.output_constraints import ChoiceOutput, JsonSchemaOutput, OutputConstraint

_MOST = 100
"""Levels that it goes down, and items or characters that it repeats."""
_ANNOTATIONS: Final = frozenset({"$comment", "$defs", "$id", "$schema", "default", "description", "examples", "title"})
_UPPER_BOUNDS: Final = frozenset({"additionalProperties", "maxItems", "maxLength", "maximum", "properties"})
_HEEDED: Final = frozenset({"const", "enum", "type", "required", "items", "minItems", "minLength", "minimum"})


def example_output(output: OutputConstraint, /) -> str:
    """Writes an example of the choices or JSON Schema that an output is bound to.

    Raises:
        InvalidRequestError: The schema has a keyword that is beyond this, or makes no sense.
    """
    match output:
        case ChoiceOutput():
            return output.choices[0]
        case JsonSchemaOutput():
            return json.dumps(_example_of(output.schema), ensure_ascii=False, separators=(",", ":"))
        case _:
            raise InvalidRequestError("The fake model writes no examples of grammars.", parameter="output")


def _example_of(schema: Mapping[str, Any]) -> object:
    try:
        return _Example(schema).of(schema)
    except (TypeError, ValueError, LookupError, AttributeError):
        return _refuse("what no schema says")


class _Example:
    """Writes values; reads as little of a schema as it can, and refuses what it does not understand."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._depth = 0

    def of(self, schema: object) -> object:
        """Builds a value that the schema allows."""
        if not isinstance(schema, Mapping):
            return None if schema is True else _refuse("a schema that is no object")
        self._depth += 1
        if self._depth > _MOST:
            _refuse("what is nested without end")
        value = self._of_alternative(schema)
        self._depth -= 1
        return value

    def _of_alternative(self, schema: Mapping[str, Any]) -> object:
        if "$ref" in schema:
            return self.of(self._find(schema["$ref"]))
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                return self.of(min(schema[keyword], key=lambda one: one != {"type": "null"}))
        return self._of_type(schema)

    def _of_type(self, schema: Mapping[str, Any]) -> object:
        unknown = schema.keys() - _ANNOTATIONS - _UPPER_BOUNDS - _HEEDED
        if unknown:
            _refuse(repr(min(unknown)))
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return schema["enum"][0]
        kinds = schema.get("type", "object")
        kind = kinds[0] if isinstance(kinds, list) else kinds
        if kind not in self._writers:
            _refuse(f"the type {kind!r}")
        return self._writers[kind](schema)

    @property
    def _writers(self) -> Mapping[str, Callable[[Mapping[str, Any]], object]]:
        return {
            "null": lambda _: None,
            "boolean": lambda _: True,
            "integer": lambda schema: math.ceil(schema.get("minimum", 0)),
            "number": lambda schema: schema.get("minimum", 0),
            "string": lambda schema: "a" * _few(schema.get("minLength", 1)),
            "array": lambda schema: [
                self.of(schema.get("items", True)) for _ in range(_few(schema.get("minItems", 0)))
            ],
            "object": self._of_object,
        }

    def _of_object(self, schema: Mapping[str, Any]) -> object:
        properties = schema.get("properties", {})
        return {name: self.of(properties.get(name, True)) for name in schema.get("required", ())}

    def _find(self, reference: str) -> object:
        path = reference.removeprefix("#").split("/")[1:]
        found: Any = self._root
        for step in path:
            found = found[step] if step in found else _refuse(f"the reference {reference!r}")
        return found


def _few(number: int) -> int:
    return number if 0 <= number <= _MOST else _refuse(f"{number} of something")


def _refuse(what: str) -> Any:  # noqa: ANN401 - it does not return
    raise InvalidRequestError(f"The fake model does not understand {what}.", parameter="output.schema")

"""Checks arguments by a schema that a foreign program wrote.

Such a schema may be nonsense, or made to take for ever. So it is held to a number of steps, nothing is fetched for it,
and what searches by regular expressions, or evaluates a schema again inside another keyword, is left to the server,
which checks arguments itself.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator, SchemaError
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend, validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

MAX_STEPS: Final = 20_000
"""How many keywords of a schema are looked at for one set of arguments."""

_MAX_DEPTH: Final = 40
_MAX_MESSAGE_CHARACTERS: Final = 600
_LEFT_TO_THE_SERVER: Final = ("pattern", "patternProperties", "unevaluatedItems", "unevaluatedProperties")

_Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]


class UnusableToolError(ValueError):
    """A tool cannot be offered as it is described. The message goes on from its name."""


class ArgumentCheck:
    """Checks the arguments of one tool.

    Args:
        schema: Its parameters.

    Raises:
        UnusableToolError: The schema is none.
    """

    def __init__(self, schema: Mapping[str, Any], /) -> None:
        _require_shallow(schema)
        if not isinstance(schema.get("$schema", ""), str):
            raise UnusableToolError("has parameters of no known kind of schema")
        self._schema = dict(schema)
        self._class = validator_for(self._schema, default=Draft202012Validator)
        try:
            self._class.check_schema(self._schema)
        except SchemaError as exc:
            raise UnusableToolError(f"has parameters that are no JSON Schema: {_shortened(exc.message)}") from exc
        except (Unresolvable, RecursionError) as exc:
            raise UnusableToolError("has parameters that cannot be understood") from exc

    def error(self, arguments: Mapping[str, Any], /) -> str | None:
        """Says what is wrong with arguments, in words for the model; None when nothing is.

        Raises:
            UnusableToolError: The schema refers to what there is not, or takes too long.
        """
        steps = _Steps()
        validator: Validator = _bounded(self._class, steps)(self._schema, registry=Registry())
        try:
            error = next(iter(validator.iter_errors(dict(arguments))), None)
        except (Unresolvable, RecursionError, _TooManySteps) as exc:
            raise UnusableToolError("has parameters that arguments cannot be checked by") from exc
        return None if error is None else _sentence(error)


class _TooManySteps(Exception):  # noqa: N818 - ends the check, and nobody sees it
    pass


class _Steps:
    def __init__(self) -> None:
        self._left = MAX_STEPS

    def take(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise _TooManySteps


def _bounded(of: type[Validator], steps: _Steps) -> type[Validator]:
    keywords = {name: _counted(check, steps) for name, check in of.VALIDATORS.items()}
    keywords.update(dict.fromkeys(_LEFT_TO_THE_SERVER, _nothing))
    if "additionalProperties" in keywords:
        keywords["additionalProperties"] = _unless_patterns(keywords["additionalProperties"])
    bounded: type[Validator] = extend(of, keywords)  # type: ignore[no-untyped-call]
    return bounded


def _counted(check: _Keyword, steps: _Steps) -> _Keyword:
    def counted(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError] | None:  # noqa: ANN401
        steps.take()
        return check(validator, value, instance, schema)

    return counted


def _unless_patterns(check: _Keyword) -> _Keyword:
    def unless_patterns(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError] | None:  # noqa: ANN401
        return None if "patternProperties" in schema else check(validator, value, instance, schema)

    return unless_patterns


def _nothing(validator: Any, value: Any, instance: Any, schema: Any) -> None:  # noqa: ANN401
    """Finds no error."""


def _require_shallow(schema: Any) -> None:  # noqa: ANN401
    """Walks level by level, because a schema that is too deep ends every recursion."""
    level: list[Any] = [schema]
    for _ in range(_MAX_DEPTH):
        level = [child for value in level for child in _children(value)]
        if not level:
            return
    raise UnusableToolError(f"has parameters that are nested more than {_MAX_DEPTH} levels deep")


def _children(value: Any) -> list[Any]:  # noqa: ANN401
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, list) else []


def _sentence(error: ValidationError) -> str:
    where = ".".join(str(part) for part in error.absolute_path)
    return _shortened(f"{where}: {error.message}" if where else error.message)


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_MESSAGE_CHARACTERS else f"{text[: _MAX_MESSAGE_CHARACTERS - 3]}..."

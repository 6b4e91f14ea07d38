"""What a function takes, as a JSON Schema, and arguments checked against it."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Final, NotRequired, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticSerializationError, to_json, to_jsonable_python
from typing_extensions import TypedDict

from cortex_adapters.python_functions.argument_problems import describe_problems
from cortex_domain.errors import InvalidToolArgumentsError
from cortex_domain.tool_execution import ToolContext

_ANY_NUMBER: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class ToolParameters:
    """The parameters of one function.

    They are fields of a `TypedDict` and not of a model, because a model cannot have fields of every name. What a caller
    leaves out stays out, so that the function's own default takes its place.

    Args:
        function: The function.
        descriptions: What its docstring says of its parameters, by name.

    Attributes:
        schema: JSON Schema of the arguments.
        context_name: The parameter that takes the context; None when there is none.

    Raises:
        TypeError: A parameter has no annotation, is positional only, or takes any number of arguments.
    """

    def __init__(self, function: Callable[..., Any], descriptions: Mapping[str, str | None]) -> None:
        hints = get_type_hints(function, include_extras=True)
        signature = inspect.signature(function).parameters
        self.context_name = next((name for name in signature if hints.get(name) is ToolContext), None)
        fields = {
            name: _field(function, parameter, hints, descriptions.get(name))
            for name, parameter in signature.items()
            if name != self.context_name
        }
        self._names = tuple(fields)
        self._adapter = _adapter(fields)
        self.schema: Mapping[str, Any] = _without_title(self._adapter.json_schema(schema_generator=_Untitled))

    def read(self, arguments: Mapping[str, Any], /, *, tool_name: str) -> dict[str, Any]:
        """Checks arguments, as strictly as JSON allows, and returns them as the function wants them.

        Raises:
            InvalidToolArgumentsError: They are not what the schema says.
        """
        try:
            return dict(self._adapter.validate_json(to_json(dict(arguments)), strict=True))
        except ValidationError as exc:
            problems = describe_problems(exc, known=self._names)
        except (PydanticSerializationError, ValueError, RecursionError):
            problems = "They are not JSON"
        raise InvalidToolArgumentsError(
            f"The arguments of {tool_name!r} are wrong. {problems}. Send all of them again, corrected.", name=tool_name
        ) from None


def _adapter(fields: Mapping[str, object]) -> TypeAdapter[dict[str, Any]]:
    make: Any = TypedDict  # fields that are known at run time only are beyond the type checker
    return TypeAdapter(with_config(ConfigDict(extra="forbid"))(make("Arguments", fields)))


class _Untitled(GenerateJsonSchema):
    """Leaves out titles, which repeat the names and cost the model tokens."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002
        return False


def _without_title(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "title"}


def _field(
    function: Callable[..., Any], parameter: inspect.Parameter, hints: Mapping[str, Any], description: str | None
) -> object:
    name = f"The parameter {parameter.name!r} of {function.__qualname__}"
    if parameter.kind in _ANY_NUMBER or parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
        raise TypeError(f"{name} cannot be given by name. A tool takes arguments by name only.")
    if parameter.name not in hints:
        raise TypeError(f"{name} has no annotation. A tool needs the types of all its parameters.")
    field = Field(description=description, json_schema_extra=dict(_default_of(parameter)))
    annotated: Any = Annotated[hints[parameter.name], field]
    return annotated if parameter.default is inspect.Parameter.empty else NotRequired[annotated]


def _default_of(parameter: inspect.Parameter) -> Iterator[tuple[str, Any]]:
    """Yields the default for the schema, if there is one that JSON can say."""
    if parameter.default is inspect.Parameter.empty:
        return
    try:
        yield "default", to_jsonable_python(parameter.default)
    except (PydanticSerializationError, ValueError):
        return

"""What a function says of itself becomes what a model is told."""

import datetime as dt
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal

import jsonschema
import pytest
from pydantic import BaseModel, Field

from cortex_adapters.python_functions import tool
from cortex_domain.errors import InvalidRequestError, InvalidToolArgumentsError, ToolFailedError
from cortex_domain.tool_execution import (
    DEFAULT_TOOL_TIMEOUT_S,
    ToolContext,
    ToolEffect,
    ToolImage,
    ToolJson,
    ToolOutput,
    ToolText,
)


class Unit(StrEnum):
    CELSIUS = "celsius"
    KELVIN = "kelvin"


class Place(BaseModel):
    city: str
    country: str | None = None


@dataclass
class Reading:
    degrees: float
    at: dt.date


def context(told: list[Any] | None = None) -> ToolContext:
    def report(message: str, fraction: float | None) -> None:
        assert told is not None
        told.append((message, fraction))

    return ToolContext(call_id="c1", owner="ann", deadline_s=1e9, report_progress=report)


async def test_signature_and_docstring_become_the_definition() -> None:
    @tool
    def weather(city: str, days: Annotated[int, Field(ge=1, le=7)] = 1, unit: Unit = Unit.CELSIUS) -> float:
        """Tells the weather.

        Of the days to come.

        Args:
            city: Name of a city,
                in English.
            days: How many days.

        Returns:
            Degrees.
        """
        return 20.0 + days

    definition = weather.descriptor.definition
    assert definition.name == "weather"
    assert definition.description.splitlines() == ["Tells the weather.", "", "Of the days to come."]
    assert definition.parameters["properties"] == {
        "city": {"type": "string", "description": "Name of a city,\nin English."},
        "days": {"type": "integer", "minimum": 1, "maximum": 7, "default": 1, "description": "How many days."},
        "unit": {"$ref": "#/$defs/Unit", "default": "celsius"},
    }
    assert definition.parameters["required"] == ["city"]
    assert definition.parameters["additionalProperties"] is False
    assert weather("Rome", days=2) == 22.0
    jsonschema.validate({"city": "Rome", "unit": "kelvin"}, dict(definition.parameters))


def test_options_become_the_descriptor() -> None:
    @tool(
        name="look_up",
        effects=[ToolEffect.NETWORK],
        is_idempotent=True,
        is_concurrent=True,
        is_trusted=False,
        timeout_s=5,
    )
    async def find(query: str) -> None: ...

    descriptor = find.descriptor
    assert (descriptor.name, descriptor.effects) == ("look_up", frozenset({ToolEffect.NETWORK}))
    assert descriptor.timeout_s == 5
    assert (descriptor.is_idempotent, descriptor.is_concurrent, descriptor.is_trusted) == (True, True, False)


def test_without_options_a_tool_is_taken_for_one_that_only_computes() -> None:
    @tool
    def think() -> None: ...

    descriptor = think.descriptor
    assert (descriptor.effects, descriptor.timeout_s) == (frozenset(), DEFAULT_TOOL_TIMEOUT_S)
    assert (descriptor.is_idempotent, descriptor.is_concurrent, descriptor.is_trusted) == (False, False, True)
    assert descriptor.definition.description == ""
    assert descriptor.definition.parameters["properties"] == {}


async def test_any_name_can_name_a_parameter() -> None:
    @tool
    def odd(schema: str, copy: int, _x: bool, model_config: str = "m") -> list[Any]:
        return [schema, copy, _x, model_config]

    output = await odd.invoke({"schema": "s", "copy": 1, "_x": True}, context())
    assert output.content == (ToolJson(value=["s", 1, True, "m"]),)


async def test_arguments_arrive_as_the_types_that_the_function_names() -> None:
    seen: list[Any] = []

    @tool
    async def note(place: Place, day: dt.date, unit: Unit, span: tuple[int, int], kind: Literal["a"]) -> None:
        seen.extend([place, day, unit, span, kind])

    arguments = {"place": {"city": "Rome"}, "day": "2026-01-02", "unit": "kelvin", "span": [1, 2], "kind": "a"}
    assert await note.invoke(arguments, context()) == ToolOutput()
    assert seen == [Place(city="Rome"), dt.date(2026, 1, 2), Unit.KELVIN, (1, 2), "a"]


async def test_the_context_is_given_and_not_told() -> None:
    @tool
    async def who(greeting: str, call: ToolContext) -> str:
        call.report_progress("half", 0.5)
        return f"{greeting} {call.owner}"

    assert set(who.descriptor.definition.parameters["properties"]) == {"greeting"}
    with pytest.raises(InvalidToolArgumentsError, match="no such parameter"):
        await who.invoke({"greeting": "hi", "call": {}}, context())
    assert (await who.invoke({"greeting": "hi"}, context([]))).content == (ToolText(text="hi ann"),)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, "city: it is required"),
        ({"city": 5}, "city: Input should be a valid string, not 5"),
        ({"city": "Rome", "days": "2"}, 'days: Input should be a valid integer, not "2"'),
        ({"city": "Rome", "days": True}, "days: Input should be a valid integer, not true"),
        ({"city": "Rome", "days": 9}, "days: Input should be less than or equal to 7, not 9"),
        ({"city": "Rome", "town": 1}, "town: there is no such parameter; there are city, days, place"),
        ({"city": "Rome", "place": {}}, "place.city: it is required"),
        ({"city": "x" * 500, "days": None}, "days: Input should be a valid integer, not null"),
        ({"city": "\ud800"}, "They are not JSON"),
        ({"city": "Rome", "days": object()}, "They are not JSON"),
        ({"city": ["x" * 500]}, "xxx…"),
        ({f"p{number}": 1 for number in range(9)}, "and 5 more"),
    ],
)
async def test_a_wrong_argument_is_named_with_what_was_expected(arguments: dict[str, Any], told: str) -> None:
    @tool
    def weather(city: str, days: Annotated[int, Field(le=7)] = 1, place: Place | None = None) -> None:
        raise AssertionError("it was called")

    with pytest.raises(InvalidToolArgumentsError) as caught:
        await weather.invoke(arguments, context())
    assert caught.value.name == "weather"
    assert told in caught.value.message
    assert len(caught.value.message) < 800


async def test_arguments_nested_without_end_are_refused() -> None:
    @tool
    def keep(value: Any) -> None: ...

    nested: list[Any] = []
    for _ in range(5000):
        nested = [nested]
    with pytest.raises(InvalidToolArgumentsError):
        await keep.invoke({"value": nested}, context())


IMAGE = ToolImage(data=b"\x89PNG", media_type="image/png")


@pytest.mark.parametrize(
    ("returned", "content"),
    [
        ("text", (ToolText(text="text"),)),
        (None, ()),
        (0, (ToolJson(value=0),)),
        ([], (ToolJson(value=[]),)),
        ({"a": {1: (2, None)}}, (ToolJson(value={"a": {"1": [2, None]}}),)),
        (Place(city="Rome"), (ToolJson(value={"city": "Rome", "country": None}),)),
        (
            [Reading(degrees=1.5, at=dt.date(2026, 1, 2))],
            (ToolJson(value=[{"degrees": 1.5, "at": "2026-01-02"}]),),
        ),
        (float("nan"), (ToolJson(value=None),)),
        (IMAGE, (IMAGE,)),
        ([ToolText(text="a"), IMAGE], (ToolText(text="a"), IMAGE)),
    ],
)
async def test_what_is_returned_becomes_content(returned: Any, content: tuple[Any, ...]) -> None:
    @tool
    def give() -> Any:
        return returned

    assert await give.invoke({}, context()) == ToolOutput(content=content)


async def test_an_output_is_passed_on_as_it_is() -> None:
    output = ToolOutput(content=(ToolText(text="from elsewhere"),), is_trusted=False)

    @tool
    def give() -> ToolOutput:
        return output

    assert await give.invoke({}, context()) is output


async def test_what_json_cannot_say_is_an_error_and_no_output() -> None:
    @tool
    def give() -> object:
        return object()

    with pytest.raises(ValueError, match="serialize"):
        await give.invoke({}, context())


@pytest.mark.parametrize("error", [ToolFailedError("no"), KeyError("x"), SystemExit(3)])
async def test_what_a_function_raises_is_raised(error: BaseException) -> None:
    @tool
    async def fail() -> None:
        raise error

    with pytest.raises(type(error)):
        await fail.invoke({}, context())


def _without_types(city) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001


def _any_number(*cities: str) -> None: ...


def _by_position(city: str, /) -> None: ...


def _generator() -> Iterator[str]:
    yield ""


async def _async_generator() -> AsyncIterator[str]:
    yield ""


@pytest.mark.parametrize("function", [_without_types, _any_number, _by_position, _generator, _async_generator])
def test_functions_that_a_model_cannot_use_are_refused(function: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=function.__name__):
        tool(function)


def test_a_name_that_no_tool_can_have_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="cannot name a tool"):
        tool(lambda: None)

"""From the bytes of a request to a validated body: strict JSON, each key once, and one clear complaint.

Python's own decoder reads more than JSON (NaN, UTF-16, keys given twice, half characters) and gives up on deep nesting
with a RecursionError. Here all of that is a `MalformedJsonError`.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cortex_domain.errors import InvalidRequestError
from cortex_entrypoints.http.edge_errors import MalformedJsonError

BodyT = TypeVar("BodyT", bound=BaseModel)

TAG_MARK = "<"
"""Starts the tags of unions in `request_bodies`, so that they can be told from field names in an error's location."""

_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_MOST_DIGITS = 100
_LONGEST_SHOWN_PATH = 200


def parse_body(data: bytes | str, body_class: type[BodyT], /) -> BodyT:
    """Parses and validates a body.

    Raises:
        MalformedJsonError: The data is not JSON.
        InvalidRequestError: The JSON is not such a body; names the first field that is wrong.
    """
    return validate_body(parse_json(data), body_class)


def parse_json(data: bytes | str, /) -> object:
    """Parses JSON text of any size.

    Raises:
        MalformedJsonError: The data is not JSON.
    """
    try:
        text = data if isinstance(data, str) else data.decode()
        value: object = json.loads(
            text, object_pairs_hook=_with_unique_keys, parse_int=_short_int, parse_constant=_refuse_constant
        )
        _require_whole_characters(text, value)
    except UnicodeDecodeError as exc:
        raise MalformedJsonError(f"This is not UTF-8: byte {exc.start} does not belong there.") from exc
    except RecursionError as exc:
        raise MalformedJsonError("This JSON is nested too deeply.") from exc
    except ValueError as exc:
        raise MalformedJsonError(f"This is not JSON: {exc}.") from exc
    return value


def validate_body(value: object, body_class: type[BodyT], /) -> BodyT:
    """Checks that a JSON value is such a body.

    Raises:
        InvalidRequestError: It is not; names the first field that is wrong.
    """
    try:
        return body_class.model_validate(value)
    except ValidationError as exc:
        raise _complaint(exc.errors(include_url=False, include_input=False)[0]) from exc


def _with_unique_keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("an object has a key twice")
    return value


def _short_int(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a whole number has more than {_MOST_DIGITS} digits")
    return int(digits)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _require_whole_characters(text: str, value: object) -> None:
    if not _SURROGATE_ESCAPE.search(text):
        return
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("a string holds half a character (a lone surrogate)") from None


def _complaint(error: ErrorDetails) -> InvalidRequestError:
    path = _dotted_path(error["loc"])
    match error["type"]:
        case "missing":
            message = f"{path} is required."
        case "extra_forbidden":
            message = f"There is no field {path!r}. Remove it."
        case "model_type" | "dataclass_type":
            message = f"{path or 'The body'} must be a JSON object."
        case _:
            message = f"{path}: {error['msg'].removeprefix('Value error, ')}."
    return InvalidRequestError(message, parameter=path or None)


def _dotted_path(location: Sequence[str | int]) -> str:
    steps = [str(step) for step in location if not str(step).startswith((TAG_MARK, "["))]
    return ".".join(steps)[:_LONGEST_SHOWN_PATH]

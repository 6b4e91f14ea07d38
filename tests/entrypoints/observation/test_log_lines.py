"""Log lines: complete, one a record, and silent about what people wrote."""

import json
import logging
import sys

import pytest

from cortex_domain.errors import GeneratorFailedError, InvalidRequestError
from cortex_entrypoints.observation.log_lines import JsonLines, TextLines, facts
from cortex_entrypoints.observation.request_ids import bind_request_id

SECRET = "what the user wrote"


def record(
    message: str = "something happened", error: BaseException | None = None, **values: object
) -> logging.LogRecord:
    exc_info = None if error is None else (type(error), error, error.__traceback__)
    made = logging.LogRecord("cortex.part", logging.WARNING, "part.py", 1, message, None, exc_info)
    made.created = 1_769_860_800.25
    vars(made).update(facts(**values))
    return made


def fail(error: Exception) -> None:
    try:
        int(SECRET)
    except ValueError as cause:
        raise error from cause


def raised(error: Exception) -> Exception:
    with pytest.raises(type(error)) as caught:
        fail(error)
    return caught.value


def test_a_line_of_text() -> None:
    line = TextLines(shows_messages=False).format(record(model="a/b", total_ms=12.5, code=None))
    assert line == "2026-01-31T12:00:00.250Z WARNING cortex.part: something happened model=a/b total_ms=12.5"


@pytest.mark.parametrize("value", ["two words", "x y=z", "line\nfeed", 'quo"te', "", "back\\slash", "\x1b[31m", "é"])
def test_a_value_is_one_word_of_a_line(value: str) -> None:
    line = TextLines(shows_messages=False).format(record(owner=value))
    word = line.partition("owner=")[2]
    assert word.isprintable()
    assert json.loads(word) == value


def test_a_line_of_json() -> None:
    line = JsonLines(shows_messages=False).format(record(owner="a\nb", total_ms=12.5))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2026-01-31T12:00:00.250Z",
        "level": "WARNING",
        "logger": "cortex.part",
        "message": "something happened",
        "owner": "a\nb",
        "total_ms": 12.5,
    }


async def test_a_line_has_the_request_that_it_belongs_to() -> None:
    bind_request_id("call-7")
    assert TextLines(shows_messages=False).format(record()).endswith(" request_id=call-7")
    assert json.loads(JsonLines(shows_messages=False).format(record()))["request_id"] == "call-7"


@pytest.mark.parametrize("lines", [TextLines, JsonLines])
def test_of_an_exception_only_the_place_is_told(lines: type[TextLines | JsonLines]) -> None:
    error = raised(ExceptionGroup("several", [KeyError(SECRET), InvalidRequestError(f"There is no field {SECRET!r}.")]))
    line = lines(shows_messages=False).format(record(error=error))
    assert SECRET not in line
    for word in ("ValueError", "ExceptionGroup", "KeyError", "InvalidRequestError", "test_log_lines.py"):
        assert word in line


def test_what_cortex_says_of_itself_is_told() -> None:
    line = TextLines(shows_messages=False).format(record(error=raised(GeneratorFailedError("The engine ended."))))
    assert "GeneratorFailedError: The engine ended." in line
    assert SECRET not in line


def test_messages_are_told_to_who_asks() -> None:
    assert SECRET in TextLines(shows_messages=True).format(record(error=raised(KeyError("x"))))


def test_a_record_made_where_no_exception_was() -> None:
    made = record()
    made.exc_info = sys.exc_info()
    assert TextLines(shows_messages=False).format(made).startswith("2026-01-31T12:00:00.250Z WARNING")

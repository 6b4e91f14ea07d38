"""Every text that is not JSON, or only nearly, is refused with the same error and nothing else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_domain.errors import CortexError
from cortex_entrypoints.http.edge_errors import MalformedJsonError
from cortex_entrypoints.http.json_parsing import parse_body, parse_json
from cortex_entrypoints.http.request_bodies import ChatBody
from tests.entrypoints.http.malformed import MALFORMED_JSON

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize("data", MALFORMED_JSON.values(), ids=MALFORMED_JSON.keys())
def test_refuses_what_is_not_json(data: bytes) -> None:
    with pytest.raises(MalformedJsonError):
        parse_json(data)


@given(JSON_VALUES)
def test_reads_json(value: Any) -> None:
    assert parse_json(json.dumps(value).encode()) == value
    assert parse_json(json.dumps(value, ensure_ascii=False)) == value


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_never_fails_otherwise(data: bytes) -> None:
    try:
        parse_body(data, ChatBody)
    except CortexError as error:
        error.message.encode()


@given(JSON_VALUES.filter(lambda value: value != {}))  # an object may leave out any one field
def test_a_complaint_about_any_value_is_an_error_of_ours(value: Any) -> None:
    with pytest.raises(CortexError):
        parse_body(json.dumps(value), ChatBody)


def test_whole_characters_written_as_escapes_are_read() -> None:
    assert parse_json(b'"\\ud83d\\ude00"') == "\N{GRINNING FACE}"

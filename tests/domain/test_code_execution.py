from typing import Any

import pytest

from cortex_domain.code_execution import CodeLimits, CodeRequest
from cortex_domain.errors import InvalidRequestError


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("timeout_s", 0),
        ("timeout_s", float("inf")),
        ("timeout_s", float("nan")),
        ("memory_bytes", 2**24 - 1),
        ("output_bytes", 0),
    ],
)
def test_limits_that_are_none_are_refused(parameter: str, value: float) -> None:
    values: dict[str, Any] = {parameter: value}
    with pytest.raises(InvalidRequestError) as caught:
        CodeLimits(**values)
    assert caught.value.parameter == parameter


async def test_names_that_no_variable_has_are_refused() -> None:
    async def function() -> None: ...

    CodeRequest(code="", inputs={"ä": 1}, functions={"f": function})
    with pytest.raises(InvalidRequestError):
        CodeRequest(code="", inputs={"a b": 1})
    with pytest.raises(InvalidRequestError):
        CodeRequest(code="", functions={"a.b": function})

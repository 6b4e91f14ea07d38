"""What servers return becomes what tools return."""

import base64
from typing import Any

import pytest
from mcp.types import CallToolResult

from cortex_adapters.mcp.tool_results import output_of
from cortex_domain.errors import ToolFailedError
from cortex_domain.tool_execution import ToolContent, ToolImage, ToolJson, ToolText

_PIXELS = base64.b64encode(b"pixels").decode()


def content(*blocks: dict[str, Any], **more: Any) -> tuple[ToolContent, ...]:
    result = CallToolResult.model_validate({"content": list(blocks), **more}, by_name=False)
    return output_of(result, is_trusted=False).content


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def resource(**fields: Any) -> dict[str, Any]:
    return {"type": "resource", "resource": {"uri": "file:///a", **fields}}


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (text("a"), ToolText(text="a")),
        (
            {"type": "image", "data": _PIXELS, "mimeType": "image/png"},
            ToolImage(data=b"pixels", media_type="image/png"),
        ),
        ({"type": "image", "data": "!", "mimeType": "image/png"}, ToolText(text="[image that is no valid base64]")),
        (resource(text="b"), ToolText(text="b")),
        (resource(blob=_PIXELS, mimeType="image/png"), ToolImage(data=b"pixels", media_type="image/png")),
        (resource(blob=_PIXELS), ToolText(text="[file file:///a of type unknown, which cannot be shown]")),
        (
            {"type": "audio", "data": _PIXELS, "mimeType": "audio/wav"},
            ToolText(text="[audio of type audio/wav, which cannot be shown]"),
        ),
        ({"type": "resource_link", "uri": "file:///a", "name": "n"}, ToolText(text="[resource n: file:///a]")),
    ],
)
def test_each_kind_of_content(block: dict[str, Any], expected: ToolContent) -> None:
    assert content(block) == (expected,)


@pytest.mark.parametrize("said", ['{"a": 1}', '{\n  "a": 1\n}'])
def test_a_value_is_not_said_twice(said: str) -> None:
    assert content(text(said), structuredContent={"a": 1}) == (ToolJson(value={"a": 1}),)


@pytest.mark.parametrize(("said", "value"), [("5", 5), ("hello", "hello"), ("[1]", [1])])
def test_a_wrapped_value_is_not_said_twice(said: str, value: Any) -> None:
    assert content(text(said), structuredContent={"result": value}) == (ToolJson(value={"result": value}),)


def test_the_only_value_of_an_object_is_not_said_twice() -> None:
    assert content(text("hi"), structuredContent={"content": "hi"}) == (ToolJson(value={"content": "hi"}),)


def test_text_beside_a_value_stays() -> None:
    assert content(text("Found one."), structuredContent={"n": 1})[1] == ToolText(text="Found one.")


def test_a_value_that_json_does_not_have_is_left_out() -> None:
    assert content(text("far"), structuredContent={"n": float("inf")}) == (ToolText(text="far"),)


def test_a_failure_is_no_output() -> None:
    with pytest.raises(ToolFailedError, match="broken"):
        content(text("broken"), isError=True)
    with pytest.raises(ToolFailedError, match="does not say why"):
        content(isError=True)

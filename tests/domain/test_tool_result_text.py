import pytest

from cortex_domain.tool_execution import ToolError, ToolFinished, ToolImage, ToolJson, ToolText
from cortex_domain.tool_result_text import UNTRUSTED_NOTICE, result_part

ERROR = ToolError(code="timeout", message="Too late.")


@pytest.mark.parametrize(
    ("finished", "text", "is_error"),
    [
        (ToolFinished(call_id="c1", name="t", status="ok"), "", False),
        (
            ToolFinished(
                call_id="c1",
                name="t",
                status="ok",
                content=(
                    ToolText(text="a\nb"),
                    ToolJson(value={"ä": 1}),
                    ToolImage(data=b"12", media_type="image/png"),
                ),
            ),
            'a\nb\n{"ä": 1}\n[an image, image/png, 2 bytes]',
            False,
        ),
        (ToolFinished(call_id="c1", name="t", status="error", error=ERROR), "timeout: Too late.", True),
        (
            ToolFinished(call_id="c1", name="t", status="ok", content=(ToolText(text="a"),), is_trusted=False),
            f"{UNTRUSTED_NOTICE}\na",
            False,
        ),
    ],
)
def test_a_result_is_what_the_model_reads(finished: ToolFinished, text: str, is_error: bool) -> None:
    part = result_part(finished)
    assert (part.call_id, part.text, part.is_error) == ("c1", text, is_error)

"""Tools at the command line; what each of them does is shown elsewhere."""

import subprocess
from collections.abc import Callable

import pytest
import typer

from cortex_domain.errors import InvalidRequestError, ToolDeniedError, ToolNotFoundError
from cortex_domain.tool_execution import ToolEffect, ToolImage, ToolJson, ToolOutput, ToolText
from cortex_entrypoints import Settings, open_cortex, tool
from cortex_entrypoints.cli import tools

CortexCommand = Callable[..., subprocess.CompletedProcess[str]]
SETTINGS = Settings(default_model="fake/echo", tools_deny=("shut",))


@tool(effects=[ToolEffect.WRITES_LOCAL])
async def give(word: str) -> ToolOutput:
    """Gives back.

    At once.
    """
    image = ToolImage(data=b"12", media_type="image/png")
    return ToolOutput(content=(ToolText(text=word), ToolJson(value={"ä": 1}), image))


@tool
async def shut() -> None:
    """Is denied."""


@pytest.fixture(autouse=True)
def _given_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "open_cortex", lambda settings: open_cortex(settings, tools=[give, shut]))


async def test_tools_are_listed_by_name_with_what_decides(capsys: pytest.CaptureFixture[str]) -> None:
    await tools.list_tools(SETTINGS)
    assert [line.split("\t") for line in capsys.readouterr().out.splitlines()] == [
        ["TOOL", "POLICY", "EFFECTS", "DESCRIPTION"],
        ["give", "ask", "writes_local", "Gives back."],
        ["shut", "deny", "", "Is denied."],
    ]


async def test_what_a_tool_returns_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    await tools.invoke_tool(SETTINGS, name="give", arguments='{"word": "hello"}')
    assert capsys.readouterr().out == 'hello\n{"ä": 1}\n[an image, image/png, 2 bytes]\n'


async def test_a_failure_is_one_line_and_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as left:
        await tools.invoke_tool(SETTINGS, name="give", arguments="{}")
    assert left.value.exit_code == 1
    assert "invalid_arguments: The arguments of 'give' are wrong. word: it is required" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "arguments", "refusal"),
    [
        ("give", "[1]", InvalidRequestError),
        ("give", "{", InvalidRequestError),
        ("shut", "{}", ToolDeniedError),
        ("nobody", "{}", ToolNotFoundError),
    ],
)
async def test_what_cannot_be_used_is_refused(name: str, arguments: str, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        await tools.invoke_tool(SETTINGS, name=name, arguments=arguments)


def test_the_command_is_there(cortex_command: CortexCommand) -> None:
    assert cortex_command("tools", "list").stdout.startswith("TOOL\tPOLICY")
    ended = cortex_command("tools", "invoke", "nobody", "--arguments", "{}")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("cortex: There is no tool 'nobody'")

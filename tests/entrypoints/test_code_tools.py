"""Code execution as the settings wire it."""

import sys
from pathlib import Path
from typing import Any

import pytest

from cortex_domain.errors import CodeExecutorUnavailableError
from cortex_domain.tool_execution import ToolCall, ToolEffect, ToolError, ToolFinished, ToolJson, ToolText
from cortex_domain.tool_plan import ToolTerms
from cortex_domain.tool_policy import ToolPermission, ToolPolicy
from cortex_entrypoints import Settings, open_cortex
from cortex_entrypoints.cli import findings
from cortex_entrypoints.cli.findings import Verdict
from cortex_entrypoints.container.code_tools import build_code_executor

LET = ToolTerms(policies=(ToolPolicy(tools={"run_python": ToolPermission.ALLOW}),))


def settings(**values: Any) -> Settings:
    return Settings(default_model="fake/echo", enable_code_execution=True, **values)


async def run(given: Settings, code: str, terms: ToolTerms = LET) -> ToolFinished:
    async with open_cortex(given) as cortex:
        assert "code_execution" in cortex.features
        call = ToolCall(id="c1", name="run_python", arguments={"code": code})
        async with cortex.execute_tools([call], terms) as events:
            finished = [event async for event in events][-1]
    assert isinstance(finished, ToolFinished)
    return finished


async def test_code_is_run() -> None:
    finished = await run(settings(), "sum(range(10))")
    assert finished.content == (ToolJson(value=45),)


async def test_the_limits_are_those_of_the_settings() -> None:
    late = await run(settings(code_timeout_s=0.1), "while True:\n    pass")
    assert late.error is not None
    assert late.error.code == "timed_out"
    large = await run(settings(code_memory_mb=32), "x = 'x' * 40_000_000")
    assert large.error is not None
    assert large.error.code == "memory_exceeded"


async def test_a_person_is_asked_first() -> None:
    async with open_cortex(settings()) as cortex:
        terms = ToolTerms(policies=(cortex.tool_policy,))
    finished = await run(settings(), "1", terms)
    assert isinstance(finished.error, ToolError)
    assert finished.error.code == "approval_required"


async def test_without_the_setting_there_is_nothing() -> None:
    async with open_cortex(Settings(default_model="fake/echo")) as cortex:
        assert await cortex.tool_provider.list_tools() == []
        assert "code_execution" not in cortex.features


async def test_without_monty_nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydantic_monty", None)
    with pytest.raises(CodeExecutorUnavailableError, match=r"pip install 'cortex-platform\[code\]'"):
        async with open_cortex(settings()):
            pass


async def test_the_doctor_says_whether_code_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    async def look() -> dict[str, findings.Finding]:
        return {finding.subject: finding async for finding in findings.find_all(settings())}

    assert (await look())["code"].verdict is Verdict.GOOD
    monkeypatch.setitem(sys.modules, "pydantic_monty", None)
    found = await look()
    assert found["code"].verdict is Verdict.BROKEN
    assert "pip install" in found["code"].fact
    assert found["engine"].verdict is Verdict.GOOD


async def test_on_macos_the_process_needs_nono(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setitem(sys.modules, "nono_py", None)
    with pytest.raises(CodeExecutorUnavailableError, match="nono-py"):
        build_code_executor(settings(code_executor="process"))


async def test_code_reads_the_workspace_where_tools_do(tmp_path: Path) -> None:
    workspace = tmp_path / "new"
    given = settings(enable_file_operations=True, workspace_dir=workspace)
    async with open_cortex(given) as cortex:
        (tool,) = [tool for tool in await cortex.tool_provider.list_tools() if tool.name == "run_python"]
        assert ToolEffect.READS_LOCAL in tool.effects
        (workspace / "note.txt").write_text("kept")
    assert (await run(given, "open('/workspace/note.txt').read()")).content == (ToolText(text="kept"),)
    without = await run(settings(workspace_dir=workspace), "open('/workspace/note.txt').read()")
    assert without.status == "error"


async def test_code_calls_the_tools_that_nobody_is_asked_about(tmp_path: Path) -> None:
    given = settings(enable_file_operations=True, workspace_dir=tmp_path)
    (tmp_path / "note.txt").write_text("one\ntwo\n")
    reads = ToolPolicy(tools={"run_python": ToolPermission.ALLOW}, allowed_after_untrusted=frozenset({"read_file"}))
    code = "[read_file('note.txt', start=2), read_file(path='note.txt', start=1, end=1)]"
    read = await run(given, code, ToolTerms(policies=(reads,)))
    assert read.error is None
    assert "two" in str(read.content)
    assert "one" in str(read.content)
    assert not read.is_trusted
    assert (await run(given, "write_file('note.txt', 'x')")).status == "error"
    assert (tmp_path / "note.txt").read_text() == "one\ntwo\n"


async def test_a_companion_that_fails_raises_inside_the_code(tmp_path: Path) -> None:
    given = settings(enable_file_operations=True, workspace_dir=tmp_path)
    code = "try:\n    read_file('none.txt')\nexcept Exception as error:\n    print('told:', error)"
    finished = await run(given, code)
    assert finished.error is None
    assert "told:" in str(finished.content)
    assert "none.txt" in str(finished.content)
    too_many = await run(given, "read_file('a', 1, 2, 3, 4, 5)")
    assert too_many.error is not None
    assert "arguments" in too_many.error.message
    twice = await run(given, "read_file('a', path='b')")
    assert twice.error is not None
    assert "twice" in twice.error.message


async def test_a_workspace_that_cannot_be_made_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    given = settings(enable_file_operations=True, workspace_dir=tmp_path / "file" / "new")
    with pytest.raises(CodeExecutorUnavailableError, match="cannot be opened"):
        async with open_cortex(given):
            pass


@pytest.mark.skipif(sys.platform != "linux", reason="it is for Linux")
def test_without_bubblewrap_no_process_runs_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(CodeExecutorUnavailableError, match="bubblewrap"):
        build_code_executor(settings(code_executor="process"))

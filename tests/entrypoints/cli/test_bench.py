import asyncio
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.entrypoints.bench.openai_stub import openai_stub

CortexCommand = Callable[..., subprocess.CompletedProcess[str]]

SHORT = ("--repeats", "2", "--max-tokens", "8")


def test_cortex_in_process_is_measured(cortex_command: CortexCommand, tmp_path: Path) -> None:
    ended = cortex_command("bench", "--concurrency", "1,3", *SHORT, "--json", "report.json")
    assert ended.returncode == 0, ended.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert [(result["clients"], result["requests"], result["failed_requests"]) for result in report["results"]] == [
        (1, 2, 0),
        (3, 6, 0),
    ]
    assert all(result["completion_tokens"] == 8 for result in report["results"])
    assert all(result["tokens_per_s"] > 0 for result in report["results"])
    assert "cortex in process" in ended.stdout
    assert report["machine"]["cores"] >= 1
    assert report["ratios"] == []


def test_prompts_are_as_long_as_asked(cortex_command: CortexCommand, tmp_path: Path) -> None:
    cortex_command("bench", "--concurrency", "2", *SHORT, "--prompt-tokens", "120", "--json", "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["results"][0]["prompt_tokens"] == 120


def test_a_log_gets_a_line_for_each_round(cortex_command: CortexCommand) -> None:
    lines = cortex_command("bench", "--concurrency", "1,3", *SHORT, "--prefix", "both").stderr.splitlines()
    assert len(lines) == 12  # two numbers of clients, two prefixes, a warm-up and two repeats
    assert lines[0].startswith("1 client, cold, warm-up")
    assert lines[-1].startswith("3 clients, warm, repeat 2")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--concurrency", "0"],
        ["--concurrency", "many"],
        ["--concurrency", "2,2"],
        ["--prefix", "warm", "--prefix-tokens", "0"],
        ["127.0.0.1:8000"],
        ["http://127.0.0.1:port"],
        ["http://name:secret@127.0.0.1:8000"],
        ["--api-key", "sesame"],
        ["--dialect", "openai"],
        ["http://127.0.0.1:1", "--compare", "http://127.0.0.1:1/v1#other"],
        ["--repeats", "0"],
        ["--dialect", "french"],
        ["--plot", "plot.png"],
        ["--plot", "nowhere/plot.svg"],
        ["--json", "nowhere/report.json"],
    ],
)
def test_wrong_usage_exits_with_2(cortex_command: CortexCommand, arguments: list[str]) -> None:
    ended = cortex_command("bench", *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "Error" in ended.stderr


def test_a_server_that_is_not_there_is_one_line(cortex_command: CortexCommand) -> None:
    ended = cortex_command("bench", "http://127.0.0.1:9")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("cortex: http://127.0.0.1:9 cannot be reached")
    assert ended.stderr.count("\n") == 1


def test_a_model_that_is_not_there_is_one_line(cortex_command: CortexCommand) -> None:
    ended = cortex_command("bench", "--model", "fake/nobody")
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert "fake/nobody" in ended.stderr


async def test_servers_are_compared_in_turns(cortex_command: CortexCommand, tmp_path: Path) -> None:
    async with openai_stub() as first, openai_stub(counts_tokens=False) as second:
        arguments = (f"{first.url}#one", "--compare", f"{second.url}/v1#other", "--concurrency", "1,2", *SHORT)
        ended = await asyncio.to_thread(cortex_command, "bench", *arguments, "--json", "report.json")
    assert ended.returncode == 0, ended.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert [target["name"] for target in report["targets"]] == [first.url, second.url]
    assert [(ratio["clients"], ratio["against"]) for ratio in report["ratios"]] == [(1, second.url), (2, second.url)]
    assert [result["tokens_are_counted"] for result in report["results"]] == [True, False] * 2
    assert "each piece of text counts as one" in ended.stdout
    assert "Answers differ in length" in ended.stdout  # one counts 6 tokens, of the other 5 are seen
    assert [body["messages"] for body in first.bodies[1:4]] == [body["messages"] for body in second.bodies[1:4]]
    assert (first.bodies[0]["model"], second.bodies[0]["model"]) == ("one", "other")


def test_warm_and_cold_prefixes_are_compared_and_drawn(cortex_command: CortexCommand, tmp_path: Path) -> None:
    arguments = ("--prefix", "both", "--prefix-tokens", "50", "--concurrency", "1,2", *SHORT)
    ended = cortex_command("bench", *arguments, "--json", "report.json", "--plot", "plot.svg")
    report = json.loads((tmp_path / "report.json").read_text())
    assert [(ratio["clients"], ratio["prefix"], ratio["against_prefix"]) for ratio in report["ratios"]] == [
        (1, "warm", "cold"),
        (2, "warm", "cold"),
    ]
    assert {result["prompt_tokens"] for result in report["results"]} == {130}
    assert "warm / cold" in ended.stdout
    drawn = ET.fromstring((tmp_path / "plot.svg").read_text())
    legend = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")][-2:]
    assert legend == ["cortex in process, cold prefix", "cortex in process, warm prefix"]


async def test_failed_requests_are_counted_shown_and_exit_with_1(cortex_command: CortexCommand, tmp_path: Path) -> None:
    async with openai_stub(healthy_chats=4) as stub:
        arguments = (stub.url, "--concurrency", "2", *SHORT, "--json", "report.json")
        ended = await asyncio.to_thread(cortex_command, "bench", *arguments)
    assert ended.returncode == 1
    (result,) = json.loads((tmp_path / "report.json").read_text())["results"]
    assert (result["requests"], result["failed_requests"]) == (4, 3)
    assert result["errors"] == {"status 503: out of order": 3}
    assert "3 of 4 failed at 2 clients" in ended.stdout
    assert ended.stderr.splitlines()[-1] == "cortex: 3 requests failed; the figures leave them out."


async def test_a_server_that_refuses_at_once_is_not_measured(cortex_command: CortexCommand) -> None:
    async with openai_stub(healthy_chats=0) as stub:
        ended = await asyncio.to_thread(cortex_command, "bench", stub.url)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"cortex: {stub.url} cannot answer: status 503: out of order\n"


async def test_the_report_does_not_hold_the_key(cortex_command: CortexCommand, tmp_path: Path) -> None:
    async with openai_stub() as stub:
        arguments = (stub.url, "--concurrency", "1", *SHORT, "--api-key=sesame", "--json", "report.json")
        await asyncio.to_thread(cortex_command, "bench", *arguments)
    report = (tmp_path / "report.json").read_text()
    assert "--api-key=***" in report
    assert "sesame" not in report

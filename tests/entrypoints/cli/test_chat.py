import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cortex_entrypoints.cli.chat import _until_interrupted
from cortex_entrypoints.cli.conversation import _write
from tests.entrypoints.cli.terminal import Terminal

CortexCommand = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def chat_terminal(cli_environment: dict[str, str]) -> Iterator[Terminal]:
    terminal = Terminal(["chat"], cli_environment | {"TERM": "dumb"})
    terminal.wait_for("> ")
    yield terminal
    terminal.close()


def test_the_answer_is_all_that_is_printed(cortex_command: CortexCommand) -> None:
    ended = cortex_command("chat", "Say this again")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "Say this again\n", "")


def test_what_is_piped_in_belongs_to_the_question(cortex_command: CortexCommand) -> None:
    assert cortex_command("chat", stdin="from a file\n").stdout == "from a file\n"
    assert cortex_command("chat", "Sum up:", stdin="from a file\n").stdout == "Sum up:\n\nfrom a file\n"


def test_nothing_to_ask_is_wrong_usage(cortex_command: CortexCommand) -> None:
    ended = cortex_command("chat", stdin=" \n")
    assert ended.returncode == 2
    assert "nothing to ask" in ended.stderr


def test_options_reach_the_model(cortex_command: CortexCommand) -> None:
    ended = cortex_command("chat", "one two three", "--max-tokens", "2", "--temperature", "0", "--seed", "7")
    assert (ended.returncode, ended.stdout) == (0, "one two\n")


def test_the_longest_answer_comes_from_the_settings(cortex_command: CortexCommand) -> None:
    assert cortex_command("chat", "one two three", DEFAULT_MAX_TOKENS="1").stdout == "one\n"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--temperature", "3"], "temperature must be at least 0 and at most 2, not 3.0."),
        (["--model", "fake/nobody"], "There is no model named 'fake/nobody'."),
        (["--model", "../etc"], "'../etc' cannot name a model."),
    ],
)
def test_a_refusal_is_one_line_and_exits_with_1(
    cortex_command: CortexCommand, options: list[str], problem: str
) -> None:
    ended = cortex_command("chat", "hello", *options)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"cortex: {problem}")
    assert ended.stderr.count("\n") == 1


def test_a_model_that_is_not_here_is_fetched_first(cortex_command: CortexCommand) -> None:
    ended = cortex_command("chat", "hello", "--model", "parrot")
    assert (ended.stdout, ended.stderr) == ("hello\n", "fake/parrot is here.\n")


def test_a_conversation_goes_on_until_the_person_leaves(chat_terminal: Terminal, tmp_path: Path) -> None:
    chat_terminal.type("first words")
    chat_terminal.wait_for("first words\r\nfirst words\r\n> ")
    chat_terminal.type("")
    chat_terminal.wait_for("> ")
    chat_terminal.type("/clear")
    chat_terminal.wait_for("> ")
    chat_terminal.type("/exit")
    assert chat_terminal.process.wait(60) == 0
    history = tmp_path / "state" / "cortex" / "chat_history"
    assert history.read_text().split("\n")[-4:] == ["first words", "/clear", "/exit", ""]
    assert history.stat().st_mode & 0o077 == 0


def test_what_was_said_counts_until_it_is_cleared(chat_terminal: Terminal) -> None:
    """The echo model's window holds 4,096 tokens, so a few long turns fill it."""
    long_line = "word " * 700
    for _ in range(2):
        chat_terminal.type(long_line)
        chat_terminal.wait_for("\r\n> ")
    chat_terminal.type(f"{long_line} {long_line}")
    chat_terminal.wait_for("the context window holds 4096")
    chat_terminal.wait_for("> ")
    chat_terminal.type("/clear")
    chat_terminal.wait_for("> ")
    chat_terminal.type("short")
    chat_terminal.wait_for("short\r\nshort\r\n> ")


def test_the_end_of_input_leaves(chat_terminal: Terminal) -> None:
    os.write(chat_terminal._controller, b"\x04")
    assert chat_terminal.process.wait(60) == 0


def test_ctrl_c_at_the_prompt_leaves(chat_terminal: Terminal) -> None:
    for _ in range(12):  # Python misses one that comes after the prompt is printed and before it waits for a key
        chat_terminal.process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            chat_terminal.process.wait(5)
            break
    assert chat_terminal.process.returncode == 130


async def test_ctrl_c_cancels_the_answer_and_only_that() -> None:
    was_cancelled = False

    async def answer() -> None:
        nonlocal was_cancelled
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            was_cancelled = True
            raise

    asyncio.get_running_loop().call_later(0.01, os.kill, os.getpid(), signal.SIGINT)
    await _until_interrupted(answer())
    assert was_cancelled


async def test_a_failed_answer_fails_after_all() -> None:
    async def answer() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await _until_interrupted(answer())


def test_an_answer_cannot_steer_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    _write("\x1b]0;title\x07plain\ttext\n\x9b31m\x7f")
    assert capsys.readouterr().out == "]0;titleplain\ttext\n31m"


@pytest.mark.real_model
def test_lora_weights_that_are_not_there_are_refused(cortex_command: CortexCommand) -> None:
    cache = str(Path(__file__).parents[3] / ".cache" / "models")
    options = ("--lora-weights", "nowhere", "--max-tokens", "1")
    ended = cortex_command("chat", "Hello", *options, DEFAULT_MODEL="starter", MODEL_CACHE_DIR=cache)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "lora_weights: there is no adapter_config.json" in ended.stderr

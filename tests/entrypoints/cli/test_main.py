import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CortexCommand = Callable[..., subprocess.CompletedProcess[str]]

HEAVY = {"asyncio", "dependency_injector", "httpx2", "huggingface_hub", "mlx", "mlx_lm", "numpy", "psutil", "pydantic"}
HEAVY |= {"pydantic_settings", "quart", "readline", "rich", "transformers", "cortex_adapters", "cortex_domain"}

LIST_MODULES = """
import json, sys
from cortex_entrypoints.cli.main import main
try:
    main()
finally:
    print(json.dumps(list(sys.modules)), file=sys.stderr)
"""


def imported_by(arguments: list[str], environment: dict[str, str]) -> set[str]:
    command = [sys.executable, "-c", LIST_MODULES, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)
    return set(json.loads(ended.stderr.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str], cli_environment: dict[str, str]) -> None:
    assert imported_by(arguments, cli_environment) & HEAVY == set()


@pytest.mark.parametrize("arguments", [["models", "--help"], ["chat", "--help"], ["models", "show", "--help"]])
def test_help_of_a_command_imports_no_more_than_typer_does(
    arguments: list[str], cli_environment: dict[str, str]
) -> None:
    assert imported_by(arguments, cli_environment) & HEAVY <= {"pydantic"}


def test_the_help_names_every_command(cortex_command: CortexCommand) -> None:
    shown = cortex_command("--help").stdout
    assert all(name in shown for name in ("serve", "chat", "models", "doctor", "version"))


def test_the_version_has_two_spellings(cortex_command: CortexCommand) -> None:
    option, command = cortex_command("--version"), cortex_command("version")
    assert option.stdout == command.stdout
    assert option.stdout.startswith("cortex ")


@pytest.mark.parametrize("arguments", [["no-such-command"], ["models", "show"], ["chat", "--max-tokens", "many", "hi"]])
def test_wrong_usage_exits_with_2(cortex_command: CortexCommand, arguments: list[str]) -> None:
    ended = cortex_command(*arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "Error" in ended.stderr


@pytest.mark.parametrize("command", [["serve"], ["chat", "hi"], ["models", "list"], ["doctor"]])
def test_a_bad_setting_is_one_line_and_exits_with_2(cortex_command: CortexCommand, command: list[str]) -> None:
    ended = cortex_command(*command, PORT="99999")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "cortex: PORT='99999' is not allowed; it must be a whole number from 0 to 65535.\n"


def test_settings_are_checked_before_mlx_is_loaded(cli_environment: dict[str, str]) -> None:
    environment = cli_environment | {"DEFAULT_MODEL": "starter", "PORT": "-1"}
    assert imported_by(["models", "list"], environment) & {"mlx", "mlx_lm", "transformers"} == set()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_output_that_cannot_be_written_is_one_line(cli_environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "cortex_entrypoints.cli.main", "chat", "hello"]
    environment = cli_environment | {"DEFAULT_MODEL": "fake/echo"}
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env=environment,
            timeout=60,
        )
    assert ended.returncode == 1
    assert ended.stderr == "cortex: [Errno 28] No space left on device\n"

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CortexCommand = Callable[..., subprocess.CompletedProcess[str]]

RAW_SERVER = Path(__file__).parents[2] / "adapters" / "mcp" / "raw_server.py"

WITHOUT_SDK = "import sys; sys.modules['mcp'] = None; from cortex_entrypoints.cli.main import main; main()"


def configuration(tmp_path: Path, *modes: str) -> Path:
    args = ["-S", "-E", str(RAW_SERVER)]
    servers = {mode: {"command": sys.executable, "args": [*args, mode]} for mode in modes}
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": servers}))
    return path


def test_servers_and_their_tools_are_listed(
    cortex_command: CortexCommand, tmp_path: Path, cli_environment: dict[str, str]
) -> None:
    cli_environment["MCP_CONFIG"] = str(configuration(tmp_path, "well", "exits"))
    ended = cortex_command("mcp", "list")
    header, well, exits = (line.split("\t") for line in ended.stdout.splitlines())
    assert header == ["SERVER", "STATE", "TOOLS", "PROBLEM"]
    assert well[:2] == ["well", "ready"]
    assert "well__echo" in well[2].split(",")
    assert exits[:3] == ["exits", "waiting", ""]
    assert "no such database" in exits[3]
    assert ended.returncode == 1


def test_without_a_configuration_there_is_nothing_to_list(cortex_command: CortexCommand) -> None:
    ended = cortex_command("mcp", "list")
    assert (ended.returncode, ended.stderr) == (
        2,
        "cortex: MCP_CONFIG is not set; it names the file of the MCP servers.\n",
    )


def test_other_commands_start_no_servers(
    cortex_command: CortexCommand, cli_environment: dict[str, str], tmp_path: Path
) -> None:
    cli_environment["MCP_CONFIG"] = str(tmp_path / "nothing.json")
    assert cortex_command("models", "list").returncode == 0


@pytest.mark.parametrize(
    ("command", "variable"),
    [(["mcp", "list"], "MCP_CONFIG"), (["serve"], "MCP_CONFIG"), (["serve"], "ENABLE_MCP_SERVER")],
)
def test_without_the_sdk_it_is_said_what_to_install(
    command: list[str], variable: str, cli_environment: dict[str, str], tmp_path: Path
) -> None:
    value = str(configuration(tmp_path, "well")) if variable == "MCP_CONFIG" else "true"
    environment = {**cli_environment, variable: value, "PORT": "0"}
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_SDK, *command],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=tmp_path,
        timeout=60,
    )
    assert ended.returncode == 2
    [line] = ended.stderr.splitlines()
    assert line.startswith(f"cortex: {variable} needs a package that is not installed")
    assert line.endswith("pip install 'cortex-platform[mcp]'")

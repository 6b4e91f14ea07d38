"""What an mcp.json may say, and how it is refused."""

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from cortex_adapters.mcp import (
    HttpConnection,
    McpConfigurationError,
    McpServer,
    StdioConnection,
    ToolWord,
    read_mcp_configuration,
)
from cortex_domain.tool_execution import ToolEffect


def read(tmp_path: Path, servers: Any, environment: dict[str, str] | None = None) -> tuple[McpServer, ...]:
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": servers}))
    return read_mcp_configuration(path, environment or {})


def test_both_kinds_of_servers_are_read(tmp_path: Path) -> None:
    notes = {"command": "notes", "args": ["--root", "${ROOT}/n"], "env": {"KEY": "${KEY:-none}"}, "cwd": "/tmp"}
    tickets = {"type": "http", "url": "https://${HOST}/mcp", "headers": {"Authorization": "Bearer ${TOKEN}"}}
    servers = read(tmp_path, {"notes": notes, "tickets": tickets}, {"ROOT": "/r", "HOST": "h.example", "TOKEN": "t"})
    assert [server.connection for server in servers] == [
        StdioConnection(command="notes", args=("--root", "/r/n"), env={"KEY": "none"}, cwd="/tmp"),
        HttpConnection(url="https://h.example/mcp", headers={"Authorization": "Bearer t"}),
    ]
    assert servers[0].effects == {ToolEffect.NETWORK, ToolEffect.WRITES_LOCAL}
    assert not servers[0].is_trusted


def test_the_operator_says_what_to_think_of_a_server(tmp_path: Path) -> None:
    entry = {
        "command": "notes",
        "timeout_s": 5,
        "effects": ["reads_local"],
        "trusted": True,
        "trust_annotations": True,
        "tools": {"search": {"effects": [], "idempotent": True, "timeout_s": 1.5}},
    }
    [server] = read(tmp_path, {"notes": entry, "off": {"type": "sse", "url": "x", "disabled": True}})
    assert server.timeout_s == 5
    assert server.effects == frozenset({ToolEffect.READS_LOCAL})
    assert server.is_trusted
    assert server.trusts_annotations
    assert server.tools == {"search": ToolWord(effects=frozenset(), idempotent=True, timeout_s=1.5)}


@pytest.mark.parametrize(
    ("entry", "names"),
    [
        ({}, "command or a url"),
        ({"command": "a", "url": "http://b"}, "command or a url"),
        ({"command": ""}, "a.command"),
        ({"url": "file:///etc/passwd"}, "a.url"),
        ({"command": "a", "type": "http"}, "does not fit"),
        ({"url": "http://a", "type": "sse"}, "a.type"),
        ({"command": "a", "args": "b"}, "a.args"),
        ({"command": "a", "env": {"B": 1}}, "a.env.B"),
        ({"command": "a", "timeout_s": 0}, "a.timeout_s"),
        ({"command": "a", "effects": ["flies"]}, "a.effects"),
        ({"command": "a", "tools": {"t": {"efects": []}}}, "a.tools.t.efects"),
        ({"command": "${NOWHERE}"}, "NOWHERE"),
        ([], "a"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, entry: Any, names: str) -> None:
    with pytest.raises(McpConfigurationError, match=names) as raised:
        read(tmp_path, {"a": entry})
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["", "[]", "{", "{}", "\xff", '{"mcpServers": []}', '{"servers": {}}', "[" * 100_000])
def test_what_is_no_configuration_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mcp.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(McpConfigurationError, match=r"mcp\.json"):
        read_mcp_configuration(path, {})


def test_a_missing_or_endless_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(McpConfigurationError, match="cannot be read"):
        read_mcp_configuration(tmp_path / "nothing.json", {})
    with pytest.raises(McpConfigurationError, match="longer than"):
        read_mcp_configuration(Path("/dev/zero"), {})


def test_no_secret_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(McpConfigurationError) as raised:
        read(tmp_path, {"a": {"command": "a", "env": {"KEY": ["hush"]}}})
    assert "hush" not in str(raised.value)


def test_keys_of_other_programs_are_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        read(tmp_path, {"a": {"command": "a", "autoApprove": ["x"]}})
    assert "autoApprove" in caplog.text


def test_the_example_of_the_page_can_be_used(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "tools.md").read_text()
    example, cortex = (
        read(tmp_path, json.loads(block)["mcpServers"], {"HOME": "/home/me"})
        for block in re.findall(r"^```json\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
        if "mcpServers" in block
    )
    assert [server.name for server in example] == ["notes", "tickets"]
    assert example[0].tools["read_text_file"].effects == frozenset({ToolEffect.READS_LOCAL})
    assert [server.connection for server in cortex] == [HttpConnection(url="http://127.0.0.1:8000/mcp")]

"""Reads which MCP servers there are from a file in the form that many programs share.

    {"mcpServers": {"notes": {"command": "notes-mcp", "args": ["--root", "${HOME}/notes"]},
                    "tickets": {"url": "https://tickets.example/mcp", "headers": {"Authorization": "Bearer ${TOKEN}"}}}}

The file starts programs, so it comes from whoever runs Cortex and never over the API. Besides the shared keys a server
may say what Cortex should think of its tools: `effects`, `trusted`, `trust_annotations`, `timeout_s` and, for each tool
by its name, `tools`.
"""

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator

from cortex_domain.tool_execution import DEFAULT_TOOL_TIMEOUT_S, ToolEffect

logger = logging.getLogger(__name__)

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(:-(?P<default>[^}]*))?\}")
_MAX_FILE_BYTES = 1_000_000


class McpConfigurationError(ValueError):
    """The file cannot be used; the message is one line and says what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StdioConnection:
    """A program that speaks MCP over its standard input and output.

    Attributes:
        command: The program.
        args: Its arguments.
        env: Its environment, besides the little that every program needs.
        cwd: Its working directory; None is that of Cortex.
    """

    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, hash=False)
    cwd: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpConnection:
    """A server that speaks MCP over streamable HTTP.

    Attributes:
        url: Its address.
        headers: Sent with every request, to this server only.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)


_Effects = Annotated[frozenset[Annotated[ToolEffect, Field(strict=False)]], Field(strict=False)]


class ToolWord(BaseModel):
    """What the operator says of one tool; None leaves it to what is said of the server.

    Attributes:
        effects: What using it may do.
        idempotent: Using it again changes nothing more.
        concurrent: It may run beside other calls.
        timeout_s: Seconds after which a use of it is given up.
        disabled: It is not offered.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    effects: _Effects | None = None
    idempotent: bool | None = None
    concurrent: bool | None = None
    timeout_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    disabled: bool = False


DEFAULT_EFFECTS = frozenset({ToolEffect.NETWORK, ToolEffect.WRITES_LOCAL})
"""What a tool of a foreign program is taken to do while nobody says otherwise, so that a person is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class McpServer:
    """One server, and what its operator thinks of it.

    Attributes:
        name: Its name in the file.
        connection: How to reach it.
        effects: What its tools may do.
        is_trusted: Its results are the operator's own word.
        trusts_annotations: What it says itself of its tools' effects is believed.
        timeout_s: Seconds after which a use of one of its tools is given up.
        tools: What is said of single tools, by the names that the server gives them.
    """

    name: str
    connection: StdioConnection | HttpConnection
    effects: frozenset[ToolEffect] = DEFAULT_EFFECTS
    is_trusted: bool = False
    trusts_annotations: bool = False
    timeout_s: float = DEFAULT_TOOL_TIMEOUT_S
    tools: Mapping[str, ToolWord] = field(default_factory=dict, hash=False)


class _ServerEntry(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)

    command: Annotated[str, Field(min_length=1)] | None = None
    args: list[str] = []
    env: dict[str, str] = {}
    cwd: str | None = None
    url: str | None = None
    headers: dict[str, str] = {}
    type: Literal["stdio", "http", "streamable-http", "streamable_http"] | None = None
    disabled: bool = False
    timeout_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] = DEFAULT_TOOL_TIMEOUT_S
    effects: _Effects = DEFAULT_EFFECTS
    trusted: bool = False
    trust_annotations: bool = False
    tools: dict[str, ToolWord] = {}

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str | None) -> str | None:
        if url is not None and not re.match(r"https?://[^/\s]", url):
            raise ValueError("must begin with http:// or https://")
        return url

    @model_validator(mode="after")
    def _is_one_kind(self) -> "_ServerEntry":
        if (self.command is None) == (self.url is None):
            raise ValueError("needs either a command or a url")
        if self.type is not None and (self.type == "stdio") != (self.command is not None):
            raise ValueError("has a type that does not fit: stdio goes with a command, http with a url")
        return self


class _File(BaseModel):
    servers: dict[str, _ServerEntry] = Field(alias="mcpServers")

    @field_validator("servers", mode="before")
    @classmethod
    def _without_disabled(cls, servers: Any) -> Any:  # noqa: ANN401 - whatever the file says
        """What is switched off may be of a kind that only other programs know."""
        if not isinstance(servers, dict):
            return servers
        return {name: entry for name, entry in servers.items() if not _is_disabled(entry)}


def _is_disabled(entry: object) -> bool:
    return isinstance(entry, dict) and entry.get("disabled") is True


_ANY_JSON = TypeAdapter(dict[str, Any])


def read_mcp_configuration(path: Path, environment: Mapping[str, str] | None = None, /) -> tuple[McpServer, ...]:
    """Reads the servers that are not disabled, in the file's order.

    Args:
        path: The file.
        environment: What `${NAME}` and `${NAME:-default}` stand for; None is that of this process.

    Raises:
        McpConfigurationError: The file cannot be read or says what is not allowed, or a variable is not set.
    """
    document = _ANY_JSON.validate_python(_parsed(path))
    entries = _validated(path, document)
    return tuple(
        _server(name, entry, os.environ if environment is None else environment) for name, entry in entries.items()
    )


def _parsed(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_FILE_BYTES + 1)
    except OSError as exc:
        raise McpConfigurationError(f"{path} cannot be read: {exc.strerror}.") from exc
    if len(data) > _MAX_FILE_BYTES:
        raise McpConfigurationError(f"{path} is longer than {_MAX_FILE_BYTES} bytes.")
    try:
        return _ANY_JSON.validate_json(data)
    except ValidationError as exc:
        raise McpConfigurationError(f"{path} is not a JSON object: {exc.errors()[0]['msg']}.") from exc


def _validated(path: Path, document: dict[str, Any]) -> dict[str, _ServerEntry]:
    try:
        entries = _File.model_validate(document).servers
    except ValidationError as exc:
        error = exc.errors(include_url=False, include_input=False)[0]  # inputs may be secrets
        where = ".".join(str(part) for part in error["loc"]) or "mcpServers"
        raise McpConfigurationError(f"{path}: {where}: {error['msg']}.") from exc
    for name, entry in entries.items():
        if entry.model_extra:
            logger.warning("%s: Cortex does not know %s of the server %r", path, sorted(entry.model_extra), name)
    return entries


def _server(name: str, entry: _ServerEntry, environment: Mapping[str, str]) -> McpServer:
    return McpServer(
        name=name,
        connection=_connection(name, entry, environment),
        effects=entry.effects,
        is_trusted=entry.trusted,
        trusts_annotations=entry.trust_annotations,
        timeout_s=entry.timeout_s,
        tools=entry.tools,
    )


def _connection(name: str, entry: _ServerEntry, environment: Mapping[str, str]) -> StdioConnection | HttpConnection:
    def expanded(text: str) -> str:
        return _VARIABLE.sub(lambda match: _value(name, match, environment), text)

    if entry.url is not None:
        headers = {key: expanded(value) for key, value in entry.headers.items()}
        return HttpConnection(url=expanded(entry.url), headers=headers)
    return StdioConnection(
        command=expanded(entry.command or ""),
        args=tuple(expanded(arg) for arg in entry.args),
        env={key: expanded(value) for key, value in entry.env.items()},
        cwd=None if entry.cwd is None else expanded(entry.cwd),
    )


def _value(server: str, match: re.Match[str], environment: Mapping[str, str]) -> str:
    value = environment.get(match["name"]) or match["default"]  # as in a shell, :- also replaces an empty value
    if value is None:
        raise McpConfigurationError(
            f"The MCP server {server!r} needs the environment variable {match['name']}, which is not set."
        )
    return value

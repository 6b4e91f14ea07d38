"""Settings, read from the environment and from `.env` in the working directory; the environment wins.

A field's description says what is allowed: the error line of a bad value quotes it.
"""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from cortex_domain import CortexError, parse_model_id
from cortex_domain.tools import TOOL_NAME_PATTERN

_ENV_FILE = ".env"
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?|https?://\[[0-9a-f:.]+\](:\d{1,5})?")
_HOST_NAME = re.compile(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]")
_HOST_AND_PORT = re.compile(r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(:\d{1,5})?")
_API_KEY = re.compile(r"[!-~]{1,500}")
_LONGEST_SHOWN_VALUE = 80
_KEYS_END_WITH = "_api_key"
"""What the names of settings end with whose values are never shown."""


class SettingsError(ValueError):
    """A setting has a value that is not allowed. The message is one line, fit for a terminal.

    Attributes:
        variable: Name of the environment variable, or `.env` when that file cannot be read.
    """

    def __init__(self, message: str, *, variable: str) -> None:
        super().__init__(message)
        self.variable = variable


def _split_list(value: object) -> object:
    if not isinstance(value, str):
        return value
    return [item.strip() for item in value.split(",") if item.strip()]


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _origin(value: str) -> str:
    return _matching(_ORIGIN, value.lower())


def _host_name(value: str) -> str:
    return _matching(_HOST_NAME, value.lower())


def _host_and_port(value: str) -> str:
    return _matching(_HOST_AND_PORT, value.lower())


def _api_key(value: SecretStr) -> SecretStr:
    _matching(_API_KEY, value.get_secret_value())
    return value


def _matching(pattern: re.Pattern[str], value: str) -> str:
    if not pattern.fullmatch(value):
        raise ValueError("does not match")
    return value


def _model_id(value: str) -> str:
    try:
        return parse_model_id(value)
    except CortexError as exc:
        raise ValueError(exc.message) from exc


def _whole_number(value: object) -> object:
    if isinstance(value, str) and "_" in value:
        raise ValueError("digits only")
    return value


def _narrow_directory(value: Path) -> Path:
    """Refuses what nobody means to hand over as a whole, also when a link leads there."""
    directory = value.expanduser()
    if directory.resolve() in (Path(directory.resolve().anchor), Path.home().resolve()):
        raise ValueError("too wide")
    return directory


ApiKey = Annotated[
    Annotated[SecretStr, AfterValidator(_api_key)] | None, Field(description="a key without spaces and line breaks")
]
Flag = Annotated[bool, Field(description="true or false")]

ToolNames = Annotated[
    tuple[Annotated[str, Field(pattern=TOOL_NAME_PATTERN)], ...],
    NoDecode,
    BeforeValidator(_split_list),
    Field(description="names of effects or tools, separated by commas"),
]


class Settings(BaseSettings):
    """Everything that can be set. Each attribute is the environment variable of the same name in capitals.

    Attributes:
        host: Address that the server listens on.
        port: TCP port that the server listens on; 0 lets the system choose one.
        debug: Adds tracebacks to the log of refused requests, and lets logs quote what people wrote.
        environment: Where this runs.
        allowed_origins: Web origins that may call the API from a browser; empty allows none but the server's own.
        allowed_hosts: Host names that the server answers to besides those of its own address, without ports.
        default_model: Id or alias of the model that answers when a request names none; None chooses by device.
        model_cache_dir: Directory of the models.
        data_dir: Directory of what Cortex keeps of its own: agents that programs put there, and what agents did.
        agents_dir: Directory of the agents that people wrote, one TOML file each; it need not exist.
        lora_dir: Directory of the LoRA weights that clients of the server may load; a program that embeds Cortex may
            load any.
        keep_alive_s: Seconds without a request after which a model is unloaded; None keeps it until another model needs
            its memory.
        pinned_models: Ids and aliases of models that stay loaded until somebody unloads them by name.
        memory_limit_bytes: Memory that models and their caches may take together, in bytes; None leaves it to what the
            device has free.
        prefix_cache_memory_bytes: Memory that computed prompts may take, so that what begins alike is computed once; 0
            keeps none, None leaves it to the device.
        prefix_cache_disk_bytes: Disk that computed prompts may take, so that they outlive a restart; 0 keeps none.
        prefix_cache_dir: Directory of computed prompts, one engine's own; None is one below `model_cache_dir`.
        default_max_tokens: Longest answer when a request does not say, in tokens.
        default_temperature: Sampling temperature when an HTTP request or a command does not say. A program that embeds
            Cortex says it in its `SamplingParameters`.
        default_top_p: Nucleus sampling share, likewise.
        enable_web_search: Lets models search the web and read its pages.
        web_search_providers: Services to search by, the preferred first; none takes all that can be used.
        searxng_url: Address of an instance of SearXNG; None does without.
        brave_api_key: Key of Brave's search; None does without, as for the next two.
        tavily_api_key: Key of Tavily.
        exa_api_key: Key of Exa.
        web_fetch_allowed_hosts: Hosts, each with a port or for all ports, whose pages may be read although they are
            not public.
        enable_code_execution: Lets models run code in a sandbox.
        code_executor: What runs it: `monty`, a part of Python, or `process`, all of it.
        code_python: Directory of the virtual environment that `process` takes Python and packages from; None takes the
            Python that Cortex runs on, without packages.
        code_timeout_s: Seconds that a run of code may take.
        code_memory_mb: Megabytes that it may take.
        enable_file_operations: Lets models read and write the workspace.
        workspace_dir: Directory of the files that models work on; created when it is first needed.
        enable_agents: Serves agents.
        tools_allow: Effects and names of tools that are used without asking.
        tools_ask: Those for which a person is asked.
        tools_deny: Those that are not used.
        tools_allow_after_untrusted: Names of tools that may be used without asking after the model has read what others
            wrote.
        enable_mcp_server: Serves Cortex's tools and a chat to other programs over MCP, at `/mcp`.
        mcp_config: File of the MCP servers whose tools are offered; None offers none.
        log_level: Least severity that is logged.
        log_format: How log lines look: `text` for a person, `json` for a program.
        otel_instrumentation_genai_capture_message_content: Whether spans of agent runs hold what tools were told and
            returned; the name is the one that OpenTelemetry has given it.
        shutdown_grace_s: Seconds that running answers have to end after SIGTERM.
        resume_for_s: Seconds for which a streamed answer is kept after its last reader has left; 0 keeps none.
        resume_memory_mb: Megabytes that the events of all streamed answers may take together.
        response_memory_mb: Megabytes that the answers which `/v1/responses` keeps may take together.
    """

    model_config = SettingsConfigDict(
        env_file=_ENV_FILE, extra="ignore", env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:_-]+$", description="an IP address or a host name")] = "127.0.0.1"
    port: Annotated[
        int, BeforeValidator(_whole_number), Field(ge=0, le=65535, description="a whole number from 0 to 65535")
    ] = 8000
    debug: Flag = False
    environment: Annotated[
        Literal["development", "production", "test"],
        BeforeValidator(_lower),
        Field(description="development, production or test"),
    ] = "development"
    allowed_origins: Annotated[
        tuple[Annotated[str, AfterValidator(_origin)], ...],
        NoDecode,
        BeforeValidator(_split_list),
        Field(description="origins separated by commas, each scheme://host or scheme://host:port, without a path"),
    ] = ()
    allowed_hosts: Annotated[
        tuple[Annotated[str, AfterValidator(_host_name)], ...],
        NoDecode,
        BeforeValidator(_split_list),
        Field(description="host names separated by commas, without scheme and port"),
    ] = ()
    default_model: Annotated[
        Annotated[str, AfterValidator(_model_id)] | None,
        Field(description="a model as 'namespace/name', or an alias such as 'starter'"),
    ] = None
    model_cache_dir: Annotated[
        Path,
        AfterValidator(Path.expanduser),
        Field(validate_default=True, description="the path of a directory"),
    ] = Path("~/.cache/mlx-models")
    data_dir: Annotated[
        Path,
        AfterValidator(Path.expanduser),
        Field(validate_default=True, description="the path of a directory"),
    ] = Path("~/.local/share/cortex")
    agents_dir: Annotated[
        Path,
        AfterValidator(Path.expanduser),
        Field(validate_default=True, description="the path of a directory"),
    ] = Path("agents")
    lora_dir: Annotated[
        Path,
        AfterValidator(Path.expanduser),
        Field(validate_default=True, description="the path of a directory"),
    ] = Path("~/.cache/mlx-lora")
    keep_alive_s: Annotated[float | None, Field(ge=0, allow_inf_nan=False, description="seconds, at least 0")] = None
    pinned_models: Annotated[
        tuple[Annotated[str, AfterValidator(_model_id)], ...],
        NoDecode,
        BeforeValidator(_split_list),
        Field(description="models as 'namespace/name', or aliases, separated by commas"),
    ] = ()
    memory_limit_bytes: Annotated[
        Annotated[int, BeforeValidator(_whole_number), Field(ge=0)] | None,
        Field(description="a whole number of bytes, at least 0"),
    ] = None
    prefix_cache_memory_bytes: Annotated[
        Annotated[int, BeforeValidator(_whole_number), Field(ge=0)] | None,
        Field(description="a whole number of bytes, at least 0"),
    ] = None
    prefix_cache_disk_bytes: Annotated[
        int, BeforeValidator(_whole_number), Field(ge=0, description="a whole number of bytes, at least 0")
    ] = 4 * 2**30
    prefix_cache_dir: Annotated[
        Annotated[Path, AfterValidator(Path.expanduser)] | None, Field(description="the path of a directory")
    ] = None
    default_max_tokens: Annotated[
        int, BeforeValidator(_whole_number), Field(ge=1, description="a whole number, at least 1")
    ] = 2048
    default_temperature: Annotated[float, Field(ge=0, le=2, description="a number from 0 to 2")] = 0.7
    default_top_p: Annotated[float, Field(gt=0, le=1, description="a number above 0, at most 1")] = 0.9
    enable_web_search: Flag = False
    web_search_providers: Annotated[
        tuple[Annotated[Literal["searxng", "brave", "tavily", "exa", "ddgs"], BeforeValidator(_lower)], ...],
        NoDecode,
        BeforeValidator(_split_list),
        Field(description="searxng, brave, tavily, exa and ddgs, separated by commas, in the order of preference"),
    ] = ()
    searxng_url: Annotated[
        Annotated[str, Field(pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$")] | None,
        Field(description="the address of an instance, http:// or https://, without a query"),
    ] = None
    brave_api_key: ApiKey = None
    tavily_api_key: ApiKey = None
    exa_api_key: ApiKey = None
    web_fetch_allowed_hosts: Annotated[
        tuple[Annotated[str, AfterValidator(_host_and_port)], ...],
        NoDecode,
        BeforeValidator(_split_list),
        Field(description="host names separated by commas, each alone or with a port, as in wiki.internal:8080"),
    ] = ()
    enable_code_execution: Flag = False
    code_executor: Annotated[
        Literal["monty", "process"], BeforeValidator(_lower), Field(description="monty or process")
    ] = "monty"
    code_python: Annotated[
        Annotated[Path, AfterValidator(Path.expanduser)] | None,
        Field(description="the path of a virtual environment's directory"),
    ] = None
    code_timeout_s: Annotated[
        float, Field(gt=0, le=3600, allow_inf_nan=False, description="seconds, above 0, at most 3600")
    ] = 10.0
    code_memory_mb: Annotated[
        int, BeforeValidator(_whole_number), Field(ge=32, description="a whole number, at least 32")
    ] = 512
    enable_file_operations: Flag = False
    workspace_dir: Annotated[
        Path,
        AfterValidator(_narrow_directory),
        Field(validate_default=True, description="the path of a directory, but neither / nor your home directory"),
    ] = Path("workspace")
    enable_agents: Flag = False
    tools_allow: ToolNames = ()
    tools_ask: ToolNames = ()
    tools_deny: ToolNames = ()
    tools_allow_after_untrusted: ToolNames = ()
    enable_mcp_server: Flag = False
    mcp_config: Annotated[
        Annotated[Path, AfterValidator(Path.expanduser)] | None, Field(description="the path of a file")
    ] = None
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"],
        BeforeValidator(_upper),
        Field(description="DEBUG, INFO, WARNING or ERROR"),
    ] = "INFO"
    log_format: Annotated[Literal["text", "json"], BeforeValidator(_lower), Field(description="text or json")] = "text"
    resume_for_s: Annotated[float, Field(ge=0, allow_inf_nan=False, description="seconds, at least 0")] = 300.0
    resume_memory_mb: Annotated[int, Field(ge=1, description="a whole number, at least 1")] = 32
    response_memory_mb: Annotated[int, Field(ge=1, description="a whole number, at least 1")] = 64
    otel_instrumentation_genai_capture_message_content: Flag = False
    shutdown_grace_s: Annotated[float, Field(ge=0, allow_inf_nan=False, description="seconds, at least 0")] = 30.0


def load_settings() -> Settings:
    """Reads the environment and `.env`, which need not exist; variables that mean nothing here are ignored.

    Raises:
        SettingsError: A value is not allowed, or the file cannot be read.
    """
    try:
        return Settings()
    except ValidationError as exc:
        raise _first_bad_value(exc) from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsError(f"{_ENV_FILE} cannot be read as UTF-8 text: {exc}", variable=_ENV_FILE) from exc


def _first_bad_value(error: ValidationError) -> SettingsError:
    details = error.errors(include_url=False)[0]
    field = str(details["loc"][0])
    allowed = Settings.model_fields[field].description
    shown = "…" if field.endswith(_KEYS_END_WITH) else _shorten(repr(details["input"]))
    return SettingsError(f"{field.upper()}={shown} is not allowed; it must be {allowed}.", variable=field.upper())


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN_VALUE else f"{text[: _LONGEST_SHOWN_VALUE - 3]}..."

"""One definition in one file: read within bounds, written whole or not at all, every mistake told with its place."""

import contextlib
import json
import os
import re
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from cortex_domain.agents import AGENT_NAME_PATTERN, AgentDefinition
from cortex_domain.errors import InvalidAgentError, InvalidRequestError, StorageError

MAX_FILE_BYTES: Final = 1024 * 1024
MAX_FILES: Final = 1_000

ParseAgent = Callable[[Mapping[str, Any]], AgentDefinition]
"""Makes a definition of what a file says; raises `InvalidRequestError`, which names the field that is wrong."""


def names_in(directory: Path, suffix: str, /) -> list[str]:
    """Lists the names that the files of a directory stand for, sorted; a directory that is not there has none.

    Raises:
        StorageError: It cannot be listed, or has too many.
    """
    with _storage_errors():
        files = [file.stem for file in directory.iterdir() if file.suffix == suffix] if directory.is_dir() else []
    if len(files) > MAX_FILES:
        raise StorageError(f"{directory} has more than {MAX_FILES} definitions of agents. Move some away.")
    return sorted(files)


def read_agent_file(file: Path, parse: ParseAgent, /) -> AgentDefinition | None:
    """Reads the definition that a file holds; None when there is no such file.

    Raises:
        InvalidAgentError: The file is no definition of an agent of its name.
        StorageError: It cannot be read.
    """
    if not is_agent_name(file.stem):
        raise _mistake(file, "a file is named like its agent: lower-case letters, digits, '_' and '-'")
    content = _read(file)
    return None if content is None else _definition(file, content, parse)


def is_agent_name(name: str, /) -> bool:
    """Tells whether an agent can have this name, which then is safe as that of a file."""
    return re.fullmatch(AGENT_NAME_PATTERN, name) is not None and name.isprintable()


def write_agent_file(file: Path, fields: Mapping[str, Any], /) -> None:
    """Writes a definition as JSON, in place of what there was.

    Raises:
        StorageError: It cannot be written.
    """
    with _storage_errors():
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _replace(file, json.dumps(fields, ensure_ascii=False, indent=2).encode())


def remove_agent_file(file: Path, /) -> bool:
    """Removes a file and tells whether there was one.

    Raises:
        StorageError: It cannot be removed.
    """
    if not is_agent_name(file.stem):
        return False
    with _storage_errors():
        try:
            file.unlink()
        except FileNotFoundError:
            return False
    return True


@contextlib.contextmanager
def _storage_errors() -> Iterator[None]:
    """Turns failures of the disk into `StorageError`."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"Definitions of agents cannot be read or written: {error}.") from error


def _read(file: Path) -> bytes | None:
    with _storage_errors():
        try:
            with file.open("rb") as stream:
                content = stream.read(MAX_FILE_BYTES + 1)
        except FileNotFoundError:
            return None
    if len(content) > MAX_FILE_BYTES:
        raise _mistake(file, f"it has more than {MAX_FILE_BYTES} bytes")
    return content


def _definition(file: Path, content: bytes, parse: ParseAgent) -> AgentDefinition:
    try:
        fields = _decoded(file, content.decode())
        agent = parse({"name": file.stem, **fields})
    except InvalidRequestError as error:
        raise _mistake(file, error.message) from error
    except (ValueError, RecursionError) as error:
        raise _mistake(file, f"it is not {file.suffix[1:].upper()}: {error}") from error
    if agent.name != file.stem:
        raise _mistake(file, f"name: it is {agent.name!r}, and must be that of the file")
    return agent


def _decoded(file: Path, text: str) -> Mapping[str, Any]:
    value: Mapping[str, Any] = tomllib.loads(text) if file.suffix == ".toml" else json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - told like everything else that is wrong with the text
    return value


def _mistake(file: Path, reason: str) -> InvalidAgentError:
    return InvalidAgentError(name=file.stem, source=str(file), reason=reason.removesuffix("."))


def _replace(file: Path, content: bytes) -> None:
    descriptor, unfinished = tempfile.mkstemp(suffix=".unfinished", dir=file.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(unfinished).replace(file)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise

"""What runs code, by the settings."""

import asyncio
import sys
from importlib.util import find_spec
from pathlib import Path

from cortex_adapters.python_functions import FunctionToolProvider
from cortex_domain.code_execution import CodeLimits
from cortex_domain.errors import CodeExecutorUnavailableError, StorageError
from cortex_domain.ports import CodeExecutor, ToolProvider
from cortex_entrypoints.built_in_tools.code import run_python_tool
from cortex_entrypoints.container.workspace import build_workspace
from cortex_entrypoints.settings import Settings

_BYTES_PER_MB = 1_000_000


def build_code_executor(settings: Settings) -> CodeExecutor:
    """Builds the executor that the settings name.

    Raises:
        CodeExecutorUnavailableError: What it needs is not installed.
    """
    workspace = _workspace(settings)
    return _process(settings, workspace) if settings.code_executor == "process" else _monty(workspace)


async def check_code_executor(settings: Settings, executor: CodeExecutor) -> None:
    """Makes sure that an executor can run code, in a workspace that may be new.

    Raises:
        CodeExecutorUnavailableError: It cannot.
    """
    if _workspace(settings) is not None:
        await asyncio.to_thread(_make_workspace, settings)
    await executor.check()


def build_code_tools(settings: Settings, executor: CodeExecutor) -> ToolProvider:
    """Makes the tools that run code in an executor."""
    limits = CodeLimits(timeout_s=settings.code_timeout_s, memory_bytes=settings.code_memory_mb * _BYTES_PER_MB)
    reads_workspace = _workspace(settings) is not None
    return FunctionToolProvider([run_python_tool(executor, limits=limits, reads_workspace=reads_workspace)])


def _workspace(settings: Settings) -> Path | None:
    """Tells which directory code may read: that of the tools for files, if these are on."""
    is_shown = settings.code_executor == "monty" or sys.platform != "darwin"
    return settings.workspace_dir.absolute() if settings.enable_file_operations and is_shown else None


def _make_workspace(settings: Settings) -> Path:
    try:
        return build_workspace(settings).root
    except StorageError as exc:
        raise CodeExecutorUnavailableError(exc.message) from exc


def _monty(workspace: Path | None) -> CodeExecutor:
    if find_spec("pydantic_monty") is None:
        raise CodeExecutorUnavailableError(
            "ENABLE_CODE_EXECUTION needs Monty, which is not installed: pip install 'cortex-platform[code]'"
        )
    # Imported here, because it need not be installed.
    from cortex_adapters.monty import MontyCodeExecutor  # noqa: PLC0415

    return MontyCodeExecutor(workspace=workspace)


def _process(settings: Settings, workspace: Path | None) -> CodeExecutor:
    # Imported here, because few need it.
    from cortex_adapters.process_sandbox import Bubblewrap, ProcessCodeExecutor, Seatbelt  # noqa: PLC0415

    confinement = Seatbelt() if sys.platform == "darwin" else Bubblewrap()
    return ProcessCodeExecutor(confinement, virtual_environment=settings.code_python, workspace=workspace)

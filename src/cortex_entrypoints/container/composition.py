"""Chooses the adapters, and opens and closes what was built."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from dependency_injector import containers, providers

from cortex_entrypoints.container.engine_placement import EnginePlacement
from cortex_entrypoints.container.tools import GivenTool
from cortex_entrypoints.container.use_cases import CortexContainer
from cortex_entrypoints.cortex import Cortex
from cortex_entrypoints.settings import Settings, load_settings

_FAKE_NAMESPACE = "fake/"


def build_container(
    settings: Settings, *, placement: EnginePlacement = EnginePlacement.THREAD, tools: Iterable[GivenTool] = ()
) -> CortexContainer:
    """Wires Cortex without starting anything; a `default_model` below `fake/` chooses the fake adapters."""
    return CortexContainer(
        settings=settings, adapters=_choose_adapters(settings, placement), given_tools=providers.Object(tuple(tools))
    )


def open_cortex(
    settings: Settings | None = None,
    *,
    placement: EnginePlacement = EnginePlacement.THREAD,
    tools: Iterable[GivenTool] = (),
) -> AbstractAsyncContextManager[Cortex]:
    """Starts Cortex inside this program and stops it at the end of the block.

        async with open_cortex() as cortex:
            await cortex.default_model_preparation.prepare_default()
            request = GenerationRequest(model=cortex.default_model, messages=(user_message("Hello"),))
            async with cortex.generate_text(request) as events:
                async for event in events: ...

    Args:
        settings: What to run; None reads the environment and `.env`.
        placement: Where the engine runs.
        tools: Functions that `tool` decorates, and providers of tools, besides the built-in ones.

    Raises:
        ValueError: Two of the functions have the same name.
        SettingsError: On entering; the environment or `.env` holds a value that is not allowed.
        GeneratorFailedError: On entering; the engine cannot be started.
    """
    return _opened(settings, placement, tools)


@asynccontextmanager
async def _opened(
    settings: Settings | None, placement: EnginePlacement, tools: Iterable[GivenTool]
) -> AsyncIterator[Cortex]:
    cortex: Cortex = build_container(settings or load_settings(), placement=placement, tools=tools).cortex()
    try:
        await cortex.start()
        yield cortex
    finally:
        await cortex.stop()


def _choose_adapters(settings: Settings, placement: EnginePlacement) -> containers.DeclarativeContainer:
    # Imported here, because only the chosen ones may be installed.
    if (settings.default_model or "").startswith(_FAKE_NAMESPACE):
        from cortex_entrypoints.container.fake_adapters import FakeAdapters  # noqa: PLC0415

        return FakeAdapters(settings=settings)
    from cortex_entrypoints.container.mlx_adapters import MlxAdapters  # noqa: PLC0415

    return MlxAdapters(settings=settings, placement=placement)

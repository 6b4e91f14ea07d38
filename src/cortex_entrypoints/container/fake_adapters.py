"""Adapters without a model, a disk or a network."""

from dependency_injector import containers, providers

from cortex_adapters.fake import ECHO_MODEL, FakeEngineMonitor, FakeModelLoader, FakeModelStore, FakeTextGenerator
from cortex_adapters.system.clock import SystemClock
from cortex_domain.language_models import ModelId
from cortex_entrypoints.container.response_store import build_response_store
from cortex_entrypoints.settings import Settings


class _NoEngine:
    async def start(self) -> None:
        """Has nothing to start."""

    async def stop(self) -> None:
        """Has nothing to stop."""


def _default_model(settings: Settings) -> ModelId:
    return ModelId(settings.default_model or ECHO_MODEL)


class FakeAdapters(containers.DeclarativeContainer):
    """What a demo or a test runs on."""

    settings = providers.Dependency(instance_of=Settings)
    clock = providers.Singleton(SystemClock)
    default_model = providers.Callable(_default_model, settings)
    bundled_models = providers.Object(())
    engine = providers.Singleton(_NoEngine)
    model_store = providers.Singleton(FakeModelStore)
    model_loader = providers.Singleton(FakeModelLoader, memory_limit_bytes=settings.provided.memory_limit_bytes)
    text_generator = providers.Singleton(
        FakeTextGenerator,
        loader=model_loader,
        clock=clock,
        default_max_tokens=settings.provided.default_max_tokens,
    )
    generation_suspender = text_generator
    prompt_counter = text_generator
    engine_monitor = providers.Singleton(FakeEngineMonitor, loader=model_loader, generator=text_generator)
    response_store = providers.Singleton(build_response_store, settings)

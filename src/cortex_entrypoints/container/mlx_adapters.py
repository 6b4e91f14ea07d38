"""Adapters for real models: MLX computes; the Hugging Face hub and the installed starter model supply."""

from dependency_injector import containers, providers

from cortex_adapters.combined.model_store import CombinedModelStore
from cortex_adapters.hugging_face_hub import CATALOGUE, HuggingFaceModelStore
from cortex_adapters.mlx.device import current_device, preferred_weight_format
from cortex_adapters.mlx.engine import Engine
from cortex_adapters.mlx.engine_host import EngineHost
from cortex_adapters.mlx.engine_monitor import MlxEngineMonitor
from cortex_adapters.mlx.engine_options import EngineOptions
from cortex_adapters.mlx.model_loader import MlxModelLoader
from cortex_adapters.mlx.prefix_cache_use import PrefixCacheLimits
from cortex_adapters.mlx.process_link import ProcessLink
from cortex_adapters.mlx.starter_model import STARTER_MODEL, StarterModelStore
from cortex_adapters.mlx.text_generator import MlxTextGenerator
from cortex_adapters.mlx.thread_link import ThreadLink
from cortex_adapters.system.clock import SystemClock
from cortex_domain.engine_status import Device
from cortex_domain.language_models import ModelId
from cortex_entrypoints.container.engine_placement import EnginePlacement
from cortex_entrypoints.container.response_store import build_response_store
from cortex_entrypoints.settings import Settings

_PREFIX_CACHE = ".prefix-cache"
_GPU_DEFAULT_MODEL = ModelId("mlx-community/Llama-3.2-3B-Instruct-4bit")


def _default_model(settings: Settings) -> ModelId:
    if settings.default_model is not None:
        return ModelId(settings.default_model)
    return STARTER_MODEL if current_device() is Device.CPU else _GPU_DEFAULT_MODEL


def _engine_options(settings: Settings) -> EngineOptions:
    return EngineOptions(
        memory_limit_bytes=settings.memory_limit_bytes,
        prefix_cache=PrefixCacheLimits(
            memory_bytes=settings.prefix_cache_memory_bytes,
            disk_bytes=settings.prefix_cache_disk_bytes,
            directory=str(settings.prefix_cache_dir or settings.model_cache_dir / _PREFIX_CACHE),
        ),
    )


class MlxAdapters(containers.DeclarativeContainer):
    """What the server runs on."""

    settings = providers.Dependency(instance_of=Settings)
    clock = providers.Singleton(SystemClock)
    default_model = providers.Callable(_default_model, settings)
    bundled_models = providers.Object((STARTER_MODEL,))
    placement = providers.Dependency(instance_of=EnginePlacement)
    engine_options = providers.Callable(_engine_options, settings)
    engine_link = providers.Selector(
        placement,
        thread=providers.Singleton(ThreadLink, providers.Factory(Engine, engine_options).provider),
        process=providers.Singleton(ProcessLink, options=engine_options),
    )
    engine = providers.Singleton(EngineHost, engine_link)
    starter_store = providers.Singleton(
        StarterModelStore,
        cache_dir=settings.provided.model_cache_dir,
        weight_format=providers.Callable(preferred_weight_format),
    )
    hub_store = providers.Singleton(
        HuggingFaceModelStore, cache_dir=settings.provided.model_cache_dir, catalogue=CATALOGUE
    )
    model_store = providers.Singleton(CombinedModelStore, providers.List(starter_store, hub_store))
    model_loader = providers.Singleton(MlxModelLoader, host=engine)
    text_generator = providers.Singleton(
        MlxTextGenerator,
        host=engine,
        clock=clock,
        default_max_tokens=settings.provided.default_max_tokens,
    )
    generation_suspender = text_generator
    prompt_counter = text_generator
    engine_monitor = providers.Singleton(MlxEngineMonitor, host=engine)
    response_store = providers.Singleton(build_response_store, settings)

"""Use cases on whatever adapters they are given."""

from dependency_injector import containers, providers

from cortex_domain.use_cases import (
    DeleteModel,
    DescribeModel,
    GenerateText,
    ListModels,
    LoadModel,
    PullModel,
    UnloadModel,
)
from cortex_entrypoints.cortex import Cortex
from cortex_entrypoints.default_model import DefaultModelPreparation


class CortexContainer(containers.DeclarativeContainer):
    """Builds one `Cortex`.

    Singletons throughout, started and stopped by hand: an asynchronous resource would turn everything that depends on
    it into a future.
    """

    adapters = providers.DependenciesContainer()
    describe_model = providers.Singleton(
        DescribeModel,
        store=adapters.model_store,
        loader=adapters.model_loader,
        generator=adapters.text_generator,
    )
    list_models = providers.Singleton(ListModels, store=adapters.model_store, describe_model=describe_model)
    load_model = providers.Singleton(LoadModel, store=adapters.model_store, loader=adapters.model_loader)
    unload_model = providers.Singleton(UnloadModel, store=adapters.model_store, loader=adapters.model_loader)
    pull_model = providers.Singleton(PullModel, store=adapters.model_store)
    delete_model = providers.Singleton(DeleteModel, store=adapters.model_store, loader=adapters.model_loader)
    generate_text = providers.Singleton(
        GenerateText, describe_model=describe_model, load_model=load_model, generator=adapters.text_generator
    )
    default_model_preparation = providers.Singleton(
        DefaultModelPreparation,
        default_model=adapters.default_model,
        bundled_models=adapters.bundled_models,
        describe_model=describe_model,
        pull_model=pull_model,
    )
    cortex = providers.Singleton(
        Cortex,
        default_model=adapters.default_model,
        default_model_preparation=default_model_preparation,
        generate_text=generate_text,
        list_models=list_models,
        describe_model=describe_model,
        load_model=load_model,
        unload_model=unload_model,
        pull_model=pull_model,
        delete_model=delete_model,
        loaded_models=adapters.model_loader.provided.loaded,
        engine_monitor=adapters.engine_monitor,
        clock=adapters.clock,
        start=adapters.engine.provided.start,
        stop=adapters.engine.provided.stop,
    )

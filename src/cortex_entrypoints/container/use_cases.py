"""Use cases on whatever adapters they are given."""

from dependency_injector import containers, providers

from cortex_adapters.system.task_runner import AsyncioTaskRunner
from cortex_domain.model_residency import ModelResidency
from cortex_domain.use_cases import (
    CancelAgentRun,
    ChatWithTools,
    CountPrompt,
    DecideApproval,
    DeleteModel,
    DescribeModel,
    ExecuteTools,
    GenerateText,
    GetAgentRun,
    ListModels,
    LoadModel,
    MakeRoom,
    PullModel,
    ResumeGeneration,
    RunAgent,
    StartAgentRun,
    TakeModelTurn,
    UnloadIdleModels,
    UnloadModel,
    UseTool,
)
from cortex_entrypoints.agent_runs import AgentRuns
from cortex_entrypoints.container.agent_runs import build_agent_run_store, build_agent_watch
from cortex_entrypoints.container.agents import build_agent_registry
from cortex_entrypoints.container.lifecycle import Lifecycle
from cortex_entrypoints.container.tools import (
    build_tool_sources,
    combine_tools,
    features_of,
    report_tool_bug,
    tool_policy,
)
from cortex_entrypoints.cortex import Cortex
from cortex_entrypoints.default_model import DefaultModelPreparation
from cortex_entrypoints.idle_unloading import IdleUnloading
from cortex_entrypoints.observation.watched_tools import WatchedToolProvider
from cortex_entrypoints.settings import Settings
from cortex_entrypoints.tool_tally import ToolTally


class CortexContainer(containers.DeclarativeContainer):
    """Builds one `Cortex`.

    Singletons throughout, started and stopped by hand: an asynchronous resource would turn everything that depends on
    it into a future.
    """

    settings = providers.Dependency(instance_of=Settings)
    adapters = providers.DependenciesContainer()
    given_tools = providers.Object(())
    residency = providers.Singleton(
        ModelResidency,
        clock=adapters.clock,
        keep_alive_s=settings.provided.keep_alive_s,
        pinned=settings.provided.pinned_models,
    )
    describe_model = providers.Singleton(
        DescribeModel,
        store=adapters.model_store,
        loader=adapters.model_loader,
        residency=residency,
        generator=adapters.text_generator,
    )
    list_models = providers.Singleton(ListModels, store=adapters.model_store, describe_model=describe_model)
    make_room = providers.Singleton(MakeRoom, loader=adapters.model_loader, residency=residency)
    load_model = providers.Singleton(
        LoadModel,
        store=adapters.model_store,
        loader=adapters.model_loader,
        residency=residency,
        make_room=make_room,
    )
    unload_model = providers.Singleton(
        UnloadModel, store=adapters.model_store, loader=adapters.model_loader, residency=residency
    )
    idle_unloading = providers.Singleton(
        IdleUnloading,
        unload_idle_models=providers.Singleton(UnloadIdleModels, loader=adapters.model_loader, residency=residency),
        clock=adapters.clock,
    )
    pull_model = providers.Singleton(PullModel, store=adapters.model_store)
    delete_model = providers.Singleton(DeleteModel, store=adapters.model_store, loader=adapters.model_loader)
    generate_text = providers.Singleton(
        GenerateText,
        describe_model=describe_model,
        load_model=load_model,
        residency=residency,
        make_room=make_room,
        generator=adapters.text_generator,
        clock=adapters.clock,
    )
    resume_generation = providers.Singleton(
        ResumeGeneration, suspender=adapters.generation_suspender, load_model=load_model, residency=residency
    )
    count_prompt = providers.Singleton(
        CountPrompt,
        describe_model=describe_model,
        load_model=load_model,
        residency=residency,
        counter=adapters.prompt_counter,
    )
    default_model_preparation = providers.Singleton(
        DefaultModelPreparation,
        default_model=adapters.default_model,
        bundled_models=adapters.bundled_models,
        describe_model=describe_model,
        pull_model=pull_model,
    )
    task_runner = providers.Singleton(AsyncioTaskRunner)
    tool_sources = providers.Singleton(build_tool_sources, settings, given_tools)
    tool_provider = providers.Singleton(combine_tools, tool_sources)
    tool_policy = providers.Singleton(tool_policy, settings)
    features = providers.Singleton(features_of, settings, tool_sources)
    tool_tally = providers.Singleton(ToolTally)
    use_tool = providers.Singleton(
        UseTool,
        provider=providers.Singleton(WatchedToolProvider, tool_provider, tally=tool_tally, clock=adapters.clock),
        runner=task_runner,
        clock=adapters.clock,
        report_bug=providers.Object(report_tool_bug),
    )
    execute_tools = providers.Singleton(ExecuteTools, provider=tool_provider, use_tool=use_tool, runner=task_runner)
    chat_with_tools = providers.Singleton(
        ChatWithTools,
        generate_text=generate_text,
        provider=tool_provider,
        execute_tools=execute_tools,
        policy=tool_policy,
        clock=adapters.clock,
    )
    agent_registry = providers.Singleton(build_agent_registry, settings)
    agent_run_store = providers.Singleton(build_agent_run_store, settings)
    agent_runs = providers.Singleton(
        AgentRuns,
        store=agent_run_store,
        run_agent=providers.Singleton(
            RunAgent,
            store=agent_run_store,
            take_model_turn=providers.Singleton(
                TakeModelTurn,
                generate_text=generate_text,
                clock=adapters.clock,
                default_model=adapters.default_model,
            ),
            execute_tools=execute_tools,
            provider=tool_provider,
            catalog=agent_registry,
            clock=adapters.clock,
            policies=providers.List(tool_policy),
        ),
        start_agent_run=providers.Singleton(StartAgentRun, store=agent_run_store, clock=adapters.clock),
        decide_approval=providers.Singleton(DecideApproval, store=agent_run_store, clock=adapters.clock),
        cancel_agent_run=providers.Singleton(CancelAgentRun, store=agent_run_store, clock=adapters.clock),
        get_agent_run=providers.Singleton(GetAgentRun, store=agent_run_store),
        watch=providers.Callable(build_agent_watch, settings),
    )
    lifecycle = providers.Singleton(
        Lifecycle,
        engine=adapters.engine,
        idle_unloading=idle_unloading,
        tool_sources=tool_sources,
        agent_runs=agent_runs,
        agent_run_store=agent_run_store,
    )
    cortex = providers.Singleton(
        Cortex,
        default_model=adapters.default_model,
        default_model_preparation=default_model_preparation,
        generate_text=generate_text,
        resume_generation=resume_generation,
        generation_suspender=adapters.generation_suspender,
        count_prompt=count_prompt,
        list_models=list_models,
        describe_model=describe_model,
        load_model=load_model,
        unload_model=unload_model,
        pull_model=pull_model,
        delete_model=delete_model,
        loaded_models=adapters.model_loader.provided.loaded,
        engine_monitor=adapters.engine_monitor,
        response_store=adapters.response_store,
        tool_provider=tool_provider,
        tool_policy=tool_policy,
        execute_tools=execute_tools,
        chat_with_tools=chat_with_tools,
        tool_tally=tool_tally,
        agent_registry=agent_registry,
        agent_runs=agent_runs,
        features=features,
        clock=adapters.clock,
        start=lifecycle.provided.start,
        stop=lifecycle.provided.stop,
    )

"""Cortex as one object: every use case, wired."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from cortex_domain.events import GenerationEvent
from cortex_domain.generation import GenerationRequest
from cortex_domain.language_models import LoadedModel, ModelId
from cortex_domain.ports import AgentRegistry, Clock, EngineMonitor, GenerationSuspender, ResponseStore, ToolProvider
from cortex_domain.tool_policy import ToolPolicy
from cortex_domain.use_cases import (
    ChatWithTools,
    CountPrompt,
    DeleteModel,
    DescribeModel,
    ExecuteTools,
    ListModels,
    LoadModel,
    PullModel,
    UnloadModel,
)
from cortex_entrypoints.agent_runs import AgentRuns
from cortex_entrypoints.default_model import DefaultModelPreparation
from cortex_entrypoints.tool_tally import ToolTally

TextGeneration = Callable[[GenerationRequest], AbstractAsyncContextManager[AsyncIterator[GenerationEvent]]]
"""The use case `GenerateText`, or something around it that keeps its promises."""

TextResumption = Callable[[str], AbstractAsyncContextManager[AsyncIterator[GenerationEvent]]]
"""The use case `ResumeGeneration`, likewise; takes a generation's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cortex:
    """What an entrypoint, or a program that embeds Cortex, works with.

    Attributes:
        default_model: Id or alias of the model that answers when a caller names none.
        default_model_preparation: Fetches that model, and tells how far it is.
        generate_text: `async with cortex.generate_text(request) as events: async for event in events: …`
        resume_generation: Goes on with a generation that `generation_suspender` has suspended, in the same form.
        generation_suspender: Keeps a generation that its reader leaves.
        count_prompt: Tells how long a request's prompt is.
        loaded_models: Returns the models in memory, at once and whatever the disk does.
        response_store: Keeps answers that are asked for again.
        tool_provider: Offers the tools that there are.
        tool_policy: What whoever runs Cortex says about their use; one of the policies in `ToolTerms`.
        execute_tools: `async with cortex.execute_tools(calls, terms) as events: async for event in events: …`
        chat_with_tools: Like `generate_text`, and lets the model use the tools that need nobody's approval.
        tool_tally: Which tools were used how often.
        features: Names of the features that the settings switch on and that are there: `web_search`, `code_execution`,
            `file_operations`, `agents`.
        agent_registry: Knows the agents, and keeps those that programs put there.
        agent_runs: Works on agent runs, and lets them be followed; a server awaits its `resume_all` once it serves.
        start: Starts the engine, the tools and the unloading of idle models; await it once before anything else.
        stop: Ends what is running and frees the engine; await it once at the end.
    """

    default_model: ModelId
    default_model_preparation: DefaultModelPreparation
    generate_text: TextGeneration
    resume_generation: TextResumption
    generation_suspender: GenerationSuspender
    count_prompt: CountPrompt
    list_models: ListModels
    describe_model: DescribeModel
    load_model: LoadModel
    unload_model: UnloadModel
    pull_model: PullModel
    delete_model: DeleteModel
    loaded_models: Callable[[], Sequence[LoadedModel]]
    engine_monitor: EngineMonitor
    response_store: ResponseStore
    tool_provider: ToolProvider
    tool_policy: ToolPolicy
    execute_tools: ExecuteTools
    chat_with_tools: ChatWithTools
    tool_tally: ToolTally
    agent_registry: AgentRegistry
    agent_runs: AgentRuns
    features: frozenset[str]
    clock: Clock
    start: Callable[[], Awaitable[None]]
    stop: Callable[[], Awaitable[None]]

"""The tools that there are, by the settings and by the program that embeds Cortex, and what lets them be used."""

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from cortex_adapters.combined import CombinedToolProvider
from cortex_adapters.python_functions import FunctionTool, FunctionToolProvider
from cortex_domain.ports import ToolProvider
from cortex_domain.tool_execution import ToolEffect
from cortex_domain.tool_policy import ToolPermission, ToolPolicy
from cortex_entrypoints.built_in_tools.files import file_tools
from cortex_entrypoints.container.mcp_tools import build_mcp_tools
from cortex_entrypoints.container.workspace import build_workspace
from cortex_entrypoints.settings import Settings

logger = logging.getLogger(__name__)

GivenTool = FunctionTool[..., Any] | ToolProvider
"""A function that `tool` decorates, or a provider of tools."""


async def _nothing() -> None:
    """Is all that most sources do to start and stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSource:
    """Where tools come from.

    Attributes:
        provider: Offers them.
        start: Awaited once before the first use; one that fails to start should log it and offer nothing.
        stop: Awaited once at the end, also if it was not started.
        feature: The setting without its `enable_` that it makes true; None for what no flag switches on.
    """

    provider: ToolProvider
    feature: Literal["web_search", "code_execution", "file_operations"] | None = None
    start: Callable[[], Awaitable[None]] = _nothing
    stop: Callable[[], Awaitable[None]] = _nothing


def build_tool_sources(settings: Settings, given: Iterable[GivenTool]) -> Sequence[ToolSource]:
    """Builds the sources that the settings switch on, after those that the embedding program gives.

    Of tools of one name the first is offered: a program may put its own in the place of a built-in one.
    """
    return [
        *_given_sources(given),
        *_code_sources(settings),
        *_file_sources(settings),
        *_web_sources(settings),
        *_mcp_sources(settings),
    ]


def combine_tools(sources: Sequence[ToolSource]) -> ToolProvider:
    """Makes one provider of all sources."""
    return CombinedToolProvider([source.provider for source in sources])


def features_of(settings: Settings, sources: Sequence[ToolSource]) -> frozenset[str]:
    """Names the features that are there: agents, and what these sources are."""
    tools = frozenset[str](source.feature for source in sources if source.feature is not None)
    return tools | {"agents"} if settings.enable_agents else tools


def tool_policy(settings: Settings) -> ToolPolicy:
    """Reads the policy of whoever runs Cortex; what stands in several lists has the strictest permission."""
    stated = {
        entry: permission
        for permission, entries in (
            (ToolPermission.ALLOW, settings.tools_allow),
            (ToolPermission.ASK, settings.tools_ask),
            (ToolPermission.DENY, settings.tools_deny),
        )
        for entry in entries
    }
    effects = {str(effect) for effect in ToolEffect}
    return ToolPolicy(
        effects={ToolEffect(entry): permission for entry, permission in stated.items() if entry in effects},
        tools={entry: permission for entry, permission in stated.items() if entry not in effects},
        allowed_after_untrusted=frozenset(settings.tools_allow_after_untrusted),
    )


def report_tool_bug(name: str, error: BaseException) -> None:
    """Logs what a tool raised that is no deliberate error."""
    logger.error("the tool %s failed", name, exc_info=error)


def _given_sources(given: Iterable[GivenTool]) -> Sequence[ToolSource]:
    tools = list(given)
    functions = [tool for tool in tools if isinstance(tool, FunctionTool)]
    providers = [tool for tool in tools if not isinstance(tool, FunctionTool)]
    return [ToolSource(provider=provider) for provider in (FunctionToolProvider(functions), *providers)]


def _mcp_sources(settings: Settings) -> Sequence[ToolSource]:
    if settings.mcp_config is None:
        return []
    provider = build_mcp_tools(settings.mcp_config)
    return [ToolSource(provider=provider, start=provider.start, stop=provider.stop)]


def _web_sources(settings: Settings) -> Sequence[ToolSource]:
    if not settings.enable_web_search:
        return []
    # Imported here, because HTTP clients take a moment that most programs do not have to spend.
    from cortex_entrypoints.container.web_tools import build_web_tools  # noqa: PLC0415

    web = build_web_tools(settings)
    return [ToolSource(provider=web.provider, feature="web_search" if web.can_search else None, stop=web.client.aclose)]


def _code_sources(settings: Settings) -> Sequence[ToolSource]:
    if not settings.enable_code_execution:
        return []
    # Imported here, because it need not be installed.
    from cortex_entrypoints.container.code_tools import (  # noqa: PLC0415
        build_code_executor,
        build_code_tools,
        check_code_executor,
    )

    executor = build_code_executor(settings)
    # Whoever asked for code to be run learns at the start that it cannot be, and nobody runs it otherwise.
    tools = build_code_tools(settings, executor)
    return [
        ToolSource(
            provider=tools,
            feature="code_execution",
            start=partial(check_code_executor, settings, executor),
            stop=executor.close,
        )
    ]


def _file_sources(settings: Settings) -> Sequence[ToolSource]:
    if not settings.enable_file_operations:
        return []
    provider = FunctionToolProvider(file_tools(build_workspace(settings)))
    return [ToolSource(provider=provider, feature="file_operations")]

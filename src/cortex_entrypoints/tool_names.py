"""Names of tools in the settings that mean nothing: a typing error there would leave a tool as it was."""

from collections.abc import Sequence

from cortex_domain.ports import ToolProvider
from cortex_domain.tool_execution import ToolEffect
from cortex_entrypoints.settings import Settings


async def unknown_tool_names(settings: Settings, provider: ToolProvider, /) -> Sequence[str]:
    """Returns what TOOLS_ALLOW and its like name and what is neither an effect nor a tool that is on now, sorted."""
    known = {tool.name for tool in await provider.list_tools()} | set(ToolEffect)
    named = {
        *settings.tools_allow,
        *settings.tools_ask,
        *settings.tools_deny,
        *settings.tools_allow_after_untrusted,
    }
    return sorted(named - known)

"""Tool provider made of several."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from cortex_domain.errors import ToolNotFoundError
from cortex_domain.ports import ToolProvider
from cortex_domain.tool_execution import ToolContext, ToolDescriptor, ToolOutput

logger = logging.getLogger(__name__)

LISTING_PATIENCE_S: Final = 5.0
"""How long one provider may take to list its tools before it is left out."""


class CombinedToolProvider(ToolProvider):
    """Several providers as one.

    A provider that cannot list its tools now loses those, and no other does. Of two tools of one name that of the
    earlier provider is offered, and the log tells of the other.

    Args:
        providers: Any number, those that win first.
    """

    def __init__(self, providers: Iterable[ToolProvider]) -> None:
        self._providers = tuple(providers)
        self._owners: dict[str, ToolProvider] = {}

    async def list_tools(self) -> Sequence[ToolDescriptor]:
        """Returns the tools of all providers, those of one after those of the other."""
        listings = await asyncio.gather(*map(_listing, self._providers))
        offered: dict[str, ToolDescriptor] = {}
        owners: dict[str, ToolProvider] = {}
        for provider, tools in zip(self._providers, listings, strict=True):
            for tool in tools:
                if owners.setdefault(tool.name, provider) is provider:
                    offered[tool.name] = tool
                else:
                    logger.error("the tool %s of %s is left out: another has that name", tool.name, _name(provider))
        self._owners = owners
        return list(offered.values())

    async def invoke(self, name: str, arguments: Mapping[str, Any], context: ToolContext, /) -> ToolOutput:
        """Uses a tool of whoever offers it."""
        if name not in self._owners:
            await self.list_tools()
        if name not in self._owners:
            raise ToolNotFoundError(name=name)
        return await self._owners[name].invoke(name, arguments, context)


async def _listing(provider: ToolProvider) -> Sequence[ToolDescriptor]:
    try:
        async with asyncio.timeout(LISTING_PATIENCE_S):
            return await provider.list_tools()
    except Exception:
        logger.exception("the tools of %s cannot be listed and are left out", _name(provider))
        return ()


def _name(provider: ToolProvider) -> str:
    return type(provider).__name__

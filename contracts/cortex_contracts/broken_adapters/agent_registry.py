"""Agent registries that are wrong in one way each."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from cortex_contracts.agent_registry import AgentRegistryHarness
from cortex_contracts.broken_adapters.breakage import Breakage
from cortex_domain.agents import AgentDefinition
from cortex_domain.errors import AgentNotFoundError
from cortex_domain.ports import AgentRegistry
from cortex_domain.tool_policy import ToolPolicy


class _Passing(AgentRegistry):
    """Wrong in no way yet."""

    def __init__(self, inner: AgentRegistry) -> None:
        self._inner = inner

    async def list_agents(self) -> Sequence[AgentDefinition]:
        return await self._inner.list_agents()

    async def get_agent(self, name: str, /) -> AgentDefinition:
        return await self._inner.get_agent(name)

    async def put_agent(self, agent: AgentDefinition, /) -> None:
        await self._inner.put_agent(agent)

    async def delete_agent(self, name: str, /) -> None:
        await self._inner.delete_agent(name)


class _ForgetsThePolicy(_Passing):
    async def get_agent(self, name: str, /) -> AgentDefinition:
        found = await super().get_agent(name)
        return replace(
            found, policy=replace(ToolPolicy(), allowed_after_untrusted=found.policy.allowed_after_untrusted)
        )


class _KeepsTheFirst(_Passing):
    async def get_agent(self, name: str, /) -> AgentDefinition:
        """Finds what was put first, though the list tells the last."""
        return self._first.get(name) or await super().get_agent(name)

    def __init__(self, inner: AgentRegistry) -> None:
        super().__init__(inner)
        self._first: dict[str, AgentDefinition] = {}

    async def put_agent(self, agent: AgentDefinition, /) -> None:
        self._first.setdefault(agent.name, agent)
        await super().put_agent(agent)

    async def delete_agent(self, name: str, /) -> None:
        self._first.pop(name, None)
        await super().delete_agent(name)


class _FindsTheDeleted(_Passing):
    def __init__(self, inner: AgentRegistry) -> None:
        super().__init__(inner)
        self._deleted: dict[str, AgentDefinition] = {}

    async def get_agent(self, name: str, /) -> AgentDefinition:
        try:
            return await super().get_agent(name)
        except AgentNotFoundError:
            return self._deleted[name] if name in self._deleted else await super().get_agent(name)

    async def delete_agent(self, name: str, /) -> None:
        agent = await super().get_agent(name)
        await super().delete_agent(name)
        self._deleted[name] = agent


class _DeletesAnything(_Passing):
    async def delete_agent(self, name: str, /) -> None:
        try:
            await super().delete_agent(name)
        except AgentNotFoundError:
            return


class _ListsTheDeleted(_Passing):
    def __init__(self, inner: AgentRegistry) -> None:
        super().__init__(inner)
        self._seen: dict[str, AgentDefinition] = {}

    async def list_agents(self) -> Sequence[AgentDefinition]:
        self._seen |= {agent.name: agent for agent in await super().list_agents()}
        return [self._seen[name] for name in sorted(self._seen)]


def _breakage(requirement_id: str, broken: Callable[[AgentRegistry], AgentRegistry]) -> Breakage[AgentRegistryHarness]:
    return Breakage(
        requirement_id, broken.__name__, lambda harness: replace(harness, registry=broken(harness.registry))
    )


BROKEN_AGENT_REGISTRIES = (
    _breakage("agent_registry.keeps_what_was_put", _ForgetsThePolicy),
    _breakage("agent_registry.put_again_replaces", _KeepsTheFirst),
    _breakage("agent_registry.deleted_is_gone", _FindsTheDeleted),
    _breakage("agent_registry.unknown_deletion_refused", _DeletesAnything),
    _breakage("agent_registry.state_follows_history", _ListsTheDeleted),
)

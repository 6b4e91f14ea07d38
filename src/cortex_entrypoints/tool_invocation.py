"""Uses one tool for a person, who by asking for it has approved it."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from cortex_domain.errors import ToolDeniedError, ToolNotFoundError
from cortex_domain.tool_execution import ToolCall, ToolFinished, ToolProgress
from cortex_domain.tool_plan import ToolTerms
from cortex_domain.tool_policy import ToolPermission
from cortex_entrypoints.cortex import Cortex


def _ignore(_: ToolProgress) -> None:
    """Shows no progress."""


async def invoke_for_person(
    cortex: Cortex,
    name: str,
    arguments: Mapping[str, Any],
    *,
    owner: str | None = None,
    show: Callable[[ToolProgress], None] = _ignore,
) -> ToolFinished:
    """Uses a tool. What the tool cannot do, wrong arguments among it, is a result.

    Args:
        cortex: The use cases.
        name: The tool.
        arguments: What it is told.
        owner: On whose behalf; None when nobody told.
        show: Takes its progress.

    Raises:
        ToolNotFoundError: There is no such tool, or it is switched off.
        ToolDeniedError: The policy denies its use, also to a person.
    """
    call = ToolCall(id=f"call_{uuid4().hex}", name=name, arguments=arguments)
    terms = ToolTerms(policies=(cortex.tool_policy,), approved=frozenset({call.id}), owner=owner)
    (planned,) = await cortex.execute_tools.plan([call], terms)
    if planned.tool is None:
        raise ToolNotFoundError(name=name)
    if cortex.tool_policy.permission(planned.tool, after_untrusted=False) is ToolPermission.DENY:
        raise ToolDeniedError(name=name)
    finished: list[ToolFinished] = []
    async with cortex.execute_tools([call], terms) as events:
        async for event in events:
            if isinstance(event, ToolProgress):
                show(event)
            elif isinstance(event, ToolFinished):
                finished.append(event)
    return finished[0]
